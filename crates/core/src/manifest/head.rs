//! The head of a manifest: what a list of runs shows, and what tells the formats apart. The rest is
//! skipped or added up as it passes by, so that listing large runs takes no more memory.

use std::io::Read;

use serde::{Deserialize, Deserializer};

use super::reading::{ManifestError, check_version, parse};
use super::sizes::Sizes;
use super::time::timestamp;
use crate::settings::RunId;

/// The tool that writes exports.
const EXPORTER: &str = "lob-export";
/// The tool that writes uploads.
const UPLOADER: &str = "lob-upload";

/// What every manifest says about its run, in any format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestHead {
    /// The run id; a manifest of another tool may lack it.
    pub run_id: Option<RunId>,
    /// The tool that wrote it; `None` for a legacy run.
    pub tool: Option<String>,
    /// When the run was exported; `None` for an upload.
    pub export_timestamp: Option<jiff::Timestamp>,
    /// When the upload was planned; `None` for an export.
    pub started: Option<jiff::Timestamp>,
    /// The database that was exported.
    pub database: Option<String>,
    /// The number of splits.
    pub num_splits: u64,
    /// Documents in all splits of an export.
    pub total_documents: u64,
    /// Rows in all files of an upload.
    pub total_rows: u64,
    /// Data files; a legacy run does not list them.
    pub files: u64,
    /// The size of all data files.
    pub bytes: u64,
}

#[derive(Deserialize)]
struct Fields {
    format_version: Option<u32>,
    tool: Option<String>,
    run_id: Option<RunId>,
    export_timestamp: Option<String>,
    started: Option<String>,
    database: Option<String>,
    #[serde(default)]
    num_splits: Count,
    #[serde(default)]
    total_documents: Count,
    #[serde(default)]
    total_rows: Count,
    #[serde(default)]
    files: Sizes,
    #[serde(default)]
    splits: Sizes,
    /// Spark wrote the legacy manifest as the text of this field.
    manifest_json: Option<String>,
}

/// A number. Whatever else a manifest of another tool has in its place counts as zero.
#[derive(Default)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // It skips what it does not know without holding it in memory.
        Sizes::deserialize(deserializer).map(|sizes| Self(sizes.bytes))
    }
}

impl ManifestHead {
    /// Reads the head of a manifest as untrusted input.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn read(source: impl Read) -> Result<Self, ManifestError> {
        let mut fields: Fields = parse(source)?;
        if let Some(text) = fields.manifest_json.take() {
            fields = parse(text.as_bytes())?;
        }
        if let Some(version) = fields.format_version {
            check_version(version)?;
        }
        let time = |field: &'static str, text: Option<&str>| {
            let time = text.map(timestamp).transpose();
            time.map_err(|_| ManifestError::Contradiction(field))
        };
        let sizes = fields.files.plus(fields.splits);
        Ok(Self {
            run_id: fields.run_id,
            tool: fields.tool,
            export_timestamp: time("export_timestamp", fields.export_timestamp.as_deref())?,
            started: time("started", fields.started.as_deref())?,
            database: fields.database,
            num_splits: fields.num_splits.0,
            total_documents: fields.total_documents.0,
            total_rows: fields.total_rows.0,
            files: sizes.files,
            bytes: sizes.bytes,
        })
    }

    /// The tool that wrote it, if it names one other than the exporter. Legacy runs name none.
    pub fn other_tool(&self) -> Option<&str> {
        self.tool.as_deref().filter(|tool| *tool != EXPORTER)
    }

    /// Whether it is the manifest of an upload.
    pub(crate) fn is_upload(&self) -> bool {
        self.tool.as_deref() == Some(UPLOADER)
    }

    /// Whether the legacy scripts wrote it.
    pub fn is_legacy(&self) -> bool {
        self.tool.is_none()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_head_is_read_regardless_of_other_fields() {
        let read = |text: &str| ManifestHead::read(text.as_bytes());
        let ours = read(
            r#"{"splits":[{"files":[[[{}]], {"size_bytes":5}, {"size_bytes":"?"}]}, {"files":{}}, null],
                "files":true,"format_version":2,"tool":"lob-export","run_id":"r1",
                "export_timestamp":"2025-11-15T00:00:00Z","num_splits":3,"total_documents":7}"#,
        );
        let ours = ours.unwrap();
        assert!(!ours.is_legacy());
        assert_eq!((ours.num_splits, ours.total_documents), (3, 7));
        assert_eq!((ours.files, ours.bytes), (2, 5));
        let upload = r#"{"format_version":1,"tool":"lob-upload","run_id":"r1","total_rows":9,
            "files":[{"size_bytes":3},{"schema_fields":[{"size_bytes":1}],"size_bytes":4}],
            "started":"2025-11-15T00:00:00Z"}"#;
        let upload = read(upload).unwrap();
        assert!(upload.is_upload() && upload.export_timestamp.is_none());
        assert_eq!(upload.started, ours.export_timestamp);
        assert_eq!((upload.total_rows, upload.files, upload.bytes), (9, 2, 7));
        let legacy = r#"{"run_id":"r1","export_timestamp":"2025-11-15T00:00:00","num_splits":1}"#;
        let by_spark = serde_json::json!({ "manifest_json": legacy }).to_string();
        assert_eq!(read(&by_spark).unwrap(), read(legacy).unwrap());
        assert!(read(legacy).unwrap().is_legacy());
        let last = r#"{"run_id":"r1","export_timestamp":"9999-12-31T23:59:59Z"}"#;
        assert_eq!(read(last).unwrap().export_timestamp, Some(Timestamp::MAX));
        for refused in [
            r#"{"run_id":"r1","export_timestamp":"2025-13-15T00:00:00Z"}"#,
            "{",
            r#"{"run_id":"r","format_version":9,"tool":"x"}"#,
            r#"{"run_id":"a/b"}"#,
        ] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn what_another_tool_has_in_the_place_of_a_number_is_no_error() {
        for other in ["null", "-1", "\"12\"", "[[1], {\"a\": 2}]"] {
            let text = format!(r#"{{"tool":"other","total_rows":{other},"num_splits":3}}"#);
            let head = ManifestHead::read(text.as_bytes()).unwrap();
            assert_eq!(head.num_splits, 3);
            assert_eq!(head.other_tool(), Some("other"));
        }
    }
}
