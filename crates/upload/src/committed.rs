//! A run that is committed, and the bytes of its objects as its manifest has them.

use std::io::{self, Read, Write};

use lob_core::checksum::{MAX_DOWNLOADS, Sha256, Sha256Hasher};
use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{
    DataFile, MAX_MANIFEST_BYTES, ManifestError, ManifestHead, PublishedUpload,
};
use lob_core::progress::{Hidden, Progress};
use lob_core::run::{OpenRun, RunLocation};
use lob_core::settings::RunId;
use lob_core::store::{Bandwidth, Sending, Store, StoreError, StoreErrorKind};
use lob_core::text::counted;

use crate::plan::TOOL;
use crate::settings::Settings;

/// A run and its manifest.
#[derive(Debug)]
pub(crate) struct CommittedRun {
    pub(crate) run: OpenRun,
    pub(crate) manifest: PublishedUpload,
}

impl CommittedRun {
    /// Connects, and reads the manifest of the run `id`.
    ///
    /// # Errors
    /// A run that does not exist or is not complete; a manifest that is refused; the store's.
    pub(crate) async fn find(
        id: RunId,
        settings: &Settings,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let sending = Sending::receiving(Bandwidth::of(settings.parts.max_bandwidth)?);
        context.step(format!("reading the manifest of run `{id}`"));
        let connecting = Store::connect(&settings.s3, sending, &context.metrics);
        let store = context.interrupt.or(connecting).await?;
        let location = RunLocation::new(settings.s3.runs_folder()?, id);
        let reading = manifest(&store, &location);
        let manifest = context.interrupt.or(reading).await?;
        let run = OpenRun {
            store: store.writing_as(manifest.write_token.clone()),
            location,
            started: manifest.started,
        };
        Ok(Self { run, manifest })
    }

    /// The files of the run.
    pub(crate) fn files(&self) -> impl ExactSizeIterator<Item = &DataFile> {
        self.manifest.files.iter().map(|file| &file.file)
    }

    /// Size of all files in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.files().map(|file| file.size_bytes).sum()
    }

    /// Downloads an object into what `open` gives: so often that another SHA-256 cannot be the way's
    /// doing, and into another each time. Says how the object is not what the manifest says, if it is
    /// not.
    ///
    /// # Errors
    /// The store's, and those of `open` and of what it gives.
    pub(crate) async fn download<W: Write>(
        &self,
        file: &DataFile,
        context: &Context,
        mut open: impl FnMut() -> io::Result<W>,
    ) -> anyhow::Result<Result<W, String>> {
        let url = self.run.store.url(&self.run.key(&file.key));
        let (mut downloads, mut shown) = (1, &*context.progress);
        loop {
            let mut target = open()?;
            let error = match self.read(file, shown, &mut target).await {
                Ok(Some(sha256)) if sha256 == file.sha256 => return Ok(Ok(target)),
                Ok(Some(_)) if downloads < MAX_DOWNLOADS => {
                    tracing::warn!("`{url}` has another SHA-256: it is fetched again");
                    (downloads, shown) = (downloads + 1, &Hidden);
                    continue;
                }
                Ok(Some(_)) => {
                    let message =
                        format!("`{url}` has another SHA-256, after {downloads} downloads");
                    return Ok(Err(message));
                }
                Ok(None) => return Ok(Err(format!("`{url}` has another size"))),
                Err(error) => error,
            };
            return match error.downcast_ref::<StoreError>().map(|error| error.kind) {
                Some(StoreErrorKind::NotFound | StoreErrorKind::Integrity) => Ok(Err(format!(
                    "`{url}` went away or changed while it was read"
                ))),
                _ => Err(error),
            };
        }
    }

    /// Hands the bytes of an object of the right size on, and gives their hash.
    async fn read(
        &self,
        file: &DataFile,
        progress: &dyn Progress,
        target: &mut impl Write,
    ) -> anyhow::Result<Option<Sha256>> {
        let mut body = self.run.store.get(&self.run.key(&file.key)).await?;
        if body.size() != file.size_bytes {
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

    /// The line of a summary that tells of files without which the run was published, if there are.
    pub(crate) fn failed_line(&self) -> Option<String> {
        match self.manifest.num_failed {
            0 => None,
            failed => Some(format!(
                "failed    {} that the run was published without",
                counted(failed, "file")
            )),
        }
    }

    /// Refuses a run of which objects are not what the manifest says.
    ///
    /// # Errors
    /// All `differences`, exit status 3.
    pub(crate) fn refuse(&self, differences: Vec<String>) -> Result<(), Failure> {
        if differences.is_empty() {
            return Ok(());
        }
        let id = self.run.location.id();
        let message = format!("run `{id}` is not what its manifest says:");
        Err(Failure::integrity(message).with_details(differences))
    }
}

async fn manifest(store: &Store, location: &RunLocation) -> anyhow::Result<PublishedUpload> {
    let (key, id) = (location.manifest_key(), location.id());
    let read = |bytes: &mut dyn Read| PublishedUpload::read(bytes);
    let manifest = match store.stream(&key, MAX_MANIFEST_BYTES, read).await {
        Err(error) if error.kind == StoreErrorKind::NotFound => {
            let is_begun = store.head(&location.plan_key()).await?.is_some();
            let (message, hint) = if is_begun {
                (
                    format!("run `{id}` is not complete"),
                    format!("the command that began it resumes it with `--run-id {id}`"),
                )
            } else {
                (
                    format!("there is no run `{id}`: `{}` is not there", store.url(&key)),
                    "check the name of the run and --prefix".to_owned(),
                )
            };
            return Err(Failure::new(ExitStatus::Failed, message)
                .with_hint(hint)
                .into());
        }
        manifest => manifest?,
    };
    let error = match manifest {
        Ok(manifest) if manifest.run_id == *id => return Ok(manifest),
        Ok(manifest) => ManifestError::OtherRun(manifest.run_id),
        Err(error) => error,
    };
    // What is of another form may be another tool's, or a later version's.
    let read = |bytes: &mut dyn Read| ManifestHead::read(bytes);
    let message = format!("manifest `{}` is refused", store.url(&key));
    let failure = match store.stream(&key, MAX_MANIFEST_BYTES, read).await? {
        Ok(head) if head.tool.as_deref() != Some(TOOL) => {
            let tool = head.tool.map(|tool| format!("`{tool}`"));
            let tool = tool.as_deref().unwrap_or("another tool");
            let message = format!("run `{id}` is no upload: {tool} wrote it");
            Failure::new(ExitStatus::Failed, message)
                .with_hint("check the name of the run and --prefix")
        }
        Err(error @ ManifestError::Version(_)) => Failure::new(ExitStatus::Failed, message)
            .with_hint("use the version that wrote it")
            .caused_by(error),
        _ => Failure::integrity(message).caused_by(error),
    };
    Err(failure.into())
}
