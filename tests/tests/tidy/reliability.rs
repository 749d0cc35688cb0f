//! The registry of faults names tests that exist, and tests name cases that exist.

use std::collections::BTreeMap;

use lob_tests::reliability::{Count, GROUPS, cases, runs_on_real_servers};

use crate::files::{SourceFile, files, none};

/// How many cases each group has.
const SIZES: [usize; 8] = [26, 20, 12, 8, 17, 8, 23, 7];

#[test]
fn every_case_is_listed_once_in_order() {
    for (group, size) in GROUPS.iter().zip(SIZES) {
        let ids: Vec<_> = group.cases.iter().map(|case| case.id.to_owned()).collect();
        let numbers = 1..=size;
        let expected: Vec<_> = numbers.map(|n| format!("{}{n}", group.letter)).collect();
        assert_eq!(ids, expected);
    }
    assert_eq!(Count::of(cases()).all, 121);
}

#[test]
fn every_case_names_tests_that_exist_once() {
    let files = files();
    let code = files.iter().filter(|file| file.is_rust());
    let mut tests = BTreeMap::<_, usize>::new();
    for name in code.flat_map(names_of_tests) {
        *tests.entry(name).or_default() += 1;
    }
    let named = cases().flat_map(|case| case.tests.iter().map(|test| (case.id, *test)));
    let breaches = named.filter_map(|(id, test)| match tests.get(test) {
        Some(1) => None,
        Some(_) => Some(format!("{id}: there are several `{test}`")),
        None => Some(format!("{id}: there is no `{test}`")),
    });
    none("tests/src/reliability:", breaches);
}

/// The names of the functions that follow a test attribute.
fn names_of_tests(file: &SourceFile) -> Vec<&str> {
    let after = file.text.split("test").skip(1);
    let tests = after.filter_map(|rest| {
        let (attribute, rest) = rest.split_once("fn ")?;
        let is_test = attribute
            .trim_end_matches("async ")
            .trim_end()
            .ends_with(']');
        let (name, _) = rest.split_once('(')?;
        (is_test && attribute.lines().count() <= 4).then_some(name)
    });
    tests.collect()
}

/// Constructors of servers that the environment may name.
const MAY_BE_REAL: [&str; 3] = [
    "Servers::start()",
    "Servers::start_with(",
    "Servers::with_faults(",
];

#[test]
fn every_suite_that_takes_real_servers_runs_on_them() {
    let files = files();
    let suites = files
        .iter()
        .filter(|file| file.path.starts_with("tests/tests/"));
    let suites = suites.filter(|file| !file.path.starts_with("tests/tests/tidy"));
    let takes = |file: &&SourceFile| MAY_BE_REAL.iter().any(|start| file.text.contains(start));
    let breaches = suites.filter(takes).filter_map(|file| {
        let path = file.path.to_string();
        (!runs_on_real_servers(&path)).then_some(path)
    });
    none("suites that e2e leaves out:", breaches);
}

#[test]
fn every_fault_that_a_test_provokes_is_a_case() {
    let files = files();
    let code = files.iter().filter(|file| file.is_rust());
    let breaches = code.flat_map(|file| {
        let calls = file.text.split("fault_fired(\"").skip(1);
        let ids = calls.filter_map(|rest| Some(rest.split_once('"')?.0));
        let unknown = ids.filter(|id| cases().all(|case| case.id != *id));
        unknown.map(|id| format!("{}: there is no case {id}", file.path))
    });
    none("fault_fired:", breaches);
}
