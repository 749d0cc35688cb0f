//! Run ids, and the prefix below which runs are stored: names that are safe in a key.

use std::fmt;
use std::str::FromStr;

use crate::text::InvalidText;

/// S3 allows 1,024 bytes for a key; what follows the run id needs room too.
const MAX_RUN_ID: usize = 128;
const MAX_PREFIX: usize = 512;

/// The name of a run: one segment of ASCII letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(String);

impl RunId {
    /// The id of a run that starts at `time`: UTC, `%Y%m%d_%H%M%S`, as the legacy scripts made it.
    pub fn at(time: jiff::Timestamp) -> Self {
        Self(time.strftime("%Y%m%d_%H%M%S").to_string())
    }
}

impl FromStr for RunId {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = (1..=MAX_RUN_ID).contains(&text.len());
        // `_progress` and the like are our own folders, never runs; `-x` would be a flag.
        if fits && text.chars().all(allowed) && !text.starts_with(['.', '_', '-']) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidText(format!(
                "`{text}` is not a run id: 1 to {MAX_RUN_ID} letters, digits, `.`, `_` or `-`, the \
                 first a letter or a digit"
            )))
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::serialize_as_text!(RunId);

/// The folder of runs inside a bucket; empty for the bucket itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// What comes before a run id: empty, or ending with `/`.
    pub fn folder(&self) -> String {
        if self.0.is_empty() {
            String::new()
        } else {
            format!("{}/", self.0)
        }
    }
}

impl FromStr for Prefix {
    type Err = InvalidText;

    /// Trailing slashes, which people type, are ignored.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.trim_end_matches('/');
        let segments_fit = || path.split('/').all(|s| !matches!(s, "" | "." | ".."));
        let fits = path.len() <= MAX_PREFIX && !path.chars().any(char::is_control);
        if path.is_empty() || fits && segments_fit() {
            Ok(Self(path.to_owned()))
        } else {
            Err(InvalidText(format!(
                "`{text}` cannot be a prefix: use up to {MAX_PREFIX} bytes of names separated by \
                 one `/`, none of them `.` or `..`, without control characters"
            )))
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_is_one_safe_segment() {
        for id in ["20251115_093000", "a", "nightly-2025.11", &"x".repeat(128)] {
            assert!(id.parse::<RunId>().is_ok(), "{id}");
        }
        for id in [
            "",
            ".",
            "..",
            "a/b",
            "a\\b",
            "_progress",
            "-x",
            "a b",
            "é",
            "a\n",
            &"x".repeat(129),
        ] {
            assert!(id.parse::<RunId>().is_err(), "{id}");
        }
        let time = "2025-11-15T09:30:00.9Z".parse().unwrap();
        assert_eq!(RunId::at(time).to_string(), "20251115_093000");
    }

    #[test]
    fn a_prefix_is_a_clean_folder() {
        let folder = |text: &str| text.parse::<Prefix>().map(|prefix| prefix.folder()).ok();
        assert_eq!(folder("lob-data").as_deref(), Some("lob-data/"));
        assert_eq!(folder("a/b/").as_deref(), Some("a/b/"));
        assert_eq!(folder("").as_deref(), Some(""));
        for prefix in ["/a", "a//b", "a/../b", "a/./b", "a\u{0}b"] {
            assert_eq!(folder(prefix), None, "{prefix:?}");
        }
    }
}
