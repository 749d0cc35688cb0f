//! Proves that staging holds exactly the documents of a split.
//!
//! The decoded documents match the manifest's digests, and every insert was acknowledged: what is
//! left is to ask the server what it holds.

use lob_core::checksum::Documents;
use lob_core::failure::Failure;
use lob_core::progress::{Hidden, Progress};
use lob_core::settings::ByteSize;
use lob_mongo::{Scan, Staging};

use crate::settings::{Check, ImportSettings};
use crate::splits::Split;

/// Documents to buffer while a collection is read back.
pub(crate) const READ_AHEAD: ByteSize = ByteSize::mib(16);

/// Compares the decoded documents with the manifest, and staging with the decoded documents.
///
/// # Errors
/// A difference (exit status 3), or a server error.
pub(crate) async fn check(
    split: &Split,
    decoded: Documents,
    staging: &Staging,
    settings: &ImportSettings,
) -> anyhow::Result<()> {
    let differs = |what: &str, found: String, expected: String| {
        let name = staging.name();
        Failure::integrity(format!("{what} in `{name}`: {found}, {expected}"))
    };
    let (expected, tolerance) = (split.num_documents, split.tolerance(settings));
    if decoded.count.abs_diff(expected) > tolerance {
        let (found, expected) = (
            decoded.count.to_string(),
            format!("the manifest says {expected}"),
        );
        return Err(differs("documents", found, expected).into());
    }
    if decoded.count != expected {
        let (id, found) = (split.split_id, decoded.count);
        tracing::warn!("split {id} has {found} documents, the manifest says {expected}");
    }
    let how = settings.check;
    let counted = count(decoded.count, staging, how)
        .await
        .map_err(Failure::from)?;
    if counted != decoded.count {
        let decoded = format!("{} were decoded", decoded.count);
        return Err(differs("documents", counted.to_string(), decoded).into());
    }
    if how == Check::Full {
        tracing::info!("reading `{}` back", staging.name());
        let scan = staging.scan(READ_AHEAD).await.map_err(Failure::from)?;
        let read = read_back(scan, &Hidden).await.map_err(Failure::from)?;
        let digest = read.digest;
        if digest != decoded.digest {
            let decoded = format!("the decoded documents have {}", decoded.digest);
            return Err(differs("digest of the documents", digest.to_string(), decoded).into());
        }
    }
    Ok(())
}

/// Counts the documents in staging. The server's own estimate may be wrong: unless it is as
/// expected, only a real count tells.
async fn count(expected: u64, staging: &Staging, how: Check) -> lob_mongo::Result<u64> {
    if how == Check::Estimated && staging.estimated_count().await? == expected {
        return Ok(expected);
    }
    staging.count().await
}

/// Reads every document of a collection back, and counts and digests them.
pub(crate) async fn read_back(
    mut scan: Scan,
    progress: &dyn Progress,
) -> lob_mongo::Result<Documents> {
    let mut documents = Documents::default();
    while let Some(batch) = scan.next().await? {
        let before = documents.count;
        for document in batch.documents()? {
            documents.add(document?.as_bytes());
        }
        progress.advance(0, documents.count - before);
    }
    Ok(documents)
}
