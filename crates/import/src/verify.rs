//! `lob-import verify RUN`: checks that the target collections still hold what the manifest says.
//!
//! Every document is read and the digests are compared. A legacy run has no digest, so its
//! documents are only counted.

use lob_core::checksum::{Digest, Documents};
use lob_core::cli::{Context, Outcome};
use lob_core::failure::Failure;
use lob_core::progress::{Measure, Work};
use lob_core::settings::RunId;
use lob_core::text::counted;
use lob_mongo::{Database, Error};
use serde_json::json;

use crate::check::{READ_AHEAD, read_back};
use crate::choose::{Chosen, choose};
use crate::runs::ChosenRun;
use crate::settings::ImportSettings;
use crate::splits::Split;

/// A target collection that matches the manifest.
struct VerifiedSplit {
    split_id: u32,
    target: String,
    documents: u64,
    /// The digest of all documents read; `None` if they were only counted.
    digest: Option<Digest>,
}

/// Compares every target collection with its split of run `id`.
///
/// # Errors
/// A run that does not exist; collections that are not what the manifest says (exit status 3);
/// server errors.
pub(crate) async fn verify(
    id: &RunId,
    settings: &ImportSettings,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let Chosen { run, database, .. } = choose(settings, Some(id), false, context).await?;
    let verifying = verify_splits(&run, &database, settings, context);
    let verified = context.interrupt.or(verifying).await?;
    Ok(outcome(id, settings, &verified, context))
}

async fn verify_splits(
    run: &ChosenRun,
    database: &Database,
    settings: &ImportSettings,
    context: &Context,
) -> anyhow::Result<Vec<VerifiedSplit>> {
    let splits = run.select(&settings.split)?;
    context.progress.begin(Work {
        bytes: None,
        items: Some(splits.iter().map(|split| split.num_documents).sum()),
        unit: "documents",
        is_estimate: false,
        measure: Measure::Items,
    });
    let (mut verified, mut differing) = (Vec::new(), Vec::new());
    for split in splits {
        let target = settings.collection_pattern.name(split.split_id);
        match verify_split(split, target, database, settings, context).await? {
            Ok(split) => verified.push(split),
            Err(difference) => differing.push(difference),
        }
    }
    context.progress.end();
    if differing.is_empty() {
        return Ok(verified);
    }
    let id = run.location.id();
    let message = format!("the target collections do not match run `{id}`:");
    Err(Failure::integrity(message).with_details(differing).into())
}

/// The verified collection, or how it differs from the manifest.
async fn verify_split(
    split: &Split,
    target: String,
    database: &Database,
    settings: &ImportSettings,
    context: &Context,
) -> Result<Result<VerifiedSplit, String>, Failure> {
    let collection = match database.collection(&target).await {
        Ok(Some(collection)) => collection,
        Ok(None) => return Ok(Err(format!("`{}.{target}` is missing", database.name()))),
        Err(error @ (Error::View { .. } | Error::TimeSeries { .. })) => {
            return Ok(Err(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    let namespace = collection.namespace();
    let (documents, digest) = match split.digest {
        Some(expected) => {
            let scan = collection.read_back(READ_AHEAD).await?;
            let Documents { count, digest } = read_back(scan, &*context.progress).await?;
            if digest != expected {
                let told = split.num_documents;
                return Ok(Err(format!(
                    "`{namespace}` has {} with the digest {digest}, the manifest says {told} with \
                     {expected}",
                    counted(count, "document")
                )));
            }
            (count, Some(digest))
        }
        None => (collection.exact_count().await?, None),
    };
    let expected = split.num_documents;
    if documents.abs_diff(expected) > split.tolerance(settings) {
        return Ok(Err(format!(
            "`{namespace}` has {}, the manifest says {expected}",
            counted(documents, "document")
        )));
    }
    Ok(Ok(VerifiedSplit {
        split_id: split.split_id,
        target,
        documents,
        digest,
    }))
}

fn outcome(
    id: &RunId,
    settings: &ImportSettings,
    verified: &[VerifiedSplit],
    context: &Context,
) -> Outcome {
    let documents: u64 = verified.iter().map(|split| split.documents).sum();
    let database = &settings.database;
    let mut lines = vec![format!(
        "run {id}: `{database}` has {} of {} as the manifest says",
        counted(documents, "document"),
        counted(verified.len(), "split")
    )];
    lines.extend(verified.iter().map(|split| {
        let how = match split.digest {
            Some(digest) => format!("all read, digest {digest}"),
            None => "counted: a legacy run has no digest".to_owned(),
        };
        format!(
            "  {}: {}, {how}",
            split.target,
            counted(split.documents, "document")
        )
    }));
    let json = json!({
        "run_id": id,
        "database": database,
        "documents": documents,
        "splits": verified.iter().map(|split| json!({
            "split_id": split.split_id,
            "collection": split.target,
            "documents": split.documents,
            "digest": split.digest.map(|digest| digest.to_string()),
        })).collect::<Vec<_>>(),
        "verified": true,
        "metrics": context.metrics.snapshot(),
    });
    Outcome::answer(lines, json)
}
