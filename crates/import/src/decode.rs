//! A verified data file into batches of documents, with the digest of what was decoded.

use bson::RawDocument;
use lob_columns::{Digest, ReadError, Reader};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::ExportedFile;
use lob_mongo::{BatchBuilder, BatchLimits, InsertBatch};
use tokio::sync::mpsc::Sender;

use crate::fetch::VerifiedFile;

/// Decodes a whole data file and hands its documents on. This blocks: it is for a thread of its
/// own. Where nobody takes the batches any more it stops early, and the taker knows why.
///
/// # Errors
/// A file that is not one of ours, or whose documents have another number or digest than the
/// manifest says.
pub(crate) fn decode(
    verified: VerifiedFile,
    file: &ExportedFile,
    limits: BatchLimits,
    batches: &Sender<InsertBatch>,
) -> anyhow::Result<()> {
    let key = &file.file.key;
    let unreadable = |error: ReadError| {
        let message = format!("`{key}` cannot be decoded");
        let failure = match error {
            // Of the verified copy on disk.
            ReadError::Io(_) => Failure::new(ExitStatus::Failed, message),
            _ => Failure::integrity(message),
        };
        failure.caused_by(error)
    };
    let mut reader = Reader::open(verified.into_file()).map_err(unreadable)?;
    if reader.rows() != file.rows {
        let message = format!(
            "`{key}` holds {} documents, the manifest says {}",
            reader.rows(),
            file.rows
        );
        return Err(Failure::integrity(message).into());
    }
    let mut builder = BatchBuilder::new(limits);
    let mut digest = Digest::default();
    for row_group in 0..reader.row_groups() {
        for document in reader.read_row_group(row_group).map_err(unreadable)? {
            let bytes = document.map_err(unreadable)?;
            digest.add(&bytes);
            let document = RawDocument::from_bytes(&bytes).map_err(|error| {
                Failure::integrity(format!("`{key}` holds a document that is not BSON"))
                    .caused_by(error)
            })?;
            if let Some(batch) = builder.push(document).map_err(Failure::from)?
                && batches.blocking_send(batch).is_err()
            {
                return Ok(());
            }
        }
    }
    if let Some(batch) = builder.finish()
        && batches.blocking_send(batch).is_err()
    {
        return Ok(());
    }
    if digest.to_string() != file.digest {
        let message = format!(
            "the documents of `{key}` have the digest {digest}, not {}",
            file.digest
        );
        return Err(Failure::integrity(message).into());
    }
    Ok(())
}
