//! What a collection has beside its documents: indexes and options, as text for a manifest.

use bson::{Document, rawdoc};
use lob_core::manifest::MAX_DEFINITION_BYTES;

use super::identity::Collection;
use crate::error::{Error, Result, code};
use crate::extended_json::text;
use crate::id::invalid;
use crate::server::{Command, documents};

/// Indexes and options of a collection, in canonical extended JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definition {
    /// Each index as the server lists it, that on `_id` included.
    pub indexes: Vec<String>,
    /// The options, where there are any.
    pub options: Option<String>,
}

impl Collection {
    /// The indexes and options that the collection has now. What cannot be written down is told
    /// and left out.
    ///
    /// # Errors
    /// [`Error::Replaced`] if the name stands for another collection now, or for none; a server
    /// that does not answer, or does not allow it.
    pub async fn definition(&self) -> Result<Definition> {
        let replaced = || Error::Replaced {
            namespace: self.namespace(),
        };
        let command = Command::new("listIndexes", self.namespace());
        let listed = self
            .database
            .server
            .retry(|| self.list_indexes(&command))
            .await;
        let indexes = match listed {
            Err(e) if e.code() == Some(code::NAMESPACE_NOT_FOUND) => return Err(replaced()),
            listed => listed?,
        };
        // Asked last, and by name and UUID, so that both are known to be this collection's.
        let found = self
            .database
            .list_collections(rawdoc! { "name": self.name() });
        let found = found.await?.into_iter().next();
        let found = found.filter(|found| found.uuid == self.uuid());
        let options = found.ok_or_else(replaced)?.options;
        Ok(Definition {
            indexes: indexes
                .iter()
                .filter_map(|index| self.written(index, "an index"))
                .collect(),
            options: Some(&options)
                .filter(|options| !options.is_empty())
                .and_then(|options| self.written(options, "options")),
        })
    }

    async fn list_indexes(&self, command: &Command) -> Result<Vec<Document>> {
        let body = rawdoc! { "listIndexes": self.name() };
        let database = &self.database;
        let mut cursor = database.list(command, body).await?;
        let mut indexes = Vec::new();
        while let Some(reply) = database.next_reply(command, &mut cursor).await? {
            for index in documents(&reply)? {
                indexes.push(Document::try_from(index?).map_err(invalid)?);
            }
        }
        Ok(indexes)
    }

    fn written(&self, document: &Document, what: &str) -> Option<String> {
        let text = text(document).filter(|text| text.len() <= MAX_DEFINITION_BYTES);
        if text.is_none() {
            let namespace = self.namespace();
            tracing::warn!(%namespace, "{what} cannot be written down and is left out");
        }
        text
    }
}
