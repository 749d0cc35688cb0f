//! What tests note while they run: which faults happened, which tests could not run here, and which
//! servers they ran on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use lob_testkit::TEST_NOTES;
use tempfile::TempDir;

/// The file that tests append their notes to.
pub(crate) struct NotesFile {
    path: PathBuf,
    _folder: TempDir,
}

impl NotesFile {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("notes");
        Ok(Self {
            path,
            _folder: folder,
        })
    }

    /// The variable that tells tests where it is.
    pub(crate) fn variable(&self) -> (&'static str, String) {
        (TEST_NOTES, self.path.display().to_string())
    }

    /// What the tests have noted so far.
    pub(crate) fn read(&self) -> Notes {
        // Without a note there is no file.
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let mut notes = Notes::default();
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            let (kind, test, text) = (words.next(), words.next(), words.next());
            let (Some(test), Some(text)) = (test, text) else {
                continue;
            };
            let (name, text) = (name_of(test).to_owned(), text.to_owned());
            match kind {
                Some("fired") => {
                    notes.fired.insert((text, name));
                }
                Some("real") => {
                    notes.real.insert(test.to_owned());
                }
                Some("double") => {
                    let tests = notes.doubles.entry(text).or_default();
                    tests.insert(test.to_owned());
                }
                _ => {
                    notes.skipped.insert(name, text);
                }
            }
        }
        notes
    }
}

/// The last segment of a test's path.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// What the tests noted.
#[derive(Default)]
pub(crate) struct Notes {
    /// Pairs of a case and the test that provoked it.
    fired: BTreeSet<(String, String)>,
    /// The reason by test.
    skipped: BTreeMap<String, String>,
    /// The tests that had a real server.
    real: BTreeSet<String>,
    /// By reason, the tests that had a double although there were real servers.
    doubles: BTreeMap<String, BTreeSet<String>>,
}

impl Notes {
    /// Whether one of these tests provoked the case.
    pub(crate) fn has_fired(&self, case: &str, tests: &[&str]) -> bool {
        let mut tests = tests.iter();
        tests.any(|test| self.fired.contains(&(case.to_owned(), (*test).to_owned())))
    }

    /// Whether none of these tests could run here.
    pub(crate) fn all_skipped(&self, tests: &[&str]) -> bool {
        tests.iter().all(|test| self.skipped.contains_key(*test))
    }

    pub(crate) fn print_skipped(&self) {
        for (test, reason) in &self.skipped {
            eprintln!("skipped: {test}: {reason}");
        }
    }

    /// Whether any test had a real server.
    pub(crate) fn has_real(&self) -> bool {
        !self.real.is_empty()
    }

    /// Prints how many tests had real servers, and how many had a double and why.
    pub(crate) fn print_servers(&self) {
        let doubles: BTreeSet<_> = self.doubles.values().flatten().collect();
        let only = doubles.iter().filter(|test| !self.real.contains(**test));
        let (real, only) = (self.real.len(), only.count());
        let beside = doubles.len() - only;
        eprintln!(
            "{real} tests ran on real servers ({beside} of them on a double too), {only} on doubles only:"
        );
        for (reason, tests) in &self.doubles {
            eprintln!("on a double: {reason}: {} tests", tests.len());
        }
    }
}
