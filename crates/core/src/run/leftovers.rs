//! Runs that left uploads open: finds one by its plan, of whatever version, and aborts its uploads.

use serde::de::DeserializeOwned;

use super::{FoundRun, RunLocation};
use crate::failure::{ExitStatus, Failure};
use crate::interrupt::Interrupt;
use crate::store::{Store, UploadId};

/// The oldest version of the plan format whose uploads are found.
const OLDEST_PLAN: u32 = 1;

impl<W: DeserializeOwned> FoundRun<W> {
    /// Finds the run at `location`, which must have a plan; a plan of an older version will do.
    ///
    /// # Errors
    /// A run without a plan; those of [`FoundRun::find`].
    pub(crate) async fn find_planned(
        store: &Store,
        location: RunLocation,
        tool: &str,
    ) -> anyhow::Result<Self> {
        let (id, url) = (location.id().clone(), store.url(&location.plan_key()));
        let finding = Self::find_version(store, location, tool, OLDEST_PLAN);
        finding.await?.ok_or_else(|| {
            let message = format!("run `{id}` has no plan: `{url}` does not exist");
            Failure::new(ExitStatus::Failed, message)
                .with_hint("check --prefix")
                .into()
        })
    }
}

/// Aborts these multipart uploads, each given with its key. A failure does not stop the rest.
///
/// # Errors
/// The last failure, once all were tried; an interrupt at once.
pub(crate) async fn abort_uploads<'a>(
    store: &Store,
    uploads: impl Iterator<Item = (&'a str, &'a UploadId)>,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let mut failed = None;
    for (key, id) in uploads {
        match interrupt.or(store.abort_multipart(key, id)).await {
            Err(error) if ExitStatus::of(&error).is_interrupt() => return Err(error),
            Err(error) => {
                tracing::warn!("{error:#}");
                failed = Some(error);
            }
            Ok(()) => {}
        }
    }
    match failed {
        Some(error) => Err(error.context("not every upload was aborted")),
        None => Ok(()),
    }
}
