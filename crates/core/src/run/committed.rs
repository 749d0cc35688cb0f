//! A committed run, and the bytes of its objects as described by its manifest.

use std::io::{self, Read, Write};

use jiff::Timestamp;

use super::{OpenRun, RunLocation, read_manifest};
use crate::checksum::{MAX_DOWNLOADS, Sha256, Sha256Hasher};
use crate::failure::{ExitStatus, Failure, StoreError, StoreErrorKind};
use crate::interrupt::Interrupt;
use crate::manifest::{
    DataFile, ExportedFile, ManifestError, ManifestHead, PublishedExport, PublishedFile,
    PublishedUpload,
};
use crate::metrics::Metrics;
use crate::progress::{Hidden, Progress};
use crate::settings::{ByteSize, RunId, S3Settings};
use crate::store::{Bandwidth, Sending, Store, WriteToken};

/// The manifest of a run, as read by readers of one kind of run.
pub trait RunManifest: Sized + Send + 'static {
    /// What this kind of run is called, such as `upload`.
    const KIND: &'static str;
    /// What the manifest says about one data file.
    type File: AsRef<DataFile>;

    /// Whether `head` belongs to a run of this kind.
    fn is_of(head: &ManifestHead) -> bool;

    /// Reads a manifest as untrusted input.
    ///
    /// # Errors
    /// See [`ManifestError`].
    fn read(source: &mut dyn Read) -> Result<Self, ManifestError>;

    /// The run, its write token, and when its plan was made.
    fn run(&self) -> (&RunId, &WriteToken, Timestamp);

    /// The data files.
    fn files(&self) -> impl Iterator<Item = &Self::File>;
}

impl RunManifest for PublishedUpload {
    const KIND: &'static str = "upload";
    type File = PublishedFile;

    fn is_of(head: &ManifestHead) -> bool {
        head.is_upload()
    }

    fn read(source: &mut dyn Read) -> Result<Self, ManifestError> {
        Self::read(source)
    }

    fn run(&self) -> (&RunId, &WriteToken, Timestamp) {
        (&self.run_id, &self.write_token, self.started)
    }

    fn files(&self) -> impl Iterator<Item = &PublishedFile> {
        self.files.iter()
    }
}

impl RunManifest for PublishedExport {
    const KIND: &'static str = "export";
    type File = ExportedFile;

    fn is_of(head: &ManifestHead) -> bool {
        !head.is_legacy() && head.other_tool().is_none()
    }

    fn read(source: &mut dyn Read) -> Result<Self, ManifestError> {
        Self::read(source)
    }

    fn run(&self) -> (&RunId, &WriteToken, Timestamp) {
        (&self.run_id, &self.write_token, self.started)
    }

    fn files(&self) -> impl Iterator<Item = &ExportedFile> {
        self.splits.iter().flat_map(|split| &split.files)
    }
}

/// A committed run and its manifest.
#[derive(Debug)]
pub struct CommittedRun<M> {
    /// The run, opened for reading.
    pub run: OpenRun,
    /// Its manifest.
    pub manifest: M,
}

impl<M: RunManifest> CommittedRun<M> {
    /// Connects and reads the manifest of the run `id`. Downloads are limited to `max_bandwidth`
    /// bytes per second.
    ///
    /// # Errors
    /// A run that does not exist or is incomplete; a manifest that is refused; any error of the
    /// store.
    pub async fn find(
        id: RunId,
        s3: &S3Settings,
        max_bandwidth: Option<ByteSize>,
        metrics: &Metrics,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Self> {
        let sending = Sending::receiving(Bandwidth::of(max_bandwidth)?);
        let connecting = Store::connect(s3, sending, metrics);
        let store = interrupt.or(connecting).await?;
        let location = RunLocation::new(s3.runs_folder()?, id);
        interrupt.or(Self::read(store, location)).await
    }

    /// Reads the manifest of the run at `location`.
    ///
    /// # Errors
    /// As [`CommittedRun::find`].
    pub async fn read(store: Store, location: RunLocation) -> anyhow::Result<Self> {
        let manifest = manifest::<M>(&store, &location).await?;
        let (_, token, started) = manifest.run();
        let run = OpenRun {
            store: store.writing_as(token.clone()),
            location,
            started,
        };
        Ok(Self { run, manifest })
    }

    /// The data files of the run.
    pub fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.manifest.files().map(AsRef::as_ref)
    }

