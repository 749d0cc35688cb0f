//! Selects files by globs that include and globs that exclude.
//!
//! A pattern that can never match is refused: an exclusion that excludes nothing would send what
//! should stay behind.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use lob_core::failure::Failure;

/// The end of a pattern that matches whole folders.
const EVERYTHING_BELOW: &str = "/**";

/// A choice of files by their paths below the source directory.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    /// Empty if all files are included.
    include: GlobSet,
    exclude: GlobSet,
    /// Folders that are skipped entirely.
    excluded_folders: GlobSet,
}

impl Selection {
    /// Builds a selection from patterns.
    ///
    /// # Errors
    /// Text that is not a pattern, or a pattern that matches no path below any directory.
    pub(crate) fn new(include: &[String], exclude: &[String]) -> Result<Self, Failure> {
        let folders = exclude.iter().filter_map(|pattern| {
            let folder = pattern.strip_suffix(EVERYTHING_BELOW)?;
            // Only the folder itself, unless the pattern has another slash.
            Some((pattern.as_str(), folder.to_owned()))
        });
        Ok(Self {
            include: set("include", include.iter().map(anchored))?,
            exclude: set("exclude", exclude.iter().map(anchored))?,
            excluded_folders: set("exclude", folders)?,
        })
    }

    /// Whether the file is selected; its path is relative to the source directory.
    pub(crate) fn takes(&self, file: &Path) -> bool {
        let included = self.include.is_empty() || self.include.is_match(file);
        included && !self.exclude.is_match(file)
    }

    /// Whether nothing in the folder is selected, as with `--exclude 'lost+found/**'`.
    pub(crate) fn leaves_out(&self, folder: &Path) -> bool {
        let mut ancestors = folder.ancestors();
        ancestors.any(|folder| self.excluded_folders.is_match(folder))
    }
}

/// A pattern and its glob for whole paths: without a slash, it matches a name in any folder.
fn anchored(pattern: &String) -> (&str, String) {
    let glob = if pattern.contains('/') {
        pattern.clone()
    } else {
        format!("**/{pattern}")
    };
    (pattern, glob)
}

fn set<'a>(
    key: &str,
    patterns: impl Iterator<Item = (&'a str, String)>,
) -> Result<GlobSet, Failure> {
    let mut set = GlobSetBuilder::new();
    let refused = |pattern: &str, why: &dyn std::fmt::Display| {
        Failure::usage(format!("the pattern `{pattern}` cannot be used: {why}")).about(&[key])
    };
    for (pattern, glob) in patterns {
        if pattern
            .split('/')
            .any(|name| matches!(name, "" | "." | ".."))
        {
            let why = "paths below the source directory have no empty, `.` or `..` name";
            return Err(refused(pattern, &why));
        }
        let glob = GlobBuilder::new(&glob).literal_separator(true).build();
        set.add(glob.map_err(|error| refused(pattern, error.kind()))?);
    }
    set.build().map_err(|error| {
        Failure::usage(format!("the patterns cannot be used: {error}")).about(&[key])
    })
}

#[cfg(test)]
mod tests {
    use lob_core::failure::ExitStatus;

    use super::*;

    fn selection(include: &[&str], exclude: &[&str]) -> Result<Selection, Failure> {
        let owned = |patterns: &[&str]| patterns.iter().map(|&p| p.to_owned()).collect::<Vec<_>>();
        Selection::new(&owned(include), &owned(exclude))
    }

    /// The files of a fixed tree that are selected.
    fn taken(include: &[&str], exclude: &[&str]) -> Vec<&'static str> {
        let tree = ["a.parquet", "b.parquet", "d/a.parquet", "d/e/a.parquet"];
        let selection = selection(include, exclude).unwrap();
        let taken = tree.into_iter();
        taken.filter(|f| selection.takes(Path::new(f))).collect()
    }

    #[test]
    fn a_file_is_selected_if_an_include_and_no_exclude_matches() {
        let all = ["a.parquet", "b.parquet", "d/a.parquet", "d/e/a.parquet"];
        assert_eq!(taken(&[], &[]), all);
        assert_eq!(taken(&["a*", "b*"], &[]), all);
        assert_eq!(taken(&["b*"], &[]), ["b.parquet"]);
        assert_eq!(taken(&["a*"], &["d/**"]), ["a.parquet"]);
        assert_eq!(taken(&[], &["a.parquet"]), ["b.parquet"]);
        assert_eq!(taken(&["{b,c}*"], &["c*"]), ["b.parquet"]);
        assert!(taken(&["[c-z]*"], &[]).is_empty());
    }

    #[test]
    fn a_pattern_with_a_slash_matches_the_whole_path() {
        assert_eq!(taken(&["d/*"], &[]), ["d/a.parquet"]);
        assert_eq!(taken(&["d/**"], &[]), ["d/a.parquet", "d/e/a.parquet"]);
        assert_eq!(taken(&["?/a.parquet"], &[]), ["d/a.parquet"]);
        assert_eq!(taken(&["**/e/*"], &[]), ["d/e/a.parquet"]);
        assert_eq!(taken(&["d?a.parquet", "e/*"], &[]), [""; 0]);
        assert_eq!(
            taken(&["**/a.parquet"], &[]),
            ["a.parquet", "d/a.parquet", "d/e/a.parquet"]
        );
    }

    #[test]
    fn a_folder_is_skipped_if_everything_below_it_is_excluded() {
        let selection = selection(&[], &["lost+found/**", "**/tmp/**", "d/*"]).unwrap();
        for folder in ["lost+found", "lost+found/x", "tmp", "a/tmp"] {
            assert!(selection.leaves_out(Path::new(folder)), "{folder}");
            let file = Path::new(folder).join("a.parquet");
            assert!(!selection.takes(&file), "{folder}");
        }
        for folder in ["", "a", "a/lost+found", "d", "d/e"] {
            assert!(!selection.leaves_out(Path::new(folder)), "{folder}");
        }
    }

    #[test]
    fn an_invalid_or_unmatchable_pattern_is_a_usage_error() {
        for pattern in [
            "[", "{a", "a**b/[]", "", "/a", "a/", "a//b", "./a", "../a", "a/../b",
        ] {
            for refused in [selection(&[pattern], &[]), selection(&[], &[pattern])] {
                let refused = refused.unwrap_err();
                assert_eq!(refused.status, ExitStatus::Usage);
                let named = refused.to_string().contains(&format!("`{pattern}`"));
                assert!(named, "{refused}");
            }
        }
    }
}
