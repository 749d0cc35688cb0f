//! Groups documents into batches that each fit into one insert command.

use bson::spec::ElementType;
use bson::{RawDocument, RawDocumentBuf};

use super::write_settings::WriteSettings;
use crate::error::{Error, Result, invalid};
use crate::fields::{fields, fields_in};
use crate::id::DocumentId;

/// The largest document that MongoDB stores (`maxBsonObjectSize`). A command may be 16 KiB larger,
/// so a single document of this size always fits.
const LARGEST_DOCUMENT: usize = 16 * 1024 * 1024;

/// MongoDB's `maxWriteBatchSize`.
const MOST_DOCUMENTS: u32 = 100_000;

/// What an array adds to each element: its type, at most six digits and their terminator.
const ELEMENT_OVERHEAD: usize = 8;

/// The size of an array without elements: its length and its end.
const EMPTY_ARRAY: usize = 5;

/// How much a batch may hold, within MongoDB's limits.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    bytes: usize,
    documents: usize,
}

impl BatchLimits {
    /// The limits in `settings`.
    ///
    /// # Errors
    /// [`Error::InvalidBatchLimits`] if they are zero, or above 16 MiB or 100,000 documents.
    pub fn new(settings: &WriteSettings) -> Result<Self> {
        let (size, documents) = (settings.insert_batch_size, settings.insert_batch_documents);
        let bytes = usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
        if !(1..=LARGEST_DOCUMENT).contains(&bytes) || !(1..=MOST_DOCUMENTS).contains(&documents) {
            return Err(Error::InvalidBatchLimits {
                bytes: size.as_u64(),
                documents,
            });
        }
        Ok(Self {
            bytes,
            documents: documents as usize,
        })
    }
}

/// Documents for one insert command, byte for byte as they were pushed.
#[derive(Debug, Clone, Default)]
pub struct InsertBatch {
    /// The elements of the array of documents, as they are in the command.
    elements: Vec<u8>,
    count: usize,
}

impl InsertBatch {
    /// An empty batch with room for about as many bytes of documents as this one has: batches of
    /// megabytes that grow step by step are copied over and over.
    fn successor(&self) -> Self {
        Self {
            elements: Vec::with_capacity(self.elements.len() / 8 * 9),
            count: 0,
        }
    }

    /// The number of documents.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it is empty, which no batch from a [`BatchBuilder`] is.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes the documents take up in the command.
    pub fn size(&self) -> usize {
        EMPTY_ARRAY + self.elements.len()
    }

    pub(crate) fn push(&mut self, document: &RawDocument) {
        self.elements.push(ElementType::EmbeddedDocument as u8);
        self.elements.extend(self.count.to_string().into_bytes());
        self.elements.push(0);
        self.elements.extend_from_slice(document.as_bytes());
        self.count += 1;
    }

    pub(crate) fn documents(&self) -> impl Iterator<Item = Result<&RawDocument>> {
        fields_in(&self.elements)
            .map(|element| RawDocument::from_bytes(element?.1.bytes).map_err(invalid))
    }

    /// `command` with these documents as its last field. They are copied once, unlike a value that
    /// is appended to it.
    pub(crate) fn complete(&self, command: RawDocumentBuf) -> Result<RawDocumentBuf> {
        const NAME: &[u8] = b"documents\0";
        let mut bytes = command.into_bytes();
        // The NUL that ends it.
        bytes.pop();
        bytes.reserve_exact(1 + NAME.len() + self.size() + 1);
        bytes.push(ElementType::Array as u8);
        bytes.extend_from_slice(NAME);
        bytes.extend_from_slice(&(self.size() as i32).to_le_bytes());
        bytes.extend_from_slice(&self.elements);
        bytes.extend_from_slice(&[0, 0]);
        let size = bytes.len() as i32;
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        RawDocumentBuf::from_bytes(bytes).map_err(invalid)
    }

    /// Fails if a server that overwrites zero Timestamps would change a document: it does so only
    /// at the top level, and not in `_id`.
    pub(crate) fn check_zero_timestamps(&self) -> Result<()> {
        for document in self.documents() {
            let document = document?;
            for field in fields(document).skip(1) {
                let (_, value) = field?;
                if value.kind == bson::spec::ElementType::Timestamp && value.bytes == [0; 8] {
                    let id = DocumentId::of(document)?.to_string();
                    return Err(Error::ZeroTimestamp { id });
                }
            }
        }
        Ok(())
    }
}

/// Fills one batch after another.
#[derive(Debug)]
pub struct BatchBuilder {
    limits: BatchLimits,
    batch: InsertBatch,
}

