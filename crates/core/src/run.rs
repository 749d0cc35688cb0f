//! A run: its id, the location of its objects, its plan (the first object) and its commit (the
//! last).
//!
//! A run exists if and only if its manifest does. The plan is written before anything else and
//! claims the run id; the manifest is written once everything else is proved.

mod attest;
mod committed;
mod facts;
mod latest;
mod leftovers;
mod list;
mod plan;
mod probe;
mod published;
mod shrink;
mod strays;
mod verify;

pub use self::shrink::{DEFAULT_MAX_SHRINK, Shrunk};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

pub use attest::{Attested, Claim};
pub use committed::{CommittedRun, RunManifest, missing_run};
pub use latest::{FOR_JOBS, latest_run};
pub(crate) use leftovers::abort_uploads;
pub(crate) use list::{Content, Listed, list_runs};
pub use list::{RunSummary, Writer};
pub use plan::{FoundRun, Plan, begun};
pub use published::{committed_runs, read_manifest};
pub use strays::is_hidden;
pub use verify::VerifiedRun;

use crate::failure::Failure;
use crate::manifest::{DataFile, MAX_MANIFEST_BYTES, ManifestError};
use crate::settings::{Prefix, RunId};
use crate::store::Verified;
use crate::store::{Expected, ObjectInfo, RunStore, StoreError, StoreErrorKind};

/// How many objects to ask for at once before the commit.
const HEADS_AT_ONCE: usize = 16;

/// The name of the manifest, relative to the run's folder.
pub const MANIFEST_NAME: &str = "manifest.json";
/// The name of the plan, relative to the run's folder.
pub const PLAN_NAME: &str = "_progress/plan.json";
/// The folder of the plan and the records, relative to the run's folder.
pub const PROGRESS_FOLDER: &str = "_progress";

/// Where a run is: `s3://{bucket}/{prefix}/{run_id}/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLocation {
    prefix: Prefix,
    id: RunId,
}

impl RunLocation {
    /// The run `id` below `prefix`.
    pub fn new(prefix: Prefix, id: RunId) -> Self {
        Self { prefix, id }
    }

    /// The run's id.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The folder of runs.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// The key of an object of the run; `name` is relative to the run's folder.
    pub fn key(&self, name: &str) -> String {
        format!("{}{}/{name}", self.prefix.folder(), self.id)
    }

    /// The key of the manifest.
    pub fn manifest_key(&self) -> String {
        self.key(MANIFEST_NAME)
    }

    /// The key of the plan.
    pub fn plan_key(&self) -> String {
        self.key(PLAN_NAME)
    }
}

/// Proof that the server has every data file of a run, without which there is no commit.
#[derive(Debug)]
pub struct Proved(());

/// The result of a commit: a run is published once, by one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed<T> {
    /// This process published it: the bytes of the manifest, and what a reader makes of them.
    Now(Bytes, T),
    /// Another process of the same run was first, with this manifest.
    Before(Bytes),
}

/// A run whose plan is written.
#[derive(Debug, Clone)]
pub struct OpenRun {
    /// The bucket, used according to what its endpoint can do.
    pub store: RunStore,
    /// Where the run is.
    pub location: RunLocation,
    /// When the plan was made.
    pub started: jiff::Timestamp,
}

impl OpenRun {
    /// The key of an object of the run; `name` is relative to the run's folder.
    pub fn key(&self, name: &str) -> String {
        self.location.key(name)
    }

    /// What the object of a data file of this run has to be.
    pub fn expected<'a>(&'a self, file: &'a DataFile) -> Expected<'a> {
        Expected {
            size: file.contents.size_bytes,
            crc: file.contents.crc64nvme,
            token: self.store.token(),
            proof: file.verified,
            // With a CRC, which proves more, or an ETag that proves nothing, the same bytes may
            // have been written again.
            etag: (file.verified == Verified::PartMd5).then_some(&file.etag),
        }
    }

    /// Asks the server for every data file: each must be what was sent.
    ///
    /// # Errors
    /// A data file that differs, exit status 3; any error of the store.
    pub async fn prove(&self, files: &[DataFile]) -> anyhow::Result<Proved> {
        let asked: Vec<_> = futures::stream::iter(files)
            .map(|file| self.difference(file))
            .buffered(HEADS_AT_ONCE)
            .try_collect()
            .await?;
        match asked.into_iter().flatten().next() {
            None => Ok(Proved(())),
            Some(difference) => Err(Failure::integrity(difference).into()),
        }
    }

