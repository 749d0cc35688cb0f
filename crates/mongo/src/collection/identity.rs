//! A collection, identified by its UUID as well as its name.
//!
//! A name can be dropped and reused at any moment; the UUID tells whether a scan, an insert, a drop
//! or a swap still refers to the same collection.

use bson::{Bson, Document, RawDocumentBuf, rawdoc};
use uuid::Uuid;

use crate::error::{Error, Result, code, invalid};
use crate::server::{Command, Database, documents};

/// Maximum length of a collection name including its database, from MongoDB 4.4 on.
pub const MAX_NAMESPACE_BYTES: usize = 255;

/// An ordinary collection as it was found by name.
#[derive(Debug, Clone)]
pub struct Collection {
    pub(crate) database: Database,
    name: String,
    uuid: Option<Uuid>,
    collated: bool,
    clustered: bool,
}

impl Collection {
    /// The name, without the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Database and collection name.
    pub fn namespace(&self) -> String {
        self.database.namespace(&self.name)
    }

    /// The UUID, if the server assigns one to collections.
    pub fn uuid(&self) -> Option<Uuid> {
        self.uuid
    }

    /// Whether a collation orders the strings of this collection. Then the order of `_id` values is
    /// not that of their bytes, and an interrupted scan cannot be resumed.
    pub fn is_collated(&self) -> bool {
        self.collated
    }

    /// Whether `_id`s can be read from their index alone, without the documents. A clustered
    /// collection has no such index, and with a collation the index does not hold the strings
    /// themselves.
    pub(crate) fn has_ids_in_index(&self) -> bool {
        !self.collated && !self.clustered
    }

    /// Fails if the name now belongs to another collection, or to none.
    ///
    /// # Errors
    /// [`Error::Replaced`].
    pub async fn check_identity(&self) -> Result<()> {
        match self.database.collection(&self.name).await? {
            Some(now) if now.uuid == self.uuid => Ok(()),
            _ => Err(self.replaced()),
        }
    }

    /// The error for a name that now belongs to another collection, or to none.
    pub(crate) fn replaced(&self) -> Error {
        Error::Replaced {
            namespace: self.namespace(),
        }
    }

    /// Turns the server's UUID mismatch error into [`Error::Replaced`].
    pub(crate) fn or_replaced(&self, error: Error) -> Error {
        match error.code() {
            Some(code::COLLECTION_UUID_MISMATCH) => self.replaced(),
            _ => error,
        }
    }

    /// Whether the collection with this name is this one; its own name may have changed by now.
    pub(crate) async fn has_name(&self, name: &str) -> Result<bool> {
        let found = self.database.collection(name).await?;
        Ok(found.is_some_and(|found| found.uuid.is_some() && found.uuid == self.uuid))
    }

    /// Drops exactly this collection. Also succeeds if it is already gone or its name belongs to
    /// another.
    ///
    /// # Errors
    /// The server does not answer, or denies permission.
    pub(crate) async fn drop(&self, write_concern: &RawDocumentBuf) -> Result<()> {
        // A server that takes no UUID would drop whichever collection has the name.
        let can_be_named = self.uuid.is_none() || self.database.server.takes_collection_uuid;
        if !can_be_named && !self.has_name(&self.name).await? {
            return Ok(());
        }
        let mut body = rawdoc! { "drop": self.name.as_str() };
        self.database.pin(&mut body, self.uuid);
        body.append(bson::raw::cstr!("writeConcern"), write_concern.clone());
        let command = Command::new("drop", self.namespace());
        let once = async || {
            let reply = self.database.run(&command, body.clone()).await?;
            command.check_write_concern(&reply)
        };
        match self.database.server.retry(once).await {
            Ok(()) => Ok(()),
            Err(e) if matches!(e.code(), Some(code::NAMESPACE_NOT_FOUND)) => Ok(()),
            Err(e) if matches!(e.code(), Some(code::COLLECTION_UUID_MISMATCH)) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// The name it gets if it is kept while another collection takes its name.
    pub fn kept_name(&self) -> String {
        let uuid = self.uuid().unwrap_or_default().simple().to_string();
        previous_name(self.name(), &uuid[..8])
    }
}

/// The name under which an import keeps the previous collection; `id` is 8 digits of its UUID.
pub fn previous_name(target: &str, id: &str) -> String {
    format!("{target}__lob_previous_{id}")
}

/// One entry of `listCollections`.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    kind: String,
    pub(crate) uuid: Option<Uuid>,
    pub(crate) options: Document,
}

impl Listed {
    fn read(entry: &Document) -> Option<Self> {
        let info = entry.get_document("info").ok();
        let uuid = match info.and_then(|info| info.get("uuid")) {
            Some(Bson::Binary(binary)) => Uuid::from_slice(&binary.bytes).ok(),
            _ => None,
        };
        let options = entry.get_document("options").cloned();
        Some(Self {
            name: entry.get_str("name").ok()?.to_owned(),
            kind: entry.get_str("type").unwrap_or("collection").to_owned(),
            uuid,
            options: options.unwrap_or_default(),
        })
    }

    /// The collection, if it is of a kind that keeps documents as they were inserted.
    pub(crate) fn into_collection(self, database: &Database) -> Result<Collection> {
        let namespace = database.namespace(&self.name);
        match self.kind.as_str() {
            "view" => Err(Error::View { namespace }),
            "timeseries" => Err(Error::TimeSeries { namespace }),
            _ => Ok(Collection {
                database: database.clone(),
                name: self.name,
                uuid: self.uuid,
                collated: self.options.contains_key("collation"),
                clustered: self.options.contains_key("clusteredIndex"),
            }),
        }
    }
}

impl Database {
    /// The collection that currently has this name, or `None`.
    ///
    /// # Errors
    /// The name belongs to a view or a time-series collection, or the server does not answer.
    pub async fn collection(&self, name: &str) -> Result<Option<Collection>> {
        let listed = self.list_collections(rawdoc! { "name": name }).await?;
        listed
            .into_iter()
            .next()
            .map(|listed| listed.into_collection(self))
            .transpose()
    }

    /// The collections that `filter` selects, with what is known about each.
    pub(crate) async fn list_collections(&self, filter: RawDocumentBuf) -> Result<Vec<Listed>> {
        let body = rawdoc! { "listCollections": 1, "filter": filter, "nameOnly": false };
        let command = Command::new("listCollections", self.name().to_owned());
        self.server
            .retry(|| self.list_once(&command, body.clone()))
            .await
    }

    async fn list_once(&self, command: &Command, body: RawDocumentBuf) -> Result<Vec<Listed>> {
        let mut cursor = self.list(command, body).await?;
        let mut listed = Vec::new();
        while let Some(reply) = self.next_reply(command, &mut cursor).await? {
            for entry in documents(&reply)? {
                let entry = Document::try_from(entry?).map_err(invalid)?;
                let entry = Listed::read(&entry);
                listed.push(entry.ok_or_else(|| command.invalid_reply("a name is missing"))?);
            }
        }
        Ok(listed)
    }
}