impl BatchBuilder {
    /// Starts with an empty batch.
    pub fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            batch: InsertBatch::default(),
        }
    }

    /// Adds a document. If it does not fit into the current batch, returns that batch and starts a
    /// new one.
    ///
    /// # Errors
    /// The server would refuse the document for its size, or its first field is not `_id`: the
    /// server would then move or add the field, and the document would no longer be the same.
    pub fn push(&mut self, document: &RawDocument) -> Result<Option<InsertBatch>> {
        let bytes = document.as_bytes();
        if bytes.get(5..9) != Some(b"_id\0") {
            return Err(Error::IdNotFirst);
        }
        if bytes.len() > LARGEST_DOCUMENT {
            let id = DocumentId::of(document)?.to_string();
            return Err(Error::DocumentTooLarge {
                id,
                size: bytes.len(),
            });
        }
        let size = self.batch.size() + bytes.len() + ELEMENT_OVERHEAD;
        let is_full = size > self.limits.bytes || self.batch.count == self.limits.documents;
        let full = if is_full { self.take() } else { None };
        self.batch.push(document);
        Ok(full)
    }

    /// The remaining documents, or `None`.
    pub fn finish(mut self) -> Option<InsertBatch> {
        self.take()
    }

    fn take(&mut self) -> Option<InsertBatch> {
        let successor = self.batch.successor();
        let batch = std::mem::replace(&mut self.batch, successor);
        (!batch.is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use bson::raw::cstr;
    use bson::{RawArrayBuf, RawDocumentBuf, Timestamp, rawdoc};
    use lob_core::settings::ByteSize;

    use super::*;

    fn builder(bytes: u64, documents: u32) -> BatchBuilder {
        let settings = WriteSettings {
            insert_batch_size: ByteSize::b(bytes),
            insert_batch_documents: documents,
            ..<_>::default()
        };
        BatchBuilder::new(BatchLimits::new(&settings).unwrap())
    }

    fn batches(mut builder: BatchBuilder, documents: &[RawDocumentBuf]) -> Vec<InsertBatch> {
        let full: Vec<_> = documents
            .iter()
            .filter_map(|document| builder.push(document).unwrap())
            .collect();
        full.into_iter().chain(builder.finish()).collect()
    }

    #[test]
    fn every_document_is_in_exactly_one_batch_in_order_and_unchanged() {
        let documents: Vec<_> = (0..1000)
            .map(|i| rawdoc! { "_id": i, "text": "x".repeat(i as usize % 70) })
            .collect();
        for (bytes, most) in [(1, 100), (500, 100_000), (16 << 20, 7), (16 << 20, 100_000)] {
            let batches = batches(builder(bytes, most), &documents);
            let together = batches.iter().flat_map(InsertBatch::documents);
            assert!(
                together
                    .map(Result::unwrap)
                    .eq(documents.iter().map(|d| &**d))
            );
            for batch in &batches {
                assert!(batch.len() == 1 || batch.size() as u64 <= bytes);
                assert!(batch.len() <= most as usize && !batch.is_empty());
            }
        }
        assert!(batches(builder(1, 1), &[]).is_empty());
    }

    #[test]
    fn a_command_ends_with_the_documents_as_the_library_writes_them() {
        let documents: Vec<_> = (0..120).map(|i| rawdoc! { "_id": i }).collect();
        let batches = batches(builder(16 << 20, 1000), &documents);
        let array: RawArrayBuf = documents.into_iter().collect();
        assert_eq!(batches[0].size(), array.as_bytes().len());
        let command = rawdoc! { "insert": "split_0_input" };
        let completed = batches[0].complete(command.clone()).unwrap();
        let mut expected = command;
        expected.append(cstr!("documents"), array);
        assert_eq!(completed, expected);
    }

    #[test]
    fn a_document_of_exactly_the_server_limit_fits_and_a_larger_one_does_not() {
        let of_size = |size: usize| {
            let empty = rawdoc! { "_id": 1, "s": "" }.as_bytes().len();
            rawdoc! { "_id": 1, "s": "x".repeat(size - empty) }
        };
        let largest = of_size(LARGEST_DOCUMENT);
        let batch = &batches(builder(1024, 10), &[largest])[0];
        assert!(batch.size() < LARGEST_DOCUMENT + 1024);
        let error = builder(1024, 10)
            .push(&of_size(LARGEST_DOCUMENT + 1))
            .unwrap_err();
        assert!(error.to_string().contains("16777217 bytes"), "{error}");
    }

    #[test]
    fn a_document_that_the_server_would_change_is_refused() {
        for document in [rawdoc! { "a": 1, "_id": 2 }, rawdoc! { "a": 1 }, rawdoc! {}] {
            assert!(matches!(
                builder(9, 9).push(&document),
                Err(Error::IdNotFirst)
            ));
        }
        let zero = Timestamp {
            time: 0,
            increment: 0,
        };
        let nested =
            rawdoc! { "_id": 1, "a": { "t": zero }, "u": Timestamp { time: 0, increment: 1 } };
        batches(builder(99, 9), &[nested])[0]
            .check_zero_timestamps()
            .unwrap();
        let mut beside = rawdoc! { "_id": 1, "ab": 1 }.into_bytes();
        let at = beside.windows(2).position(|two| two == b"ab").unwrap();
        beside[at] = 0xff;
        let beside = RawDocumentBuf::from_bytes(beside).unwrap();
        batches(builder(99, 9), &[beside])[0]
            .check_zero_timestamps()
            .unwrap();
        let top = rawdoc! { "_id": 7, "t": zero };
        let error = batches(builder(99, 9), &[top])[0]
            .check_zero_timestamps()
            .unwrap_err();
        assert!(matches!(error, Error::ZeroTimestamp { id } if id == "7"));
    }

    #[test]
    fn rejects_batch_limits_that_no_server_accepts() {
        for (bytes, documents) in [(0, 1), (1, 0), ((16 << 20) + 1, 1), (1, 100_001)] {
            let settings = WriteSettings {
                insert_batch_size: ByteSize::b(bytes),
                insert_batch_documents: documents,
                ..<_>::default()
            };
            assert!(BatchLimits::new(&settings).is_err());
        }
    }
}
