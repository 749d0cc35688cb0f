//! The manifest: the last object of a run, and all that a reader needs to know about it.
//!
//! It keeps the fields of the legacy scripts and adds ours (docs/MANIFEST.md). A manifest that is
//! read is untrusted input: [`ManifestError`] says what is refused.

pub mod bounded;
mod export;
mod head;
mod legacy;
mod local_copy;
mod published_export;
mod published_upload;
mod reading;
mod sizes;
mod statistics;
mod time;
mod upload;

pub use self::statistics::{NameRoom, Role, Statistics};

use serde::Serialize;

pub use export::{
    Consistency, ExportManifest, ExportedFile, ExportedSplit, PIPELINE_STAGE, SplitColumn,
    split_folder,
};
pub use head::ManifestHead;
pub use legacy::{LegacyManifest, LegacySplit, RecordedChecksum};
pub use local_copy::keep_local_copy;
pub use published_export::{PublishedExport, PublishedSplit};
pub use published_upload::{PublishedFile, PublishedUpload};
pub use reading::{
    FORMAT_VERSION, MAX_DEFINITION_BYTES, MAX_FILES, MAX_INDEXES, MAX_MANIFEST_BYTES, MAX_SPLITS,
    ManifestError, check_definition, read_fields,
};
pub use upload::{FailedFile, UploadManifest, UploadedFile};

use crate::metrics::MetricsSnapshot;
use crate::store::{EndpointCapabilities, Verified, WriteToken, WrittenObject};
use crate::transfer::Contents;

/// Where the run was written, as the legacy scripts recorded it. No reader relies on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// The folder of runs.
    pub prefix: String,
    /// The region.
    pub region: String,
}

/// What every manifest of ours contains.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunFacts {
    /// [`FORMAT_VERSION`]; the legacy manifests have none.
    pub format_version: u32,
    /// The tool that wrote the run.
    pub tool: String,
    /// The version of that tool.
    pub tool_version: String,
    /// Marks every object of the run.
    pub write_token: WriteToken,
    /// When the plan was made.
    pub started: jiff::Timestamp,
    /// When the manifest was made.
    pub finished: jiff::Timestamp,
    /// What the endpoint can do.
    pub endpoint: EndpointCapabilities,
    /// The settings that shaped the bytes.
    pub settings: serde_json::Value,
    /// What the run had cost by the time the manifest was made.
    pub metrics: MetricsSnapshot,
}

/// One object that holds data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// Its key, relative to the run's folder.
    pub key: String,
    /// The bytes that were sent; the server attests their CRC64NVME.
    #[serde(flatten)]
    pub contents: Contents,
    /// The ETag that the server assigned.
    pub etag: String,
    /// The version of the object, if the bucket keeps versions.
    pub version_id: Option<String>,
    /// How the server's copy was proved.
    pub verified: Verified,
}

impl DataFile {
    /// A data file that the server has acknowledged.
    pub fn new(key: String, contents: Contents, object: &WrittenObject) -> Self {
        Self {
            key,
            contents,
            etag: object.etag.clone(),
            version_id: object.version_id.clone(),
            verified: object.verified,
        }
    }
}
