//! What tests note while they run: which faults happened, and which tests could not run here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use lob_testkit::TEST_NOTES;
use tempfile::TempDir;

/// The file that tests append their notes to.
pub(super) struct NotesFile {
    path: PathBuf,
    _folder: TempDir,
}

impl NotesFile {
    pub(super) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("notes");
        Ok(Self {
            path,
            _folder: folder,
        })
    }

    /// The variable that tells tests where it is.
    pub(super) fn variable(&self) -> [(&'static str, String); 1] {
        [(TEST_NOTES, self.path.display().to_string())]
    }

    /// What the tests have noted so far.
    pub(super) fn read(&self) -> Notes {
        // Without a note there is no file.
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let mut notes = Notes::default();
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            let (kind, test, text) = (words.next(), words.next(), words.next());
            let (Some(test), Some(text)) = (test, text) else {
                continue;
            };
            let test = name_of(test).to_owned();
            match kind {
                Some("fired") => {
                    notes.fired.insert((text.to_owned(), test));
                }
                _ => {
                    notes.skipped.insert(test, text.to_owned());
                }
            }
        }
        notes
    }
}

/// The last segment of a test's path.
pub(super) fn name_of(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// What the tests noted.
#[derive(Default)]
pub(super) struct Notes {
    /// Pairs of a case and the test that provoked it.
    fired: BTreeSet<(String, String)>,
    /// The reason by test.
    skipped: BTreeMap<String, String>,
}

impl Notes {
    /// Whether one of these tests provoked the case.
    pub(super) fn has_fired(&self, case: &str, tests: &[&str]) -> bool {
        let mut tests = tests.iter();
        tests.any(|test| self.fired.contains(&(case.to_owned(), (*test).to_owned())))
    }

    /// Whether none of these tests could run here.
    pub(super) fn all_skipped(&self, tests: &[&str]) -> bool {
        tests.iter().all(|test| self.skipped.contains_key(*test))
    }

    pub(super) fn print_skipped(&self) {
        for (test, reason) in &self.skipped {
            eprintln!("skipped: {test}: {reason}");
        }
    }
}
