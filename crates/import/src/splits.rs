//! The splits of a run as an import needs them, for our own runs and legacy ones.

use lob_core::checksum::Digest;
use lob_core::checksum::Sha256;
use lob_core::manifest::{ExportedFile, PublishedSplit};
use lob_mongo::Definition;

use crate::documents::Documents;
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
pub(crate) struct DataFile {
    /// Its key, relative to the run's folder.
    pub(crate) key: String,
    pub(crate) size_bytes: u64,
    /// What the manifest says about its bytes and documents; `None` for a legacy run.
    pub(crate) recorded: Option<Recorded>,
}

/// What a data file must contain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorded {
    pub(crate) sha256: Sha256,
    pub(crate) documents: Documents,
}

impl DataFile {
    /// Message for an object that does not exist.
    pub(crate) fn is_gone(&self, url: &str) -> String {
        format!("`{url}` is missing, but the manifest lists it")
    }

    /// Message for an object of the wrong size.
    pub(crate) fn has_size(&self, url: &str, found: u64) -> String {
        let size = self.size_bytes;
        format!("`{url}` has {found} bytes, the manifest says {size}")
    }
}

impl Split {
    /// The split described by one of our own manifests.
    pub(crate) fn exported(split: PublishedSplit) -> Self {
        let file = |file: ExportedFile| DataFile {
            key: file.file.key,
            size_bytes: file.file.size_bytes,
            recorded: Some(Recorded {
                sha256: file.file.sha256,
                documents: Documents {
                    count: file.rows,
                    digest: file.digest,
                },
            }),
        };
        Self {
            split_id: split.split_id,
            num_documents: split.num_documents,
            digest: Some(split.digest),
            definition: Definition {
                indexes: split.indexes,
                options: split.options,
            },
            files: split.files.into_iter().map(file).collect(),
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
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}
