//! A run: its id, where its objects are, its plan (the first object) and its commit (the last).
//!
//! A run exists if and only if its manifest does. The plan is written before anything else and
//! claims the run id; the manifest is written after everything else was proved.

mod id;
mod plan;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

pub use id::{InvalidPrefix, InvalidRunId, Prefix, RunId};
pub use plan::Plan;

use crate::failure::Failure;
use crate::manifest::{DataFile, ManifestError};
use crate::store::{Expected, ObjectInfo, Store, StoreError, StoreErrorKind, WriteToken};

/// Objects that are asked for at once before the commit.
const HEADS_AT_ONCE: usize = 16;

/// The name of the manifest below the run's folder.
pub const MANIFEST_NAME: &str = "manifest.json";
/// The folder of the plan and the records below the run's folder.
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
        self.key(&format!("{PROGRESS_FOLDER}/plan.json"))
    }
}

/// Says that the server has every data file of a run: without it there is no commit.
#[derive(Debug)]
pub struct Proved(());

/// A run whose plan is written and whose manifest is not.
#[derive(Debug, Clone)]
pub struct OpenRun {
    /// The bucket.
    pub store: Store,
    /// Where the run is.
    pub location: RunLocation,
    /// Marks every object of the run.
    pub token: WriteToken,
    /// When the plan was made.
    pub started: jiff::Timestamp,
    /// Whether the server refused the second plan: one that does not lets two processes overwrite
    /// each other.
    pub conditional_writes: bool,
}

impl OpenRun {
    /// The key of an object of the run; `name` is relative to the run's folder.
    pub fn key(&self, name: &str) -> String {
        self.location.key(name)
    }

    /// What the object of a data file of this run must be.
    pub fn expected<'a>(&'a self, file: &DataFile) -> Expected<'a> {
        Expected {
            size: file.size_bytes,
            crc: file.crc64nvme,
            token: &self.token,
        }
    }

    /// Asks the server for every data file: each must be what was sent.
    ///
    /// # Errors
    /// A data file that is not, exit status 3; the store's.
    pub async fn prove(&self, files: &[DataFile]) -> anyhow::Result<Proved> {
        futures::stream::iter(files)
            .map(|file| self.check(file))
            .buffer_unordered(HEADS_AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(Proved(()))
    }

    /// Publishes the run: writes the manifest.
    ///
    /// It is serialised once, and read back by the reader's own rules with `read` before it is
    /// sent. Where no answer comes, nobody knows whether the run exists.
    ///
    /// # Errors
    /// A manifest that a reader would refuse; the store's.
    pub async fn commit<M, T>(
        &self,
        _: Proved,
        manifest: &M,
        read: impl FnOnce(&[u8]) -> Result<T, ManifestError>,
    ) -> anyhow::Result<Bytes>
    where
        M: serde::Serialize,
    {
        let bytes = Bytes::from(serde_json::to_vec_pretty(manifest)?);
        read(&bytes).map_err(|error| {
            Failure::integrity("the manifest of this run would not be readable").caused_by(error)
        })?;
        let key = self.location.manifest_key();
        let put = self.store.put_new(&key, bytes.clone(), &self.token).await;
        put.map_err(|error| match error.kind {
            StoreErrorKind::Timeout | StoreErrorKind::Unreachable => {
                error.of_kind(StoreErrorKind::Unknown)
            }
            _ => error,
        })?;
        Ok(bytes)
    }

    async fn check(&self, file: &DataFile) -> anyhow::Result<()> {
        let key = self.key(&file.key);
        let info = self.store.head(&key).await?;
        if info
            .as_ref()
            .is_some_and(|info: &ObjectInfo| self.expected(file).is(info))
        {
            return Ok(());
        }
        let found = match info {
            Some(ObjectInfo { crc: None, .. }) => "the server keeps no CRC64NVME of it",
            Some(_) => "the server has another size, CRC64NVME or write token",
            None => "it is not there",
        };
        let url = self.store.url(&key);
        Err(Failure::integrity(format!("`{url}` is not what was sent: {found}")).into())
    }
}

/// All committed runs below `prefix`, in the order of their ids: of each what `read` makes of its
/// manifest, or of the error that kept it from being read. One manifest a request is in memory.
///
/// # Errors
/// A list that cannot be read.
pub async fn committed_runs<T>(
    store: &Store,
    prefix: &Prefix,
    size_limit: u64,
    read: impl Fn(&RunId, Result<Bytes, StoreError>) -> T,
) -> Result<Vec<(RunId, T)>, StoreError> {
    let folders = store.folders(&prefix.folder()).await?;
    let ids = folders
        .into_iter()
        .filter_map(|folder| folder.parse::<RunId>().ok());
    let mut runs: Vec<_> = futures::stream::iter(ids)
        .map(|id| async {
            let key = RunLocation::new(prefix.clone(), id.clone()).manifest_key();
            (id, store.get_small(&key, size_limit).await)
        })
        .buffer_unordered(HEADS_AT_ONCE)
        .filter_map(async |(id, manifest)| match manifest {
            // A folder without a manifest is a run that does not exist (yet).
            Err(error) if error.kind == StoreErrorKind::NotFound => None,
            manifest => Some((id.clone(), read(&id, manifest))),
        })
        .collect()
        .await;
    runs.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(runs)
}
