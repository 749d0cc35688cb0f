//! Decodes a data file on disk into batches of documents, counting and digesting them.

use bson::RawDocument;
use lob_columns::{LegacyIds, LegacyReader, ReadError, Reader};
use lob_core::checksum::Documents;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::text::counted;
use lob_mongo::{BatchBuilder, BatchLimits, InsertBatch};
use tokio::sync::mpsc::Sender;

use crate::fetch::FetchedFile;
use crate::settings::DecodingMemory;

/// Decodes a whole data file, hands its documents on and returns their count and digest. This
/// blocks, so it needs a thread of its own. If the receiver is gone it stops early; the receiver
/// knows why.
///
/// # Errors
/// A file that cannot be decoded, in this memory or at all, or whose documents do not match the
/// manifest.
pub(crate) fn decode(
    fetched: FetchedFile,
    key: &str,
    ids: LegacyIds,
    limits: BatchLimits,
    memory: DecodingMemory,
    batches: &Sender<InsertBatch>,
) -> anyhow::Result<Documents> {
    let taker = Taker {
        key,
        batches,
        builder: BatchBuilder::new(limits),
        documents: Documents::default(),
    };
    let taken = match fetched {
        FetchedFile::Verified(verified) => {
            let (file, expected) = verified.into_parts();
            let mut reader = Reader::open(file).map_err(|error| unreadable(key, error))?;
            let is_small = reader.check_memory(memory.of_file);
            is_small.map_err(|error| memory.refuse(key, error))?;
            let (rows, count) = (reader.rows(), expected.count);
            if rows != count {
                let message = format!(
                    "`{key}` holds {}, the manifest says {count}",
                    counted(rows, "document")
                );
                return Err(Failure::integrity(message).into());
            }
            let groups = reader.row_groups();
            let taken = taker.take_all(groups, |group| reader.read_row_group(group))?;
            let expected = expected.digest;
            if let Some(Documents { digest, .. }) = taken
                && digest != expected
            {
                let message =
                    format!("the documents of `{key}` have the digest {digest}, not {expected}");
                return Err(Failure::integrity(message).into());
            }
            taken
        }
        FetchedFile::Legacy(file) => {
            let reader = LegacyReader::open(file, ids);
            let mut reader = reader.map_err(|error| unreadable(key, error))?;
            let is_small = reader.check_memory(memory.of_file);
            is_small.map_err(|error| memory.refuse(key, error))?;
            let groups = reader.row_groups();
            taker.take_all(groups, |group| reader.read_row_group(group))?
        }
    };
    Ok(taken.unwrap_or_default())
}

fn unreadable(key: &str, error: ReadError) -> Failure {
    let message = format!("`{key}` cannot be decoded");
    let failure = match error {
        // Reading the copy on disk failed.
        ReadError::Io(_) => Failure::new(ExitStatus::Failed, message),
        _ => Failure::integrity(message),
    };
    failure.caused_by(error)
}

impl DecodingMemory {
    fn refuse(&self, key: &str, error: ReadError) -> Failure {
        let ReadError::TooLarge { need, .. } = error else {
            return unreadable(key, error);
        };
        let memory = self.whole(need).0.div_ceil(1 << 20);
        let message = format!("`{key}` takes too much memory");
        Failure::new(ExitStatus::Failed, message)
            .with_hint(format!(
                "`--memory {memory}MiB` is enough, if the data file can be trusted"
            ))
            .about(&["memory"])
            .lasting()
            .caused_by(error)
    }
}

/// Collects documents and hands them on in batches.
struct Taker<'a> {
    key: &'a str,
    batches: &'a Sender<InsertBatch>,
    builder: BatchBuilder,
    documents: Documents,
}

impl Taker<'_> {
    /// Takes the documents of all row groups; `None` if the receiver is gone.
    fn take_all<D>(
        mut self,
        row_groups: usize,
        mut read: impl FnMut(usize) -> Result<D, ReadError>,
    ) -> anyhow::Result<Option<Documents>>
    where
        D: Iterator<Item = Result<Vec<u8>, ReadError>>,
    {
        for row_group in 0..row_groups {
            let documents = read(row_group).map_err(|error| unreadable(self.key, error))?;
            for document in documents {
                let bytes = document.map_err(|error| unreadable(self.key, error))?;
                if let Some(batch) = self.take(&bytes)?
                    && self.batches.blocking_send(batch).is_err()
                {
                    return Ok(None);
                }
            }
        }
        let last = self.builder.finish();
        let is_taken = last.is_none_or(|batch| self.batches.blocking_send(batch).is_ok());
        Ok(is_taken.then_some(self.documents))
    }

    fn take(&mut self, bytes: &[u8]) -> anyhow::Result<Option<InsertBatch>> {
        self.documents.add(bytes);
        let document = RawDocument::from_bytes(bytes).map_err(|error| {
            let message = format!("`{}` holds a document that is not BSON", self.key);
            Failure::integrity(message).caused_by(error)
        })?;
        Ok(self.builder.push(document).map_err(Failure::from)?)
    }
}
