//! `lob-upload cleanup RUN`: lists and aborts the multipart uploads for the keys of the run's plan,
//! with the parts that the server has.

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::cli::{Cleanup, Context, Leftover, Outcome};
use lob_core::run::OpenRun;
use lob_core::settings::RunId;
use lob_core::store::{ListedPart, StoreError, StoreErrorKind};
use lob_core::text::{counted, mebibytes};
use serde::Serialize;

use crate::plan::{TOOL, UploadWork};
use crate::settings::Settings;

/// How many keys to look up at once.
const KEYS_AT_ONCE: usize = 16;

/// The parts of an open upload; `None` if the server cannot list parts, though it has them.
#[derive(Debug, Serialize)]
struct Parts {
    parts: Option<usize>,
    bytes: Option<u64>,
}

impl Parts {
    fn of(listed: Option<&[ListedPart]>) -> Self {
        Self {
            parts: listed.map(<[_]>::len),
            bytes: listed.map(|parts| parts.iter().map(|part| part.size).sum()),
        }
    }

    fn shown(&self) -> String {
        match (self.parts, self.bytes) {
            (Some(parts), Some(bytes)) => {
                format!("{}, {}, ", counted(parts, "part"), mebibytes(bytes))
            }
            _ => "an unknown number of parts, ".to_owned(),
        }
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
    let cleaning = Cleanup::of(id.clone(), yes, &settings.s3, TOOL, context, leftovers);
    let cleanup = cleaning.await?;
    let mut lines = cleanup.lines(Parts::shown);
    let uploads = counted(cleanup.leftovers.len(), "upload");
    lines.push(match (cleanup.leftovers.len(), yes, cleanup.is_committed) {
        (0, ..) => format!("run `{id}` left no uploads open"),
        (_, true, _) => format!("aborted {uploads} of run `{id}`"),
        (_, false, true) => format!("run `{id}` left {uploads} open; abort with --yes"),
        (_, false, false) => format!(
            "run `{id}` left {uploads} open and is not complete; resume it with `--run-id {id}`, \
             or abort its uploads with --yes"
        ),
    });
    if !cleanup.is_committed {
        let folder = cleanup.run.store.url(&cleanup.run.key(""));
        lines.push(format!("complete objects stay below `{folder}`"));
    }
    Ok(cleanup.outcome(lines))
}

async fn leftovers(run: &OpenRun, work: &UploadWork) -> anyhow::Result<Vec<Leftover<Parts>>> {
    let found: Vec<Vec<_>> = futures::stream::iter(work.uploads())
        .map(|name| of_object(run, run.key(&name)))
        .buffered(KEYS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

async fn of_object(run: &OpenRun, key: String) -> Result<Vec<Leftover<Parts>>, StoreError> {
    let mut found = Vec::new();
    for upload in run.store.open_uploads(&key).await? {
        let listed = match run.store.list_parts(&key, &upload.id).await {
            Ok(parts) => Some(parts),
            Err(error) if error.kind == StoreErrorKind::Unsupported => None,
            // It has just been completed or aborted.
            Err(error) if error.kind == StoreErrorKind::NoSuchUpload => continue,
            Err(error) => return Err(error),
        };
        found.push(Leftover {
            key: key.clone(),
            upload,
            details: Parts::of(listed.as_deref()),
        });
    }
    Ok(found)
}
