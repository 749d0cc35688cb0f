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
    /// How many documents the manifest says there are.
    pub(crate) num_documents: u64,
    /// The digest of them all; a legacy run has none.
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
    /// What the manifest says of its bytes and documents; that of a legacy run says nothing.
    pub(crate) recorded: Option<Recorded>,
}

/// What a data file must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorded {
    pub(crate) sha256: Sha256,
    pub(crate) documents: Documents,
}

impl DataFile {
    /// Says that there is no such object.
    pub(crate) fn is_gone(&self, url: &str) -> String {
        format!("`{url}` is not there, the manifest says that it is")
    }

    /// Says that the object has another size.
    pub(crate) fn has_size(&self, url: &str, found: u64) -> String {
        let size = self.size_bytes;
        format!("`{url}` has {found} bytes, the manifest says {size}")
    }
}

impl Split {
    /// The split that our own manifest describes.
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

    /// By how many documents the split may differ. What has digests may not.
    pub(crate) fn tolerance(&self, settings: &ImportSettings) -> u64 {
        match self.digest {
            Some(_) => 0,
            None => settings.count_tolerance.of(self.num_documents),
        }
    }

    /// Size of all data files.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}