    /// Total size of the data files in bytes.
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.contents.size_bytes).sum()
    }

    /// Downloads an object into a target from `open`, a fresh one for each attempt, and often
    /// enough to rule out that a wrong SHA-256 is the fault of the transfer. Returns how the object
    /// differs from the manifest, if it does.
    ///
    /// # Errors
    /// Any error of the store, and those of `open` and its targets.
    pub async fn download<W: Write>(
        &self,
        file: &DataFile,
        progress: &dyn Progress,
        mut open: impl FnMut() -> io::Result<W>,
    ) -> anyhow::Result<Result<W, String>> {
        let url = self.run.store.url(&self.run.key(&file.key));
        let (mut downloads, mut shown) = (1, progress);
        loop {
            let mut target = open()?;
            let error = match self.hand_on(file, shown, &mut target).await {
                Ok(Some(sha256)) if sha256 == file.contents.sha256 => return Ok(Ok(target)),
                Ok(Some(_)) if downloads < MAX_DOWNLOADS => {
                    tracing::warn!("`{url}` has the wrong SHA-256: fetching it again");
                    (downloads, shown) = (downloads + 1, &Hidden);
                    continue;
                }
                Ok(Some(_)) => {
                    let message =
                        format!("`{url}` has the wrong SHA-256, after {downloads} downloads");
                    return Ok(Err(message));
                }
                Ok(None) => return Ok(Err(format!("`{url}` has the wrong size"))),
                Err(error) => error,
            };
            return match error.downcast_ref::<StoreError>().map(|error| error.kind) {
                Some(StoreErrorKind::NotFound | StoreErrorKind::Integrity) => Ok(Err(format!(
                    "`{url}` was removed or changed while it was read"
                ))),
                _ => Err(error),
            };
        }
    }

    /// Writes the bytes of an object to `target` and returns their hash, or `None` if the size is
    /// wrong.
    async fn hand_on(
        &self,
        file: &DataFile,
        progress: &dyn Progress,
        target: &mut impl Write,
    ) -> anyhow::Result<Option<Sha256>> {
        let mut body = self.run.store.get(&self.run.key(&file.key)).await?;
        if body.size() != file.contents.size_bytes {
            return Ok(None);
        }
        let mut hasher = Sha256Hasher::default();
        while let Some(bytes) = body.next().await? {
            tokio::task::block_in_place(|| {
                hasher.update(&bytes);
                target.write_all(&bytes)
            })?;
            progress.advance(bytes.len() as u64, 0);
        }
        Ok(Some(hasher.finish()))
    }

    /// Refuses a run with objects that differ from its manifest.
    ///
    /// # Errors
    /// All `differences`, exit status 3.
    pub fn refuse(&self, differences: Vec<String>) -> Result<(), Failure> {
        if differences.is_empty() {
            return Ok(());
        }
        let id = self.run.location.id();
        let message = format!("run `{id}` does not match its manifest:");
        Err(Failure::integrity(message).with_details(differences))
    }
}

async fn manifest<M: RunManifest>(store: &Store, location: &RunLocation) -> anyhow::Result<M> {
    let (key, id) = (location.manifest_key(), location.id());
    let read = |bytes: &mut dyn Read| M::read(bytes);
    let manifest = match read_manifest(store, location, read).await {
        Err(error) if error.kind == StoreErrorKind::NotFound => {
            let hint = "check the run id and --prefix";
            return Err(missing_run(store, location, hint).await?.into());
        }
        manifest => manifest?,
    };
    let error = match manifest {
        Ok(manifest) if manifest.run().0 == id => return Ok(manifest),
        Ok(manifest) => ManifestError::OtherRun(manifest.run().0.clone()),
        Err(error) => error,
    };
    // A manifest in another form may come from another tool or a later version.
    let read = |bytes: &mut dyn Read| ManifestHead::read(bytes);
    let head = read_manifest(store, location, read).await?;
    let check_name = "check the run id and --prefix";
    let message = format!("manifest `{}` cannot be used", store.url(&key));
    let failure = match head {
        Ok(head) if head.is_legacy() && head.export_timestamp.is_some() => {
            let message = format!("run `{id}` is a legacy export: it has no hashes to verify");
            Failure::new(ExitStatus::Failed, message)
                .with_hint("export again to get a run that can be verified")
        }
        Ok(head) if !M::is_of(&head) => {
            let tool = head.tool.map(|tool| format!("`{tool}`"));
            let tool = tool.as_deref().unwrap_or("another tool");
            let message = format!("run `{id}` is not an {}: {tool} wrote it", M::KIND);
            Failure::new(ExitStatus::Failed, message).with_hint(check_name)
        }
        Err(error @ ManifestError::Version(_)) => Failure::new(ExitStatus::Failed, message)
            .with_hint("use the version that wrote it")
            .caused_by(error),
        _ => Failure::integrity(message).caused_by(error),
    };
    Err(failure.into())
}

/// Explains why there is no manifest; `hint` says what to do if there is no run either.
///
/// # Errors
/// The server cannot be asked.
pub async fn missing_run(
    store: &Store,
    location: &RunLocation,
    hint: &str,
) -> Result<Failure, StoreError> {
    let id = location.id();
    let is_begun = store.head(&location.plan_key()).await?.is_some();
    let (message, hint) = if is_begun {
        (
            format!("run `{id}` is not complete"),
            format!("the command that started it resumes it with `--run-id {id}`"),
        )
    } else {
        let url = store.url(&location.manifest_key());
        (
            format!("there is no run `{id}`: `{url}` does not exist"),
            hint.to_owned(),
        )
    };
    Ok(Failure::new(ExitStatus::Failed, message).with_hint(hint))
}
