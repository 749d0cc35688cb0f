//! The splits of a run as an import needs them, for our own runs and legacy ones.

use lob_core::checksum::Digest;
use lob_core::manifest::{ExportedFile, PublishedSplit};
use lob_mongo::Definition;

use crate::settings::ImportSettings;

/// A split of a run.
#[derive(Debug, Clone)]
pub(crate) struct Split {
    pub(crate) split_id: u32,
    /// The document count according to the manifest.
    pub(crate) num_documents: u64,
    /// The digest of all documents; a legacy run has none.
    pub(crate) digest: Option<Digest>,
    /// What the collection was built from.
    pub(crate) definition: Definition,
    pub(crate) files: Vec<DataFile>,
}

/// A data file of a split.
#[derive(Debug, Clone)]
pub(crate) enum DataFile {
    /// As the manifest describes it.
    Exported(ExportedFile),
    /// As it was listed: the manifest of a legacy run describes no data files.
    Listed {
        /// Its key, relative to the run's folder.
        key: String,
        size_bytes: u64,
    },
}

impl DataFile {
    /// Its key, relative to the run's folder.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Exported(exported) => &exported.file.key,
            Self::Listed { key, .. } => key,
        }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Exported(exported) => exported.file.contents.size_bytes,
            Self::Listed { size_bytes, .. } => *size_bytes,
        }
    }

    /// What the manifest says about it; `None` for a legacy run.
    pub(crate) fn exported(&self) -> Option<&ExportedFile> {
        match self {
            Self::Exported(exported) => Some(exported),
            Self::Listed { .. } => None,
        }
    }

    /// Message for an object that does not exist.
    pub(crate) fn is_gone(&self, url: &str) -> String {
        format!("`{url}` is missing, but the manifest lists it")
    }

    /// Message for an object of the wrong size.
    pub(crate) fn has_size(&self, url: &str, found: u64) -> String {
        let size = self.size_bytes();
        format!("`{url}` has {found} bytes, the manifest says {size}")
    }
}

impl Split {
    /// The split described by one of our own manifests.
    pub(crate) fn exported(split: PublishedSplit) -> Self {
        Self {
            split_id: split.split_id,
            num_documents: split.num_documents,
            digest: Some(split.digest),
            definition: Definition {
                indexes: split.indexes,
                options: split.options,
            },
            files: split.files.into_iter().map(DataFile::Exported).collect(),
        }
    }

    /// How many documents the split may differ by; with digests, none.
    pub(crate) fn tolerance(&self, settings: &ImportSettings) -> u64 {
        match self.digest {
            Some(_) => 0,
            None => settings.count_tolerance.of(self.num_documents),
        }
    }

    /// Total size of the data files.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.files.iter().map(DataFile::size_bytes).sum()
    }
}
