//! The manifest of an export.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::reading::{ManifestError, Names, check_definition, check_version, parse, sum};
use super::{DataFile, RunFacts, S3Config};
use crate::run::RunId;

/// The number that the original's pipeline gives this step.
const PIPELINE_STAGE: u32 = 14;

/// The manifest of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportManifest {
    /// The run.
    pub run_id: RunId,
    /// When the run was started.
    pub export_timestamp: jiff::Timestamp,
    /// Always 14.
    pub pipeline_stage: u32,
    /// The database that was exported. An import never follows it.
    pub database: String,
    /// How many splits there are.
    pub num_splits: u64,
    /// Always `parquet`.
    pub format: String,
    /// The compression of Parquet pages, as set.
    pub compression: String,
    /// Where the run was written.
    pub s3_config: S3Config,
    /// The splits, by number.
    pub splits: Vec<ExportedSplit>,
    /// Sum of the documents.
    pub total_documents: u64,
    /// What stands in every manifest.
    #[serde(flatten)]
    pub run: RunFacts,
}

/// One exported split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportedSplit {
    /// Its number.
    pub split_id: u32,
    /// The collection that was exported. An import never follows it.
    pub collection: String,
    /// The address of its folder.
    pub s3_path: String,
    /// How many documents there are.
    pub num_documents: u64,
    /// Documents by role, keys as Python's `json` writes them.
    pub role_distribution: BTreeMap<String, u64>,
    /// Documents whose roles are too many to be told one by one.
    #[serde(default)]
    pub further_roles: u64,
    /// The names of top-level fields, sorted by code point.
    pub schema_fields: Vec<String>,
    /// Whether there are more names than are told one by one.
    #[serde(default)]
    pub has_further_fields: bool,
    /// The length of `features` in the document with the smallest `_id`.
    pub feature_length: Option<u64>,
    /// The original's checksum over the statistics.
    pub checksum: String,
    /// The digest of all documents, 32 hexadecimal digits.
    pub digest: String,
    /// Documents of which not all stands in columns: the rest is in `_lob_bson`.
    pub residual_rows: u64,
    /// The columns of every data file of the split, for people.
    pub columns: Vec<SplitColumn>,
    /// The same as the plan has them, for the next run's plan; version 1 has none.
    #[serde(default)]
    pub column_tree: serde_json::Value,
    /// What the columns could not take, as `lob_columns::ColumnCounts`; version 1 has none.
    #[serde(default)]
    pub column_counts: serde_json::Value,
    /// The indexes of the collection, each as the server lists it, in canonical extended JSON: as
    /// text, because the order of its fields counts.
    #[serde(default)]
    pub indexes: Vec<String>,
    /// The options of the collection, in the same form, where it has any.
    #[serde(default)]
    pub options: Option<String>,
    /// How many ranges of `_id` it was cut into.
    pub ranges: u32,
    /// What moment the documents are of.
    pub consistency: Consistency,
    /// The data files, in the order of their documents.
    pub files: Vec<ExportedFile>,
}

/// A column of a split, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitColumn {
    /// Its path.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What moment the documents of a split are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// Each document as it was when the scan passed it.
    Live,
    /// All documents as they were at one moment of the server's cluster time.
    Snapshot {
        /// Seconds since 1970.
        seconds: u32,
        /// Counts the operations of that second.
        increment: u32,
    },
}

/// One data file of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFile {
    /// Rows, one for each document.
    pub rows: u64,
    /// The digest of its documents, 32 hexadecimal digits.
    pub digest: String,
    /// Documents of which not all stands in columns: the rest is in `_lob_bson`.
    pub residual_rows: u64,
    /// The object.
    #[serde(flatten)]
    pub file: DataFile,
}

impl ExportManifest {
    /// The number that the original's pipeline gives this step.
    pub const PIPELINE_STAGE: u32 = PIPELINE_STAGE;

    /// Reads a manifest as untrusted input.
    ///
    /// # Errors
    /// As [`ManifestError`] lists.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = parse(bytes)?;
        check_version(manifest.run.format_version)?;
        if manifest.splits.len() as u64 != manifest.num_splits {
            return Err(ManifestError::Contradiction("num_splits"));
        }
        let ids: BTreeSet<_> = manifest.splits.iter().map(|split| split.split_id).collect();
        if ids.len() != manifest.splits.len() {
            return Err(ManifestError::Contradiction("split_id"));
        }
        let documents = sum(manifest.splits.iter().map(|split| split.num_documents))?;
        if documents != manifest.total_documents {
            return Err(ManifestError::Contradiction("total_documents"));
        }
        let files = manifest.splits.iter().flat_map(|split| &split.files);
        sum(files.map(|file| file.file.size_bytes))?;
        let mut names = Names::default();
        for split in &manifest.splits {
            split.check(&mut names)?;
        }
        Ok(manifest)
    }
}

impl ExportedSplit {
    /// The folder of a split's data files below the run's folder.
    pub fn folder(split_id: u32) -> String {
        format!("split_{split_id}.parquet/")
    }

    fn check<'a>(&'a self, names: &mut Names<'a>) -> Result<(), ManifestError> {
        let folder = Self::folder(self.split_id);
        for file in &self.files {
            names.add(&file.file.key)?;
            if !file.file.key.starts_with(&folder) {
                return Err(ManifestError::Name(file.file.key.clone()));
            }
        }
        if sum(self.files.iter().map(|file| file.rows))? != self.num_documents {
            return Err(ManifestError::Contradiction("num_documents"));
        }
        if sum(self.files.iter().map(|file| file.residual_rows))? != self.residual_rows {
            return Err(ManifestError::Contradiction("residual_rows"));
        }
        let roles = self.role_distribution.values().copied();
        if sum(roles.chain([self.further_roles]))? != self.num_documents {
            return Err(ManifestError::Contradiction("role_distribution"));
        }
        check_definition(&self.indexes, self.options.as_deref())
    }
}
