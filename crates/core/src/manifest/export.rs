//! The manifest of an export.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DataFile, RunFacts, S3Config};
use crate::checksum::{Crc, Digest, Documents, Sha256};
use crate::settings::RunId;
use crate::store::Verified;
use crate::transfer::Contents;

/// The number that the legacy pipeline gives this step.
pub const PIPELINE_STAGE: u32 = 14;

/// The manifest of an export, as written. `Tree` describes the columns of a split, and `Counts`
/// what is counted about them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportManifest<Tree, Counts> {
    /// The id of the run.
    pub run_id: RunId,
    /// When the run was started.
    pub export_timestamp: jiff::Timestamp,
    /// Always 14.
    pub pipeline_stage: u32,
    /// The database that was exported. No import relies on it.
    pub database: String,
    /// Whether all splits were exported rather than some by number; missing in earlier manifests.
    pub all_splits: bool,
    /// The number of splits.
    pub num_splits: u64,
    /// Always `parquet`.
    pub format: String,
    /// The compression of Parquet pages, as configured.
    pub compression: String,
    /// Where the run was written.
    pub s3_config: S3Config,
    /// The splits, by number.
    pub splits: Vec<ExportedSplit<Tree, Counts>>,
    /// Documents in all splits.
    pub total_documents: u64,
    /// What every manifest contains.
    #[serde(flatten)]
    pub run: RunFacts,
}

/// One exported split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportedSplit<Tree, Counts> {
    /// The number of the split.
    pub split_id: u32,
    /// The collection that was exported. No import relies on it.
    pub collection: String,
    /// The address of its folder.
    pub s3_path: String,
    /// The number of documents.
    pub num_documents: u64,
    /// Documents by role; keys as Python's `json` writes them.
    pub role_distribution: BTreeMap<String, u64>,
    /// Documents whose roles are not listed because there are too many.
    pub further_roles: u64,
    /// The names of top-level fields, sorted by code point.
    pub schema_fields: Vec<String>,
    /// Whether there are more names than are listed.
    pub has_further_fields: bool,
    /// The length of `features` in the document with the smallest `_id`.
    pub feature_length: Option<u64>,
    /// The legacy checksum over the statistics.
    pub checksum: String,
    /// The digest of all documents.
    pub digest: Digest,
    /// Documents that do not fit the columns entirely: the rest is in `_lob_bson`.
    pub residual_rows: u64,
    /// The columns of every data file of the split, for human readers.
    pub columns: Vec<SplitColumn>,
    /// The same in the form of the plan, for the plan of the next run; missing in version 1.
    pub column_tree: Tree,
    /// What the columns could not hold, as `lob_columns::ColumnCounts`; missing in version 1.
    pub column_counts: Counts,
    /// The indexes of the collection, each as the server lists it, in canonical extended JSON. They
    /// are text because the order of their fields matters.
    pub indexes: Vec<String>,
    /// The options of the collection, in the same form, if it has any.
    pub options: Option<String>,
    /// The number of `_id` ranges that the split was cut into.
    pub ranges: u32,
    /// The point in time that the documents reflect.
    pub consistency: Consistency,
    /// The data files, in the order of their documents.
    pub files: Vec<ExportedFile>,
}

/// A column of a split, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SplitColumn {
    /// Its path.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The point in time that the documents of a split reflect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// Each document as it was when the scan reached it.
    Live,
    /// All documents as they were at one point of the server's cluster time.
    Snapshot {
        /// Seconds since 1970.
        seconds: u32,
        /// Counts the operations within that second.
        increment: u32,
    },
}

/// One data file of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Fields")]
pub struct ExportedFile {
    /// Its documents, one per row.
    #[serde(flatten)]
    pub documents: Documents,
    /// Documents that do not fit the columns entirely: the rest is in `_lob_bson`.
    pub residual_rows: u64,
    /// The object.
    #[serde(flatten)]
    pub file: DataFile,
}

impl AsRef<DataFile> for ExportedFile {
    fn as_ref(&self) -> &DataFile {
        &self.file
    }
}

/// The folder of a split's data files, relative to the run's folder.
pub fn split_folder(split_id: u32) -> String {
    format!("split_{split_id}.parquet/")
}

/// A data file as written, on one level. `flatten` would hold the values of unknown fields in
/// memory, and whoever wrote the manifest decides how large those are.
#[derive(Deserialize)]
struct Fields {
    rows: u64,
    digest: Digest,
    residual_rows: u64,
    key: String,
    size_bytes: u64,
    sha256: Sha256,
    crc64nvme: Crc,
    etag: String,
    version_id: Option<String>,
    verified: Verified,
}

impl From<Fields> for ExportedFile {
    fn from(fields: Fields) -> Self {
        Self {
            documents: Documents {
                count: fields.rows,
                digest: fields.digest,
            },
            residual_rows: fields.residual_rows,
            file: DataFile {
                key: fields.key,
                contents: Contents {
                    size_bytes: fields.size_bytes,
                    sha256: fields.sha256,
                    crc64nvme: fields.crc64nvme,
                },
                etag: fields.etag,
                version_id: fields.version_id,
                verified: fields.verified,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_file_is_written_on_one_level_and_read_back_without_unknown_fields() {
        let written = r#"{"rows":3,"digest":"000000000000000000000000000000ff","residual_rows":1,"key":"split_0.parquet/part-00000-00000.parquet","size_bytes":7,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","crc64nvme":"AAAAAAAAAAA=","etag":"e-1","version_id":null,"verified":"full-object-crc64nvme"}"#;
        let file: ExportedFile = serde_json::from_str(written).unwrap();
        assert_eq!(serde_json::to_string(&file).unwrap(), written);
        let more = written.replacen('{', r#"{"later":[[{}]],"#, 1);
        assert_eq!(serde_json::from_str::<ExportedFile>(&more).unwrap(), file);
    }
}
