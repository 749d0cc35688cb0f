//! `lob-upload verify RUN`: is everything that the manifest promises still there, and still the same?

use std::io::Read;

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::cli::{Context, Outcome};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::hash::{Sha256, Sha256Hasher};
use lob_core::manifest::{DataFile, MAX_MANIFEST_BYTES, ManifestError, PublishedUpload};
use lob_core::progress::Work;
use lob_core::run::{OpenRun, RunId, RunLocation};
use lob_core::store::{Sending, Store, StoreError, StoreErrorKind};

use crate::settings::Settings;

/// Objects that are looked at at once.
const OBJECTS_AT_ONCE: usize = 16;

/// Asks the server for every object of the run; with `full` downloads and hashes each as well.
///
/// # Errors
/// A run that does not exist; objects that are not what the manifest says, exit status 3.
pub(crate) async fn verify(
    id: RunId,
    full: bool,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<Outcome> {
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
    let files: Vec<DataFile> = manifest
        .files
        .iter()
        .map(|file| file.file.clone())
        .collect();
    let bytes: u64 = files.iter().map(|file| file.size_bytes).sum();
    context.progress.begin(Work {
        bytes: full.then_some(bytes),
        items: Some(files.len() as u64),
        unit: "files",
    });
    let looking = futures::stream::iter(&files)
        .map(|file| difference(&run, file, full, context))
        .buffered(OBJECTS_AT_ONCE)
        .try_collect::<Vec<_>>();
    let looked = context.interrupt.or(looking).await?;
    let differing: Vec<String> = looked.into_iter().flatten().collect();
    let id = run.location.id();
    if !differing.is_empty() {
        let message = format!(
            "run `{id}` is not what its manifest says:\n{}",
            differing.join("\n")
        );
        return Err(Failure::integrity(message).into());
    }
    let how = match full {
        true => "every byte was read and hashed",
        false => "size, checksum and token of every object were asked for",
    };
    let mut text = format!(
        "run       {id}\n\
         files     {}\n\
         size      {:.2} MiB\n\
         verified  {how}\n",
        files.len(),
        manifest.total_size_mb
    );
    if manifest.num_failed > 0 {
        let failed = manifest.num_failed;
        text += &format!("failed    {failed} files that the run was published without\n");
    }
    let json = serde_json::json!({
        "run_id": id,
        "failed": manifest.num_failed,
        "files": files.len(),
        "bytes": bytes,
        "full": full,
        "verified": true,
        "metrics": context.metrics.snapshot(),
    });
    Ok(Outcome::new(text, json))
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

/// Says how an object is not what the manifest says, if it is not.
async fn difference(
    run: &OpenRun,
    file: &DataFile,
    full: bool,
    context: &Context,
) -> Result<Option<String>, StoreError> {
    let mut difference = run.difference(file).await?;
    if full && difference.is_none() {
        difference = hash_differs(run, file, context).await?;
    }
    context.progress.advance(0, 1);
    Ok(difference)
}

/// Says if the bytes of an object are not those of the manifest.
async fn hash_differs(
    run: &OpenRun,
    file: &DataFile,
    context: &Context,
) -> Result<Option<String>, StoreError> {
    let key = run.key(&file.key);
    let url = run.store.url(&key);
    match hash(run, &key, context).await {
        Ok(sha256) if sha256 == file.sha256 => Ok(None),
        Ok(_) => Ok(Some(format!("`{url}` has another SHA-256"))),
        Err(error)
            if matches!(
                error.kind,
                StoreErrorKind::NotFound | StoreErrorKind::Integrity
            ) =>
        {
            Ok(Some(format!(
                "`{url}` went away or changed while it was read"
            )))
        }
        Err(error) => Err(error),
    }
}

async fn hash(run: &OpenRun, key: &str, context: &Context) -> Result<Sha256, StoreError> {
    let mut body = run.store.get(key).await?;
    let mut hasher = Sha256Hasher::default();
    while let Some(bytes) = body.next().await? {
        hasher.update(&bytes);
        context.progress.advance(bytes.len() as u64, 0);
    }
    Ok(hasher.finish())
}
