//! Refuses to publish a split with far fewer documents than in the last run, or a missing
//! collection: an import of the latest run would replace a good collection with it, or miss one.

use lob_core::run::Shrunk;
use lob_core::settings::Percent;

use crate::manifest::Manifest;
use crate::plan::ExportPlan;

/// A run in which a split lost more documents than allowed. It stays as it is, unpublished.
#[derive(Debug, thiserror::Error)]
#[error("splits have far fewer documents than in the last run")]
pub(crate) struct TooFewDocuments;

/// Compares every split with the last run that has its collection, as recorded in the plan.
///
/// # Errors
/// A split lost more documents than allowed; the hint says how to make the command succeed.
pub(crate) fn check(
    plan: &ExportPlan,
    manifest: &Manifest,
    allowed: Percent,
) -> anyhow::Result<()> {
    let mut shrunk = Shrunk::beyond(allowed);
    for (planned, split) in plan.splits.iter().zip(&manifest.splits) {
        if let Some(before) = &planned.documents_before {
            let source = format!("run `{}` has", before.run);
            shrunk.compare(
                &split.collection,
                before.documents,
                source,
                split.num_documents,
            );
        }
    }
    for gone in &plan.gone {
        let source = format!("run `{}` has", gone.before.run);
        shrunk.compare(&gone.collection, gone.before.documents, source, 0);
    }
    let refused = shrunk.refuse("nothing is published", &manifest.run_id);
    refused.map_err(|failure| anyhow::Error::from(failure).context(TooFewDocuments))
}
