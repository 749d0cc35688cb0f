//! Every promise has a test, and what the documents show is what runs.

use std::fs;

use crate::files::{SourceFile, files, none, root};

#[test]
fn every_promise_has_tests_that_exist() {
    let read = |name: &str| fs::read_to_string(root().join("docs").join(name)).expect(name);
    let (promises, table) = (read("SEMANTICS.md"), read("PROMISES.md"));
    let promises = promises
        .lines()
        .filter_map(|line| number(line.split_once(". ")?.0));
    let rows = table.lines().filter_map(|line| {
        let (promise, tests) = line.strip_prefix("| ")?.split_once(" | ")?;
        Some((number(promise)?, quoted(tests)))
    });
    let (promises, rows): (Vec<_>, Vec<_>) = (promises.collect(), rows.collect());
    let count = u32::try_from(promises.len()).expect("few promises");
    assert!(
        count > 0 && promises.iter().copied().eq(1..=count),
        "{promises:?}"
    );
    assert!(
        rows.iter().map(|(number, _)| *number).eq(1..=count),
        "a row for each promise"
    );
    let files: Vec<_> = files().into_iter().filter(SourceFile::is_rust).collect();
    let exists = |test: &str| {
        let head = format!("fn {test}(");
        files.iter().any(|file| file.text.contains(&head))
    };
    let mut breaches = Vec::new();
    for (number, tests) in rows {
        if tests.is_empty() {
            breaches.push(format!("promise {number} names no test"));
        }
        let missing = tests.iter().filter(|test| !exists(test));
        breaches.extend(missing.map(|test| format!("promise {number}: there is no `{test}`")));
    }
    none("docs/PROMISES.md:", breaches);
}

/// The number at the start of a promise or its table row.
fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

#[test]
fn the_documented_script_is_the_one_that_runs() {
    let page = fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap();
    let script = fs::read_to_string(root().join("docs/slurm/export.sbatch")).unwrap();
    assert!(page.contains(&format!("```bash\n{script}```\n")));
}

/// The names in backticks, without any leading path.
fn quoted(text: &str) -> Vec<&str> {
    let names = text.split('`').skip(1).step_by(2);
    names
        .map(|name| name.rsplit("::").next().unwrap_or(name))
        .collect()
}
