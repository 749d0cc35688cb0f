//! Looks up what is stored under the `_id`s of some documents, and compares it byte for byte.

use std::collections::HashSet;

use bson::spec::ElementType;
use bson::{RawDocument, RawDocumentBuf, rawdoc};

use crate::command::{Command, documents as reply_documents};
use crate::error::{Error, Result, code};
use crate::id::{DocumentId, Value, id_of, invalid};
use crate::staging::Staging;

/// As much as one reply should hold.
const REPLY_BYTES: usize = 4 * 1024 * 1024;

impl Staging {
    /// The bytes of those of `documents` that are stored.
    ///
    /// # Errors
    /// [`Error::DifferentDocument`] if another document has the `_id` of one of them.
    pub(super) async fn read_back<'a>(
        &self,
        documents: &[&'a RawDocument],
    ) -> Result<HashSet<&'a [u8]>> {
        let mut expected: HashSet<&[u8]> = HashSet::new();
        let mut ids = Vec::new();
        for document in documents {
            expected.insert(document.as_bytes());
            ids.push(id_of(document)?);
        }
        let total: usize = expected.iter().map(|document| document.len()).sum();
        let mean = (total / expected.len().max(1)).max(1);
        let batch_documents = u32::try_from(REPLY_BYTES / mean)
            .unwrap_or(1)
            .clamp(1, 100_000);
        let mut body = rawdoc! {
            "find": self.name(),
            "filter": { "_id": one_of(&ids)? },
            "batchSize": i64::from(batch_documents),
        };
        let database = &self.collection.database;
        database.pin(&mut body, self.uuid());
        let find = Command::new("find", self.collection.namespace());
        let mut cursor = match database
            .open_cursor_on_primary(&find, body, batch_documents)
            .await
        {
            Err(e) if e.code() == Some(code::COLLECTION_UUID_MISMATCH) => {
                return Err(Error::Replaced {
                    namespace: find.namespace,
                });
            }
            cursor => cursor?,
        };
        let mut stored = HashSet::new();
        while let Some(reply) = database.next_reply(&find, &mut cursor).await? {
            for document in reply_documents(&reply)? {
                let found = document?;
                let Some(equal) = expected.take(found.as_bytes()) else {
                    let id = DocumentId::of(found)?.to_string();
                    return Err(Error::DifferentDocument {
                        namespace: find.namespace,
                        id,
                    });
                };
                stored.insert(equal);
            }
        }
        Ok(stored)
    }
}

/// `{ "$in": ids }`, put together from bytes because a string in an `_id` need not be UTF-8.
fn one_of(ids: &[Value<'_>]) -> Result<RawDocumentBuf> {
    let items = ids.iter().enumerate().map(|(i, id)| (i.to_string(), *id));
    let items = raw_document(items)?;
    let array = Value {
        kind: ElementType::Array,
        bytes: items.as_bytes(),
    };
    raw_document([("$in".to_owned(), array)])
}

fn raw_document<'a>(
    fields: impl IntoIterator<Item = (String, Value<'a>)>,
) -> Result<RawDocumentBuf> {
    let mut bytes = vec![0; 4];
    for (name, value) in fields {
        bytes.push(value.kind as u8);
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value.bytes);
    }
    bytes.push(0);
    let length = i32::try_from(bytes.len()).map_err(invalid)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    RawDocumentBuf::from_bytes(bytes).map_err(invalid)
}
