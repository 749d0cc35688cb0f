//! The latest of the committed runs below a prefix.

use std::io::Read;

use jiff::{SignedDuration, Timestamp};

use super::committed_runs;
use super::list::{Listed, RunSummary, Writer};
use crate::failure::{ExitStatus, Failure};
use crate::manifest::ManifestHead;
use crate::settings::{Prefix, RunId};
use crate::store::Store;

/// Clocks differ by less than this.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// What to do when jobs ask for the latest run and a run that may be the latest cannot be read.
pub const FOR_JOBS: &str = "move it away, or give your jobs a run id yourself";

/// Warns of a run whose clock was ahead: it would stay the latest until its time has come.
fn warn_of_clock(id: &RunId, time: Timestamp) {
    let tomorrow = Timestamp::now()
        .checked_add(A_DAY)
        .unwrap_or(Timestamp::MAX);
    if time > tomorrow {
        tracing::warn!(
            "run `{id}` counts as the latest, but its time, {time}, is in the future: the machine \
             that wrote it had a wrong clock, and newer runs are ignored"
        );
    }
}

/// The run with the latest time in its manifest. A run that cannot be read may be the latest:
/// falling back to the one before it would pass old data off as new.
///
/// # Errors
/// There is no run, or one cannot be read (the hint is then `way_out`); any error of the store.
pub async fn latest_run(
    store: &Store,
    folder: &Prefix,
    writer: Writer,
    way_out: &str,
) -> anyhow::Result<(RunId, RunSummary)> {
    let url = store.url(&folder.folder());
    let mut latest: Option<(RunId, RunSummary)> = None;
    let read = |manifest: &mut dyn Read| ManifestHead::read(manifest);
    for (id, head) in committed_runs(store, folder, read).await? {
        match Listed::committed(&id, head, writer) {
            Listed::Own(summary) => {
                if latest
                    .as_ref()
                    .is_none_or(|(_, last)| summary.time >= last.time)
                {
                    latest = Some((id, summary));
                }
            }
            Listed::OtherTool(tool) => tracing::info!(run = %id, "skipped: `{tool}` wrote it"),
            Listed::Uncommitted(_) => {}
            Listed::Unreadable(error) => {
                let message =
                    format!("run `{id}` below `{url}` cannot be read, and may be the latest");
                return Err(Failure::new(ExitStatus::of(&error), message)
                    .with_hint(way_out)
                    .caused_by(error)
                    .into());
            }
        }
    }
    if let Some((id, summary)) = &latest {
        warn_of_clock(id, summary.time);
    }
    latest.ok_or_else(|| {
        Failure::new(ExitStatus::Failed, format!("there is no run below `{url}`"))
            .with_hint("check --bucket and --prefix")
            .into()
    })
}
