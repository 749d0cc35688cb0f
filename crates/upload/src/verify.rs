//! `lob-upload verify RUN`: is everything that the manifest promises still there, and still the same?

use std::io;

use futures::{StreamExt as _, TryStreamExt as _};
use lob_core::cli::{Context, Outcome};
use lob_core::manifest::DataFile;
use lob_core::progress::{Measure, Work};
use lob_core::settings::RunId;

use crate::committed::CommittedRun;
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
    let committed = CommittedRun::find(id, settings, context).await?;
    let (files, bytes) = (committed.files().len(), committed.bytes());
    context.progress.begin(Work {
        bytes: full.then_some(bytes),
        items: Some(files as u64),
        unit: "files",
        is_estimate: false,
        measure: if full { Measure::Bytes } else { Measure::Items },
    });
    let looking = futures::stream::iter(committed.files())
        .map(|file| difference(&committed, file, full, context))
        .buffered(OBJECTS_AT_ONCE)
        .try_collect::<Vec<_>>();
    let looked = context.interrupt.or(looking).await?;
    context.progress.end();
    committed.refuse(looked.into_iter().flatten().collect())?;
    let how = match full {
        true => "every byte was read and hashed",
        false => "size, checksum and token of every object match",
    };
    let (id, manifest) = (committed.run.location.id(), &committed.manifest);
    let mut lines = vec![
        format!("run       {id}"),
        format!("files     {files}"),
        format!("size      {:.2} MiB", manifest.total_size_mb),
        format!("verified  {how}"),
    ];
    lines.extend(committed.failed_line());
    let json = serde_json::json!({
        "run_id": id,
        "failed": manifest.num_failed,
        "files": files,
        "bytes": bytes,
        "full": full,
        "verified": true,
        "metrics": context.metrics.snapshot(),
    });
    Ok(Outcome::answer(lines, json))
}

/// Says how an object is not what the manifest says, if it is not.
async fn difference(
    committed: &CommittedRun,
    file: &DataFile,
    full: bool,
    context: &Context,
) -> anyhow::Result<Option<String>> {
    let mut difference = committed.run.difference(file).await?;
    if full && difference.is_none() {
        difference = committed
            .download(file, context, || Ok(io::sink()))
            .await?
            .err();
    }
    context.progress.advance(0, 1);
    Ok(difference)
}
