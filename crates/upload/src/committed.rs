//! A run that is committed, and the bytes of its objects as its manifest has them.

use std::io::{self, Read};

use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::hash::Sha256Hasher;
use lob_core::manifest::{DataFile, MAX_MANIFEST_BYTES, ManifestError, PublishedUpload};
use lob_core::run::{OpenRun, RunId, RunLocation};
use lob_core::store::{Sending, Store, StoreError, StoreErrorKind};

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
        let connecting = Store::connect(&settings.s3, Sending::default(), &context.metrics);
        let store = context.interrupt.or(connecting).await?;
        let location = RunLocation::new(settings.s3.runs_folder()?, id);
        let reading = manifest(&store, &location);
        let manifest = context.interrupt.or(reading).await?;
        let run = OpenRun {
            store,
            location,
            token: manifest.write_token.clone(),
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

    /// Downloads an object and hands its bytes to `take`. Says how it is not what the manifest says,
    /// if it is not: then what was taken is worth nothing.
    ///
    /// # Errors
    /// The store's, and those of `take`.
    pub(crate) async fn download(
        &self,
        file: &DataFile,
        context: &Context,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> anyhow::Result<Option<String>> {
        let key = self.run.key(&file.key);
        let url = self.run.store.url(&key);
        let reading = async {
            let mut body = self.run.store.get(&key).await?;
            if body.size() != file.size_bytes {
                return anyhow::Ok(None);
            }
            let mut hasher = Sha256Hasher::default();
            while let Some(bytes) = body.next().await? {
                hasher.update(&bytes);
                take(&bytes)?;
                context.progress.advance(bytes.len() as u64, 0);
            }
            Ok(Some(hasher.finish()))
        };
        let error = match reading.await {
            Ok(Some(sha256)) if sha256 == file.sha256 => return Ok(None),
            Ok(Some(_)) => return Ok(Some(format!("`{url}` has another SHA-256"))),
            Ok(None) => return Ok(Some(format!("`{url}` has another size"))),
            Err(error) => error,
        };
        match error.downcast_ref::<StoreError>().map(|error| error.kind) {
            Some(StoreErrorKind::NotFound | StoreErrorKind::Integrity) => Ok(Some(format!(
                "`{url}` went away or changed while it was read"
            ))),
            _ => Err(error),
        }
    }

    /// The line of a summary that tells of files without which the run was published, if there are.
    pub(crate) fn failed_line(&self) -> String {
        match self.manifest.num_failed {
            0 => String::new(),
            failed => format!("failed    {failed} files that the run was published without\n"),
        }
    }

    /// Refuses a run of which objects are not what the manifest says.
    ///
    /// # Errors
    /// All `differences`, exit status 3.
    pub(crate) fn refuse(&self, differences: &[String]) -> Result<(), Failure> {
        if differences.is_empty() {
            return Ok(());
        }
        let id = self.run.location.id();
        let differences = differences.join("\n");
        let message = format!("run `{id}` is not what its manifest says:\n{differences}");
        Err(Failure::integrity(message))
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
    let refused = |error: ManifestError| {
        Failure::integrity(format!("manifest `{}` is refused", store.url(&key))).caused_by(error)
    };
    let manifest = manifest.map_err(refused)?;
    if manifest.run_id != *id {
        return Err(refused(ManifestError::OtherRun(manifest.run_id)).into());
    }
    Ok(manifest)
}
