//! The repository's files, and how a rule fails.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The crates whose code ships.
pub(crate) const SHIPPED: [&str; 6] = ["core", "columns", "mongo", "upload", "export", "import"];
/// The shipped crates that are tools.
pub(crate) const TOOLS: [&str; 3] = ["upload", "export", "import"];

/// A file of the repository.
pub(crate) struct SourceFile {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs")
    }

    /// The number of lines before the unit tests at the end.
    pub(crate) fn code_lines(&self) -> usize {
        let mut lines = self.text.lines();
        lines
            .position(|line| line == "#[cfg(test)]")
            .unwrap_or(self.text.lines().count())
    }

    /// Whether it is in the `src` of the crate in folder `name`.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.path.starts_with(&format!("crates/{name}/src/"))
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All text files that git tracks.
pub(crate) fn files() -> Vec<SourceFile> {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["ls-files", "-z"]);
    let listed = git.output().expect("git lists the files");
    assert!(
        listed.status.success(),
        "`git ls-files` failed: this is no clone"
    );
    let paths = String::from_utf8(listed.stdout).unwrap();
    let paths = paths.split_terminator('\0');
    // A file may be deleted but not yet committed, or may not be text.
    let read = |path: &str| fs::read_to_string(root().join(path)).ok();
    let files = paths.filter_map(|path| {
        let path = path.to_owned();
        read(&path).map(|text| SourceFile { path, text })
    });
    files.collect()
}

/// Fails with one line per breach, if there is any.
pub(crate) fn none(rule: &str, breaches: impl IntoIterator<Item = String>) {
    let breaches: Vec<_> = breaches.into_iter().collect();
    assert!(breaches.is_empty(), "{rule}\n  {}", breaches.join("\n  "));
}
