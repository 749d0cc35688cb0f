//! The manifest of an export, as far as its readers need it. The rest is skipped unread.

use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::export::split_folder;
use super::reading::{
    MAX_FILES, MAX_INDEXES, MAX_SPLITS, ManifestError, Names, check_definition, check_splits,
    check_version, parse, sum,
};
use super::sizes::Total;
use super::{ExportedFile, bounded};
use crate::checksum::Digest;
use crate::settings::RunId;
use crate::store::WriteToken;

/// A committed export. `Tree` and `Counts` are the reader's types for a split's columns and for
/// what they could not hold.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(bound(deserialize = "Tree: Deserialize<'de>, Counts: Deserialize<'de>"))]
pub struct PublishedExport<Tree = IgnoredAny, Counts = IgnoredAny> {
    format_version: u32,
    /// The id of the run.
    pub run_id: RunId,
    /// Marks every object of the run.
    pub write_token: WriteToken,
    /// When the plan was made.
    #[serde(deserialize_with = "super::time::read")]
    pub started: jiff::Timestamp,
    /// The database that was exported. No import relies on it.
    pub database: String,
    num_splits: u64,
    /// The splits, by number.
    #[serde(deserialize_with = "bounded::list::<MAX_SPLITS, _, _>")]
    pub splits: Vec<PublishedSplit<Tree, Counts>>,
    /// Documents in all splits.
    pub total_documents: u64,
}

/// One exported split.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PublishedSplit<Tree = IgnoredAny, Counts = IgnoredAny> {
    /// The number of the split.
    pub split_id: u32,
    /// The collection that was exported. No import relies on it.
    pub collection: String,
    /// The number of documents.
    pub num_documents: u64,
    role_distribution: Total,
    #[serde(default)]
    further_roles: u64,
    /// The legacy checksum over the statistics.
    pub checksum: String,
    /// The digest of all documents.
    pub digest: Digest,
    /// Documents that do not fit the columns entirely.
    pub residual_rows: u64,
    /// The columns; missing in version 1.
    #[serde(default = "none")]
    pub column_tree: Option<Tree>,
    /// What the columns could not hold; missing in version 1.
    #[serde(default = "none")]
    pub column_counts: Option<Counts>,
    /// The indexes of the collection, each as the server lists it, in canonical extended JSON.
    #[serde(default, deserialize_with = "bounded::list::<MAX_INDEXES, _, _>")]
    pub indexes: Vec<String>,
    /// The options of the collection, in the same form, if it has any.
    #[serde(default)]
    pub options: Option<String>,
    /// The number of `_id` ranges that the split was cut into.
    pub ranges: u32,
    /// The data files, in the order of their documents.
    #[serde(deserialize_with = "bounded::list::<MAX_FILES, _, _>")]
    pub files: Vec<ExportedFile>,
}

fn none<T>() -> Option<T> {
    None
}

impl<Tree: DeserializeOwned, Counts: DeserializeOwned> PublishedExport<Tree, Counts> {
    /// Reads a manifest as untrusted input.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn read(source: impl Read) -> Result<Self, ManifestError> {
        let manifest: Self = parse(source)?;
        check_version(manifest.format_version)?;
        let splits = manifest.splits.iter();
        let splits = splits.map(|split| (split.split_id, split.num_documents));
        check_splits(splits, manifest.num_splits, manifest.total_documents)?;
        let files = manifest.splits.iter().flat_map(|split| &split.files);
        sum(files.map(|file| file.file.contents.size_bytes))?;
        let mut names = Names::default();
        for split in &manifest.splits {
            split.check(&mut names)?;
        }
        Ok(manifest)
    }
}

impl<Tree, Counts> PublishedSplit<Tree, Counts> {
    fn check<'a>(&'a self, names: &mut Names<'a>) -> Result<(), ManifestError> {
        let folder = split_folder(self.split_id);
        for file in &self.files {
            names.add(&file.file.key)?;
            if !file.file.key.starts_with(&folder) {
                return Err(ManifestError::Name(file.file.key.clone()));
            }
        }
        if sum(self.files.iter().map(|file| file.documents.count))? != self.num_documents {
            return Err(ManifestError::Contradiction("num_documents"));
        }
        if sum(self.files.iter().map(|file| file.residual_rows))? != self.residual_rows {
            return Err(ManifestError::Contradiction("residual_rows"));
        }
        let mut digest = Digest::default();
        for file in &self.files {
            digest.merge(file.documents.digest);
        }
        if digest != self.digest {
            return Err(ManifestError::Contradiction("digest"));
        }
        if sum([self.role_distribution.0, self.further_roles])? != self.num_documents {
            return Err(ManifestError::Contradiction("role_distribution"));
        }
        check_definition(&self.indexes, self.options.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_indexes_than_a_collection_can_have_are_refused_while_they_are_read() {
        let indexes = vec!["\"\""; MAX_INDEXES + 1].join(",");
        let manifest = format!(r#"{{"splits":[{{"indexes":[{indexes}]}}]}}"#);
        let refused = PublishedExport::<IgnoredAny, IgnoredAny>::read(manifest.as_bytes());
        let Err(ManifestError::Form(error)) = refused else {
            panic!("{refused:?}");
        };
        assert!(error.to_string().contains("more than 64"), "{error}");
    }
}