    /// Publishes the run by writing the manifest.
    ///
    /// The manifest is serialised once, and before it is sent, `read` checks it by the reader's own
    /// rules. If no answer comes, nobody knows whether the run exists. If another process of the
    /// same run was faster, its manifest stands.
    ///
    /// # Errors
    /// A manifest that a reader would refuse; any error of the store.
    pub async fn commit<M, T>(
        &self,
        _: Proved,
        manifest: M,
        read: impl FnOnce(&[u8]) -> Result<T, ManifestError>,
    ) -> anyhow::Result<Committed<T>>
    where
        M: serde::Serialize,
    {
        let bytes = Bytes::from(serde_json::to_vec(&manifest)?);
        drop(manifest);
        let size = bytes.len() as u64;
        let is_read = match size > MAX_MANIFEST_BYTES {
            true => Err(ManifestError::Size(size)),
            false => read(&bytes),
        };
        let published = is_read.map_err(|error| {
            let message = "the manifest of this run could not be read back";
            Failure::integrity(message).lasting().caused_by(error)
        })?;
        let key = self.location.manifest_key();
        let put = self.store.put_new(&key, bytes.clone()).await;
        match put {
            Ok(_) => Ok(Committed::Now(bytes, published)),
            Err(error) if error.kind == StoreErrorKind::AlreadyExists => {
                match self.manifest().await? {
                    Some(other) => Ok(Committed::Before(other)),
                    None => Err(error.into()),
                }
            }
            Err(error) => Err(match error.kind {
                StoreErrorKind::Timeout | StoreErrorKind::Unreachable | StoreErrorKind::Proxy => {
                    error.of_kind(StoreErrorKind::Unknown)
                }
                _ => error,
            }
            .into()),
        }
    }

    /// The manifest, if another process of this run has written it.
    ///
    /// # Errors
    /// Any error of the store.
    pub(crate) async fn manifest(&self) -> Result<Option<Bytes>, StoreError> {
        let key = self.location.manifest_key();
        let Some(info) = self.store.head(&key).await? else {
            return Ok(None);
        };
        if info.token.as_ref() != Some(self.store.token()) {
            let (kind, url) = (StoreErrorKind::AlreadyExists, self.store.url(&key));
            let detail = "another run wrote it";
            return Err(StoreError::new(kind, "HeadObject", url, detail));
        }
        Ok(Some(self.store.get_small(&key, MAX_MANIFEST_BYTES).await?))
    }

    /// Asks the server for a data file, and says how it differs from what was sent, if it does.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn difference(&self, file: &DataFile) -> Result<Option<String>, StoreError> {
        let key = self.key(&file.key);
        let expected = self.expected(file);
        let found = match self.store.head(&key).await? {
            Some(info) if expected.is(&info) => return Ok(None),
            Some(ObjectInfo { token: None, .. }) => "it has no write token",
            Some(info) if info.token.as_ref() != Some(self.store.token()) => {
                "another process wrote it"
            }
            Some(ObjectInfo { crc: None, .. }) if file.verified == Verified::FullObjectCrc => {
                "the server has no CRC64NVME of it"
            }
            Some(_) => "its size, CRC64NVME, ETag or write token on the server is different",
            None => "it is missing",
        };
        let url = self.store.url(&key);
        Ok(Some(format!("`{url}` is not what was sent: {found}")))
    }

    /// Aborts every open multipart upload of these objects, given by names relative to the run's
    /// folder. Call it once the objects exist: any upload still open was then left behind by a
    /// killed process or a lost reply.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn abort_leftovers(&self, names: &[String]) -> Result<u64, StoreError> {
        futures::stream::iter(names)
            .map(async |name| {
                let key = self.key(name);
                let open = self.store.open_uploads(&key).await?;
                for upload in &open {
                    self.store.abort_multipart(&key, &upload.id).await?;
                }
                Ok(open.len() as u64)
            })
            .buffer_unordered(HEADS_AT_ONCE)
            .try_fold(0, async |sum, count| Ok(sum + count))
            .await
    }
}
