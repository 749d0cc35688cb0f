//! `cargo xtask test faults`: runs exactly the tests that the registry of faults names, and fails if
//! one fails or if a case's fault did not happen in any of its tests.
//!
//! A test says so itself, with `lob_testkit::fault_fired`, after it has asserted that its gate or
//! its kill was reached. What cannot run here is printed as skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lob_testkit::TEST_NOTES;
use lob_tests::reliability::{Case, Count, State, cases};
use xshell::{Shell, cmd};

use crate::command;

/// How long the tests may take.
const LIMIT: Duration = Duration::from_secs(20 * 60);

pub(super) async fn run(sh: &Shell) -> anyhow::Result<()> {
    let names: BTreeSet<_> = cases().flat_map(|case| case.tests).copied().collect();
    let list = cmd!(
        sh,
        "cargo test --workspace --locked -- --list --format terse"
    );
    eprintln!("$ {list}");
    let list = command::output(list).await?;
    let paths: BTreeMap<_, _> = list
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(|path| (name_of(path), path))
        .filter(|(name, _)| names.contains(name))
        .collect();
    let missing: Vec<_> = names.iter().filter(|n| !paths.contains_key(**n)).collect();
    ensure!(missing.is_empty(), "there are no tests {missing:?}");

    let folder = tempfile::tempdir()?;
    let notes = folder.path().join("notes");
    let environment = [(TEST_NOTES, notes.display().to_string())];
    let paths = paths.values();
    let tests = cmd!(
        sh,
        "cargo test --workspace --locked --no-fail-fast -- --exact {paths...}"
    );
    let begin = Instant::now();
    let tests = tokio::time::timeout(LIMIT, command::run_with(&environment, tests)).await;
    let tests = tests.context("the tests took longer than 20 minutes")?;
    let notes = fs::read_to_string(notes).unwrap_or_default();
    let is_fired = Notes::of(&notes).report();
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    eprintln!(
        "{} tests in {minutes:.1} minutes: {}",
        names.len(),
        Count::of(cases())
    );
    tests?;
    ensure!(is_fired, "a case's tests passed without its fault");
    Ok(())
}

/// The last segment of a test's path.
fn name_of(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// What the tests noted.
#[derive(Default)]
struct Notes<'a> {
    /// Pairs of a case and the test that provoked it.
    fired: BTreeSet<(&'a str, &'a str)>,
    /// The reason by test.
    skipped: BTreeMap<&'a str, &'a str>,
}

impl<'a> Notes<'a> {
    fn of(text: &'a str) -> Self {
        let mut notes = Self::default();
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("fired"), Some(test), Some(case)) => {
                    notes.fired.insert((case, name_of(test)));
                }
                (Some("skipped"), Some(test), Some(reason)) => {
                    notes.skipped.insert(name_of(test), reason);
                }
                _ => {}
            }
        }
        notes
    }

    /// Prints what was skipped and what did not happen; returns whether everything happened.
    fn report(&self) -> bool {
        for (test, reason) in &self.skipped {
            eprintln!("skipped: {test}: {reason}");
        }
        let mut is_fired = true;
        for case in cases().filter(|case| !case.tests.is_empty()) {
            if self.has_fired(case) {
                continue;
            }
            if case
                .tests
                .iter()
                .all(|test| self.skipped.contains_key(test))
            {
                eprintln!("skipped: {} {}: all its tests", case.id, case.fault);
            } else {
                eprintln!("did not happen: {} {}", case.id, case.fault);
                is_fired = false;
            }
        }
        for case in cases() {
            if let State::Open(what) | State::Partly(what) = case.state() {
                eprintln!("not held: {} {}: {what}", case.id, case.fault);
            }
        }
        is_fired
    }

    fn has_fired(&self, case: &Case) -> bool {
        let mut tests = case.tests.iter();
        tests.any(|test| self.fired.contains(&(case.id, test)))
    }
}
