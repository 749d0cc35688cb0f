//! Each promise has a test, and what the documents show is what runs.

use std::fs;

use crate::files::{SourceFile, files, none, root};

#[test]
fn every_promise_names_tests_that_exist() {
    let promises = fs::read_to_string(root().join("docs/SEMANTICS.md")).expect("the promises");
    let files: Vec<_> = files().into_iter().filter(SourceFile::is_rust).collect();
    let exists = |test: &str| {
        let head = format!("fn {test}(");
        files.iter().any(|file| file.text.contains(&head))
    };
    let mut breaches = Vec::new();
    let mut expected = 1;
    for item in numbered(&promises) {
        let number = item.split('.').next().unwrap();
        if number != expected.to_string() {
            breaches.push(format!("promise {expected} is missing before {number}"));
        }
        expected = number.parse::<u32>().unwrap() + 1;
        let tests = item.split_once("Held by:").map(|(_, tests)| quoted(tests));
        let tests = tests.unwrap_or_default();
        if tests.is_empty() {
            breaches.push(format!("promise {number} names no test"));
        }
        let missing = tests.iter().filter(|test| !exists(test));
        breaches.extend(missing.map(|test| format!("promise {number}: there is no `{test}`")));
    }
    assert!(expected > 1, "no promise in docs/SEMANTICS.md");
    none("docs/SEMANTICS.md:", breaches);
}

#[test]
fn the_script_that_is_shown_is_the_one_that_is_run() {
    let page = fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap();
    let script = fs::read_to_string(root().join("docs/slurm/export.sbatch")).unwrap();
    assert!(page.contains(&format!("```bash\n{script}```\n")));
}

/// The items of the form `1. …` with the lines that follow until the next item, heading or rule.
fn numbered(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let number = line.split_once(". ").map(|(number, _)| number);
        if number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
            items.push(String::new());
            inside = true;
        } else if line.starts_with('#') {
            inside = false;
        }
        if let Some(item) = items.last_mut().filter(|_| inside) {
            item.push_str(line);
            item.push('\n');
        }
    }
    items
}

/// The names in backticks, without the path in front.
fn quoted(text: &str) -> Vec<&str> {
    let names = text.split('`').skip(1).step_by(2);
    names
        .map(|name| name.rsplit("::").next().unwrap_or(name))
        .collect()
}
