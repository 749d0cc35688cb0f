//! `cargo xtask test faults`: runs exactly the tests that the registry of faults names, and fails if
//! one fails or if a case's fault did not happen in any of its tests.
//!
//! A test says so itself, with `lob_testkit::fault_fired`, after it has asserted that its gate or
//! its kill was reached. What cannot run here is printed as skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::ensure;
use lob_tests::reliability::{Case, Count, GROUPS, Group, State};
use xshell::{Shell, cmd};

use crate::command;
use crate::notes::{Notes, NotesFile, name_of};

/// How long the tests may take.
const LIMIT: Duration = Duration::from_secs(20 * 60);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The letters of the groups to run; all by default
    groups: Vec<char>,
}

pub(super) async fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    let is_chosen = |group: &&Group| args.groups.is_empty() || args.groups.contains(&group.letter);
    let groups = GROUPS.iter().filter(is_chosen);
    let chosen: Vec<&Case> = groups.flat_map(|group| group.cases).collect();
    let names: BTreeSet<_> = chosen.iter().flat_map(|case| case.tests).copied().collect();
    ensure!(!names.is_empty(), "there is no such group");
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

    let notes = NotesFile::new()?;
    let paths = paths.values();
    let tests = cmd!(
        sh,
        "cargo test --workspace --locked --no-fail-fast -- --exact {paths...}"
    );
    let begin = Instant::now();
    let tests = command::run_with(&[notes.variable()], tests).await;
    let all_fired = report(&notes.read(), &chosen);
    let time = begin.elapsed();
    let minutes = time.as_secs_f64() / 60.0;
    let (names, count) = (names.len(), Count::of(chosen));
    eprintln!("{names} tests in {minutes:.1} minutes: {count}");
    tests?;
    ensure!(all_fired, "a case's tests passed without its fault");
    ensure!(time <= LIMIT, "the tests took longer than {LIMIT:?}");
    Ok(())
}

/// Prints what was skipped, what did not happen and what is not held; returns whether every fault
/// happened that could.
fn report(notes: &Notes, chosen: &[&Case]) -> bool {
    notes.print_skipped();
    let mut all_fired = true;
    for case in chosen.iter().filter(|case| !case.tests.is_empty()) {
        if notes.has_fired(case.id, case.tests) {
            continue;
        }
        let is_skipped = notes.all_skipped(case.tests);
        let what = if is_skipped {
            "skipped"
        } else {
            "did not happen"
        };
        eprintln!("{what}: {} {}", case.id, case.fault);
        all_fired &= is_skipped;
    }
    for case in chosen {
        if let State::Open(what) | State::Partly(what) = case.state() {
            eprintln!("not held: {} {}: {what}", case.id, case.fault);
        }
    }
    all_fired
}
