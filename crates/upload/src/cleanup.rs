//! `lob-upload cleanup RUN`: lists and aborts the multipart uploads that a run left open in the
//! bucket, where they take up space and cost money unseen.

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::cli::{Context, Outcome};
use lob_core::run::{FoundRun, OpenRun, RunLocation, abort_uploads};
use lob_core::settings::RunId;
use lob_core::store::{ListedPart, OpenUpload, Sending, Store, StoreError, StoreErrorKind};
use lob_core::text::{MIB, counted};

use crate::plan::{TOOL, UploadWork};
use crate::settings::Settings;

/// How many keys to look up at once.
const KEYS_AT_ONCE: usize = 16;

/// An open upload and the parts the server has for it.
struct Leftover {
    key: String,
    upload: OpenUpload,
    /// `None` if the server cannot list parts; it has them all the same.
    parts: Option<Vec<ListedPart>>,
}

impl Leftover {
    fn bytes(&self) -> Option<u64> {
        let parts = self.parts.as_ref()?;
        Some(parts.iter().map(|part| part.size).sum())
    }
}

/// Lists the open multipart uploads for the plan's keys and aborts them if `yes` is set.
///
/// # Errors
/// The run has no plan, or the store fails.
pub(crate) async fn cleanup(
    id: RunId,
    yes: bool,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<Outcome> {
    context.step(format!("looking for open uploads of run `{id}`"));
    let connecting = Store::connect(&settings.s3, Sending::default(), &context.metrics);
    let store = context.interrupt.or(connecting).await?;
    let location = RunLocation::new(settings.s3.runs_folder()?, id.clone());
    let finding = FoundRun::<UploadWork>::find_planned(&store, location.clone(), TOOL);
    let found = context.interrupt.or(finding).await?;
    let names = found.plan.work.uploads();
    let leftovers = context.interrupt.or(leftovers(&found.run, &names)).await?;
    if yes {
        let uploads = leftovers.iter().map(|l| (l.key.as_str(), &l.upload.id));
        abort_uploads(&store, uploads, &context.interrupt).await?;
    }
    Ok(outcome(
        &id,
        &store,
        &leftovers,
        yes,
        found.manifest.is_some(),
        &location.key(""),
    ))
}

async fn leftovers(run: &OpenRun, names: &[String]) -> Result<Vec<Leftover>, StoreError> {
    let found: Vec<Vec<Leftover>> = futures::stream::iter(names)
        .map(async |name| {
            let key = run.key(name);
            let mut found = Vec::new();
            for upload in run.store.open_uploads(&key).await? {
                let parts = match run.store.list_parts(&key, &upload.id).await {
                    Ok(parts) => Some(parts),
                    Err(error) if error.kind == StoreErrorKind::Unsupported => None,
                    // It has just been completed or aborted.
                    Err(error) if error.kind == StoreErrorKind::NoSuchUpload => continue,
                    Err(error) => return Err(error),
                };
                let key = key.clone();
                found.push(Leftover { key, upload, parts });
            }
            Ok(found)
        })
        .buffered(KEYS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

fn outcome(
    id: &RunId,
    store: &Store,
    leftovers: &[Leftover],
    aborted: bool,
    committed: bool,
    folder: &str,
) -> Outcome {
    let mut lines = Vec::new();
    for leftover in leftovers {
        let since = leftover.upload.initiated;
        let parts = match (&leftover.parts, leftover.bytes()) {
            (Some(parts), Some(bytes)) => {
                let parts = counted(parts.len(), "part");
                format!("{parts}, {:.2} MiB", bytes as f64 / MIB)
            }
            _ => "an unknown number of parts".to_owned(),
        };
        lines.push(format!(
            "{}  {parts}, open since {}",
            store.url(&leftover.key),
            since.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
        ));
    }
    let uploads = counted(leftovers.len(), "upload");
    lines.push(match (leftovers.len(), aborted, committed) {
        (0, ..) => format!("run `{id}` left no uploads open"),
        (_, true, _) => format!("aborted {uploads} of run `{id}`"),
        (_, false, true) => format!("run `{id}` left {uploads} open; abort with --yes"),
        (_, false, false) => format!(
            "run `{id}` left {uploads} open and is not complete; resume it with `--run-id {id}`, \
             or abort its uploads with --yes"
        ),
    });
    if !committed {
        let folder = store.url(folder);
        lines.push(format!("complete objects stay below `{folder}`"));
    }
    let uploads: Vec<_> = leftovers
        .iter()
        .map(|leftover| {
            serde_json::json!({
                "key": leftover.key,
                "upload_id": leftover.upload.id,
                "initiated": leftover.upload.initiated,
                "parts": leftover.parts.as_ref().map(Vec::len),
                "bytes": leftover.bytes(),
            })
        })
        .collect();
    let json = serde_json::json!({
        "run_id": id,
        "committed": committed,
        "aborted": aborted,
        "uploads": uploads,
    });
    match aborted {
        true => Outcome::step(lines, json),
        false => Outcome::answer(lines, json),
    }
}
