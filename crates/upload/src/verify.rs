//! `lob-upload verify RUN`: checks that everything the manifest promises is still there and
//! unchanged.

use lob_core::cli::{Context, Outcome};
use lob_core::settings::RunId;
use serde_json::json;

use crate::committed::{failed_line, find};
use crate::settings::Settings;

/// Checks every object of the run with the server; with `full`, also downloads and hashes each one.
///
/// # Errors
/// A run that does not exist, or objects that are not what the manifest says (exit status 3).
pub(crate) async fn verify(
    id: RunId,
    full: bool,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let committed = find(id, settings, context).await?;
    let verifying = committed.verify(full, &*context.progress, async |_| Ok(None), Vec::new());
    let verified = context.interrupt.or(verifying).await?;
    let (mut lines, mut json) = (verified.lines(), verified.json());
    lines.extend(failed_line(&committed.manifest));
    json["failed"] = json!(committed.manifest.num_failed);
    json["metrics"] = json!(context.metrics.snapshot());
    Ok(Outcome::answer(lines, json))
}
