//! How a manifest is read: it comes from a bucket, so nothing in it is trusted.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read};

use serde::de::DeserializeOwned;

use crate::failure::ExitStatus;

/// The version of the manifest format.
pub const FORMAT_VERSION: u32 = 2;

/// The oldest version of the format that can be read.
const OLDEST_VERSION: u32 = 1;
/// Size limit of a manifest, when written and when read.
pub const MAX_MANIFEST_BYTES: u64 = 1 << 30;
/// Size limit of one string in a manifest, as written: fields that are not needed are skipped
/// unread, but the parser holds each string while reading it. A legacy manifest was one string as a
/// whole.
const MAX_TEXT_BYTES: usize = 64 << 20;
/// Limit on the number of data files in one manifest.
pub const MAX_FILES: usize = 1_000_000;
/// Limit on the number of splits in one run.
pub const MAX_SPLITS: usize = 100_000;
/// Limit on the indexes of one collection, as in MongoDB.
pub const MAX_INDEXES: usize = 64;
/// Size limit, in bytes, of the text of one index or of a collection's options.
pub const MAX_DEFINITION_BYTES: usize = 1 << 20;
/// Size limit of a name in bytes; S3 allows 1,024 bytes for the whole key.
const MAX_NAME: usize = 900;

/// Why a manifest is refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not JSON of the expected form.
    #[error("the manifest is not in a format that this tool reads")]
    Form(#[source] serde_json::Error),
    /// It is too large.
    #[error("the manifest has {0} bytes, more than the {MAX_MANIFEST_BYTES} allowed")]
    Size(u64),
    /// It was written by a later version.
    #[error(
        "the manifest has format version {0}, this tool reads {OLDEST_VERSION} to {FORMAT_VERSION}"
    )]
    Version(u32),
    /// A name that could escape the run's folder, or that is malformed.
    #[error("the manifest names `{}`, which is not a relative path of plain segments", .0.escape_debug())]
    Name(String),
    /// Two objects with the same name.
    #[error("the manifest names `{0}` twice")]
    Twice(String),
    /// A copy of another run's manifest.
    #[error("the manifest belongs to another run, `{0}`")]
    OtherRun(crate::settings::RunId),
    /// Something larger or more numerous than any run can have.
    #[error("the manifest has too many or too large `{0}`")]
    Excess(&'static str),
    /// Numbers that do not add up.
    #[error("the manifest contradicts itself in `{0}`")]
    Contradiction(&'static str),
    /// Numbers that are too large to add up.
    #[error("the manifest's numbers are too large")]
    Overflow,
}

impl ManifestError {
    /// A later version is not damage. Everything else is, since callers first ask which tool wrote
    /// the manifest.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Version(_) => ExitStatus::Failed,
            _ => ExitStatus::Integrity,
        }
    }
}

/// Parses JSON as a stream; `serde_json` limits its depth to 128.
pub(super) fn parse<M: DeserializeOwned>(source: impl Read) -> Result<M, ManifestError> {
    let source = BoundedTexts {
        source,
        most: MAX_TEXT_BYTES,
        is_inside: false,
        is_escaped: false,
        len: 0,
    };
    serde_json::from_reader(BufReader::new(source)).map_err(ManifestError::Form)
}

/// Reads only the fields that `M` has from a manifest, which is untrusted input.
///
/// # Errors
/// It is not JSON of that form.
pub fn read_fields<M: DeserializeOwned>(source: impl Read) -> Result<M, ManifestError> {
    parse(source)
}

pub(super) fn missing(field: &'static str) -> ManifestError {
    ManifestError::Form(serde::de::Error::missing_field(field))
}

/// A reader of JSON that fails when a string in it is too large.
struct BoundedTexts<R> {
    source: R,
    most: usize,
    is_inside: bool,
    is_escaped: bool,
    len: usize,
}

impl<R: Read> Read for BoundedTexts<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        for byte in &buffer[..count] {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_inside => self.is_escaped = true,
                b'"' => (self.is_inside, self.len) = (!self.is_inside, 0),
                _ => {}
            }
            self.len += usize::from(self.is_inside);
            if self.len > self.most {
                return Err(io::Error::other("a string in it is too long"));
            }
        }
        Ok(count)
    }
}

pub(super) fn check_version(version: u32) -> Result<(), ManifestError> {
    if (OLDEST_VERSION..=FORMAT_VERSION).contains(&version) {
        Ok(())
    } else {
        Err(ManifestError::Version(version))
    }
}

/// The names seen so far.
#[derive(Debug, Default)]
pub(super) struct Names<'a>(BTreeSet<&'a str>);

impl<'a> Names<'a> {
    pub(super) fn add(&mut self, name: &'a str) -> Result<(), ManifestError> {
        let plain = |segment: &str| {
            !matches!(segment, "" | "." | "..") && !segment.chars().any(char::is_control)
        };
        if name.len() > MAX_NAME || !name.split('/').all(plain) {
            return Err(ManifestError::Name(name.to_owned()));
        }
        if self.0.len() >= MAX_FILES {
            return Err(ManifestError::Excess("files"));
        }
        if !self.0.insert(name) {
            return Err(ManifestError::Twice(name.to_owned()));
        }
        Ok(())
    }
}

