//! Builds indexes: all of those in a call, or none.

use bson::{Bson, Document, RawDocumentBuf, rawdoc};

use super::identity::Collection;
use crate::error::{Error, Result, invalid};
use crate::server::Command;

/// Where the server built the indexes: it creates a collection that it does not find.
pub(crate) enum Built {
    Here,
    InNewCollection,
}

/// An index that already exists counts as success, and so does one that another process is
/// building: the server waits for it.
pub(crate) async fn build(
    collection: &Collection,
    indexes: &[Document],
    write_concern: &RawDocumentBuf,
) -> Result<Built> {
    if indexes.is_empty() {
        return Ok(Built::Here);
    }
    let indexes = Bson::from(indexes.to_vec());
    let mut body = rawdoc! { "createIndexes": collection.name() };
    let indexes = bson::RawBson::try_from(indexes).map_err(invalid)?;
    body.append(bson::raw::cstr!("indexes"), indexes);
    body.append(bson::raw::cstr!("writeConcern"), write_concern.clone());
    let command = Command::new("createIndexes", collection.namespace());
    let database = &collection.database;
    let once = async || {
        // The command takes no UUID.
        collection.check_identity().await?;
        let reply = database.run_to_its_end(&command, body.clone()).await?;
        command.check_write_concern(&reply)?;
        Ok(match reply.get_bool("createdCollectionAutomatically") {
            Ok(true) => Built::InNewCollection,
            _ => Built::Here,
        })
    };
    match database.server.retry(once).await {
        Err(Error::Refused {
            command: "createIndexes",
            namespace,
            source,
            ..
        }) if !source.is_transient() => Err(Error::IndexRefused { namespace, source }),
        built => built,
    }
}
