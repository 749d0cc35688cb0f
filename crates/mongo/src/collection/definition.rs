//! What a collection has besides its documents: indexes and options, as text for a manifest.

use bson::{Document, rawdoc};
use lob_core::manifest::MAX_DEFINITION_BYTES;

use super::identity::Collection;
use crate::error::{Result, code, invalid};
use crate::extended_json::text;
use crate::server::{Command, documents};

/// Indexes and options of a collection, in canonical Extended JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definition {
    /// Each index as listed by the server, including the one on `_id`.
    pub indexes: Vec<String>,
    /// The options, if there are any.
    pub options: Option<String>,
}

impl Definition {
    /// The current definition of `collection`.
    pub(super) async fn of(collection: &Collection) -> Result<Self> {
        let command = Command::new("listIndexes", collection.namespace());
        let listed = collection
            .database
            .server
            .retry(|| list_indexes(collection, &command))
            .await;
        let indexes = match listed {
            Err(e) if e.code() == Some(code::NAMESPACE_NOT_FOUND) => {
                return Err(collection.replaced());
            }
            listed => listed?,
        };
        // Asked last, by name and compared by UUID, so that both are known to belong to this
        // collection.
        let found = collection
            .database
            .list_collections(rawdoc! { "name": collection.name() });
        let found = found.await?.into_iter().next();
        let found = found.filter(|found| found.uuid == collection.uuid());
        let options = found.ok_or_else(|| collection.replaced())?.options;
        Ok(Self {
            indexes: indexes
                .iter()
                .filter_map(|index| written(collection, index, "an index"))
                .collect(),
            options: Some(&options)
                .filter(|options| !options.is_empty())
                .and_then(|options| written(collection, options, "options")),
        })
    }
}

async fn list_indexes(collection: &Collection, command: &Command) -> Result<Vec<Document>> {
    let body = rawdoc! { "listIndexes": collection.name() };
    let database = &collection.database;
    let mut cursor = database.list(command, body).await?;
    let mut indexes = Vec::new();
    while let Some(reply) = database.next_reply(command, &mut cursor).await? {
        for index in documents(&reply)? {
            indexes.push(Document::try_from(index?).map_err(invalid)?);
        }
    }
    Ok(indexes)
}

fn written(collection: &Collection, document: &Document, what: &str) -> Option<String> {
    let text = text(document).filter(|text| text.len() <= MAX_DEFINITION_BYTES);
    if text.is_none() {
        let namespace = collection.namespace();
        tracing::warn!(%namespace, "{what} cannot be recorded and is left out");
    }
    text
}