/// Limits the texts that define a collection; their reader has to check what they say.
///
/// # Errors
/// More indexes than a collection can have, or a text that is too large.
pub fn check_definition(indexes: &[String], options: Option<&str>) -> Result<(), ManifestError> {
    let is_large = |text: &str| text.len() > MAX_DEFINITION_BYTES;
    if indexes.len() > MAX_INDEXES || indexes.iter().any(|index| is_large(index)) {
        return Err(ManifestError::Excess("indexes"));
    }
    if options.is_some_and(is_large) {
        return Err(ManifestError::Excess("options"));
    }
    Ok(())
}

/// Checks the numbers and document counts of the splits against the manifest's totals.
pub(super) fn check_splits(
    splits: impl ExactSizeIterator<Item = (u32, u64)>,
    num_splits: u64,
    total_documents: u64,
) -> Result<(), ManifestError> {
    let count = splits.len();
    let (ids, documents): (BTreeSet<_>, Vec<_>) = splits.unzip();
    if count as u64 != num_splits {
        return Err(ManifestError::Contradiction("num_splits"));
    }
    if ids.len() != count {
        return Err(ManifestError::Contradiction("split_id"));
    }
    if sum(documents)? != total_documents {
        return Err(ManifestError::Contradiction("total_documents"));
    }
    Ok(())
}

pub(super) fn sum(numbers: impl IntoIterator<Item = u64>) -> Result<u64, ManifestError> {
    let sum = numbers.into_iter().try_fold(0_u64, u64::checked_add);
    sum.filter(|&sum| i64::try_from(sum).is_ok())
        .ok_or(ManifestError::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_be_a_relative_path_of_plain_segments() {
        let mut names = Names::default();
        for name in [
            "a",
            "a/b.parquet",
            "split_0.parquet/part-00000-00000.parquet",
        ] {
            assert!(names.add(name).is_ok(), "{name}");
        }
        assert!(matches!(names.add("a"), Err(ManifestError::Twice(_))));
        for name in [
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/../b",
            "a/.",
            "a\nb",
            &"x".repeat(901),
        ] {
            assert!(
                matches!(Names::default().add(name), Err(ManifestError::Name(_))),
                "{name}"
            );
        }
    }

    #[test]
    fn too_many_files_are_not_blamed_on_one_name() {
        let all: Vec<_> = (0..=MAX_FILES).map(|number| number.to_string()).collect();
        let mut names = Names::default();
        let (last, others) = all.split_last().unwrap();
        assert!(others.iter().all(|name| names.add(name).is_ok()));
        let refused = names.add(last);
        assert!(matches!(refused, Err(ManifestError::Excess("files"))));
    }

    #[test]
    fn indexes_and_options_have_a_size_limit() {
        let (small, large) = ("{}".to_owned(), "x".repeat(MAX_DEFINITION_BYTES + 1));
        assert!(check_definition(&vec![small.clone(); MAX_INDEXES], Some(&small)).is_ok());
        for indexes in [
            vec![small.clone(); MAX_INDEXES + 1],
            vec![small, large.clone()],
        ] {
            let refused = check_definition(&indexes, None);
            assert!(matches!(refused, Err(ManifestError::Excess("indexes"))));
        }
        let refused = check_definition(&[], Some(&large));
        assert!(matches!(refused, Err(ManifestError::Excess("options"))));
    }

    #[test]
    fn sums_do_not_wrap() {
        assert_eq!(sum([1, 2]).unwrap(), 3);
        assert!(matches!(sum([u64::MAX, 1]), Err(ManifestError::Overflow)));
        assert!(matches!(sum([1 << 63]), Err(ManifestError::Overflow)));
    }

    #[test]
    fn an_oversized_string_is_an_error_but_many_small_ones_are_fine() {
        let read = |text: &str| {
            let mut source = BoundedTexts {
                source: text.as_bytes(),
                most: 9,
                is_inside: false,
                is_escaped: false,
                len: 0,
            };
            source.read_to_end(&mut Vec::new()).is_ok()
        };
        assert!(read(
            r#"{"a\"b": ["12345678", "12345678"], "long": 1234567890123}"#
        ));
        assert!(!read(r#"{"a": "123456789"}"#));
        assert!(!read(r#"{"a": "1234\"678901"}"#));
    }

    #[test]
    fn deep_or_broken_json_is_an_error() {
        let deep = "[".repeat(100_000);
        assert!(matches!(
            parse::<serde_json::Value>(deep.as_bytes()),
            Err(ManifestError::Form(_))
        ));
        assert!(matches!(
            parse::<u32>(&b"{"[..]),
            Err(ManifestError::Form(_))
        ));
    }
}
