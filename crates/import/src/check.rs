//! Proves that staging holds the documents of a split, and no other.
//!
//! What was decoded has the digests of the manifest, and every document was acknowledged: what is
//! left is to ask the server what it has.

use lob_columns::Digest;
use lob_core::byte_size::ByteSize;
use lob_core::failure::Failure;
use lob_core::manifest::ExportedSplit;
use lob_mongo::Staging;

use crate::settings::Check;

/// Documents that wait while staging is read back.
const READ_AHEAD: ByteSize = ByteSize::mib(16);

/// Compares staging with the manifest.
///
/// # Errors
/// A difference, exit status 3; a server that fails.
pub(crate) async fn check(
    split: &ExportedSplit,
    staging: &Staging,
    how: Check,
) -> anyhow::Result<()> {
    let expected = split.num_documents;
    let counted = count(expected, staging, how).await.map_err(Failure::from)?;
    let differs = |what: &str, found: String, expected: String| {
        let name = staging.name();
        Failure::integrity(format!(
            "{what} in `{name}`: {found}, the manifest says {expected}"
        ))
    };
    if counted != expected {
        return Err(differs("documents", counted.to_string(), expected.to_string()).into());
    }
    if how == Check::Full {
        let digest = read_back(staging).await.map_err(Failure::from)?.to_string();
        if digest != split.digest {
            let what = "digest of the documents";
            return Err(differs(what, digest, split.digest.clone()).into());
        }
    }
    Ok(())
}

/// The server's own books may be wrong: where they are not as expected, only a count tells.
async fn count(expected: u64, staging: &Staging, how: Check) -> lob_mongo::Result<u64> {
    if how == Check::Estimated && staging.estimated_count().await? == expected {
        return Ok(expected);
    }
    staging.count().await
}

/// The digest of what staging holds.
async fn read_back(staging: &Staging) -> lob_mongo::Result<Digest> {
    tracing::info!("reading `{}` back", staging.name());
    let mut scan = staging.scan(READ_AHEAD).await?;
    let mut digest = Digest::default();
    while let Some(batch) = scan.next().await? {
        for document in batch.documents()? {
            digest.add(document?.as_bytes());
        }
    }
    Ok(digest)
}
