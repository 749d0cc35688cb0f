//! docs/RELIABILITY.md: every fault and bad input of the registry in `tests/src/reliability`, with
//! the tests that hold it. What no test holds comes first.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use lob_tests::reliability::{Case, Count, GROUPS, LONG_RUNS, State, cases, runs_on_real_servers};

/// The folders with tests.
const FOLDERS: [&str; 2] = ["crates", "tests/tests"];

const HEAD: &str = "\
<!-- Made by `cargo xtask codegen` from `tests/src/reliability`. -->

# Faults and bad inputs

What may go wrong, what the tools must do then, and the tests that provoke it.
A tool *recovers* if the fault passes with status 0 and the same bytes as without it; it *fails cleanly* if it ends with a named error, publishes nothing and touches no target; it *refuses* if nothing was written before that.
A case is *held* if tests provoke it and assert the outcome, *partly held* if they leave something out, *open* without a test, and *not applicable* for the reason given.
`cargo xtask test faults` runs exactly these tests, and fails if a case's fault did not happen in any of them; what this machine cannot do (a real server, a C compiler) is listed as skipped.
The tests run on the servers in `crates/testkit`, or need none; the suites marked \u{2020} also run with MinIO and MongoDB in `cargo xtask e2e`, except for those of their tests that need what only the test servers can do: e2e prints how many.
";

/// Renders the page as Markdown.
pub(super) fn render(root: &Path) -> anyhow::Result<String> {
    let mut homes = HashMap::new();
    for folder in FOLDERS {
        find_tests(root, &root.join(folder), &mut homes)?;
    }
    let mut text = format!("{HEAD}\n**{}.**\n", Count::of(cases()));
    for (title, is_meant) in [
        ("Open", is_open as fn(State) -> Option<&'static str>),
        ("Partly held", is_partly),
        ("Not applicable", is_not_applicable),
    ] {
        let mut lines = cases()
            .filter_map(|case| Some((case, is_meant(case.state())?)))
            .peekable();
        if lines.peek().is_some() {
            write!(text, "\n## {title}\n\n")?;
        }
        for (case, why) in lines {
            writeln!(text, "* {} {}: {why}.", case.id, case.fault)?;
        }
    }
    text.push_str(
        "\n## Long runs\n\n\
         `cargo xtask long` does what takes too long for every commit; this was seen last:\n\n\
         | what | to repeat it | outcome |\n| --- | --- | --- |\n",
    );
    for run in LONG_RUNS {
        let (what, command, outcome) = (run.what, run.command, run.outcome);
        writeln!(text, "| {what} | `{command}` | {outcome} |")?;
    }
    for group in &GROUPS {
        let count = Count::of(group.cases);
        write!(
            text,
            "\n## {}. {}\n\n{count}.\n\n\
             | case | fault | expected | what the tests assert | tests |\n\
             | --- | --- | --- | --- | --- |\n",
            group.letter, group.title
        )?;
        for case in group.cases {
            row(&mut text, case, &homes)?;
        }
    }
    Ok(text)
}

fn is_open(state: State) -> Option<&'static str> {
    match state {
        State::Open(what) => Some(what),
        _ => None,
    }
}

fn is_partly(state: State) -> Option<&'static str> {
    match state {
        State::Partly(what) => Some(what),
        _ => None,
    }
}

fn is_not_applicable(state: State) -> Option<&'static str> {
    match state {
        State::NotApplicable(reason) => Some(reason),
        _ => None,
    }
}

fn row(text: &mut String, case: &Case, homes: &HashMap<String, String>) -> anyhow::Result<()> {
    let mut tests = Vec::new();
    for test in case.tests {
        let home = homes.get(*test);
        let home = home.with_context(|| format!("case {}: there is no `{test}`", case.id))?;
        let mark = if runs_on_real_servers(home) {
            " \u{2020}"
        } else {
            ""
        };
        tests.push(format!("`{test}` ({home}){mark}"));
    }
    let state = match case.state() {
        State::Held => case.asserts.to_owned(),
        State::Partly(what) => format!("{}; **not yet:** {what}", case.asserts),
        State::Open(_) => "**open**".to_owned(),
        State::NotApplicable(_) => "not applicable".to_owned(),
    };
    let (id, fault, expected, tests) = (case.id, case.fault, case.expected, tests.join(", "));
    writeln!(text, "| {id} | {fault} | {expected} | {state} | {tests} |")?;
    Ok(())
}

/// Finds the file of each test below a folder.
fn find_tests(
    root: &Path,
    folder: &Path,
    homes: &mut HashMap<String, String>,
) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            find_tests(root, &path, homes)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let home = path.strip_prefix(root)?.display().to_string();
            let code = fs::read_to_string(&path)?;
            let names = code.split("fn ").skip(1).filter_map(|rest| {
                let (name, _) = rest.split_once('(')?;
                Some((name.to_owned(), home.clone()))
            });
            homes.extend(names);
        }
    }
    Ok(())
}
