//! `lob-upload verify RUN`: is everything that the manifest promises still there, and still the same?

use lob_core::cli::{Context, Outcome};
use lob_core::settings::RunId;
use serde_json::json;

use crate::committed::{failed_line, find};
use crate::settings::Settings;

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
    let committed = find(id, settings, context).await?;
    let verifying = committed.verify(full, &*context.progress, async |_| Ok(None));
    let verified = context.interrupt.or(verifying).await?;
    let (mut lines, mut json) = (verified.lines(), verified.json());
    lines.extend(failed_line(&committed.manifest));
    json["failed"] = json!(committed.manifest.num_failed);
    json["metrics"] = json!(context.metrics.snapshot());
    Ok(Outcome::answer(lines, json))
}
