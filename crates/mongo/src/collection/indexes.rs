//! Builds indexes: all of a call, or none.

use bson::{Bson, Document, RawDocumentBuf, rawdoc};

use super::blueprint::Blueprint;
use super::identity::Collection;
use crate::error::{Error, Result};
use crate::id::invalid;
use crate::server::Command;
use crate::staging::Staging;

impl Staging {
    /// Builds the indexes of `blueprint` but those by which documents expire: they would do so
    /// here. It takes as long as it takes.
    ///
    /// # Errors
    /// [`Error::IndexRefused`] if the documents violate one, or the server does not take it;
    /// [`Error::Replaced`] if staging is gone; a server that goes away.
    pub async fn build_indexes(&self, blueprint: &Blueprint) -> Result<()> {
        let (collection, write_concern) = (&self.collection, &self.write_concern);
        match collection.build(&blueprint.indexes, write_concern).await? {
            Built::Here => Ok(()),
            Built::InNewCollection => {
                // An import that finds it empty would take it for a staging of its own making.
                let stray = collection.database.collection(self.name()).await?;
                if let Some(stray) = stray
                    && stray.is_empty().await?
                {
                    stray.drop(write_concern).await?;
                }
                Err(collection.replaced())
            }
        }
    }

    /// Builds the indexes by which documents expire, when staging is at `target`.
    ///
    /// # Errors
    /// [`Error::Replaced`] if it is not there; as [`Staging::build_indexes`].
    pub async fn build_expiring_at(&self, target: &str, blueprint: &Blueprint) -> Result<()> {
        if blueprint.expiring.is_empty() {
            return Ok(());
        }
        let at_target = self.at(target).await?;
        let target = at_target.ok_or_else(|| Error::Replaced {
            namespace: self.collection.database.namespace(target),
        })?;
        let indexes = &blueprint.expiring;
        match target.build(indexes, &self.write_concern).await? {
            Built::Here => Ok(()),
            Built::InNewCollection => Err(target.replaced()),
        }
    }
}

/// Where the server built indexes: it creates what it does not find.
enum Built {
    Here,
    InNewCollection,
}

impl Collection {
    /// One that is there already is success, and so is one that another process builds: the server
    /// waits for it.
    async fn build(&self, indexes: &[Document], write_concern: &RawDocumentBuf) -> Result<Built> {
        if indexes.is_empty() {
            return Ok(Built::Here);
        }
        let indexes = Bson::from(indexes.to_vec());
        let mut body = rawdoc! { "createIndexes": self.name() };
        let indexes = bson::RawBson::try_from(indexes).map_err(invalid)?;
        body.append(bson::raw::cstr!("indexes"), indexes);
        body.append(bson::raw::cstr!("writeConcern"), write_concern.clone());
        let command = Command::new("createIndexes", self.namespace());
        let database = &self.database;
        let once = async || {
            // The command takes no UUID.
            self.check_identity().await?;
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

    fn replaced(&self) -> Error {
        Error::Replaced {
            namespace: self.namespace(),
        }
    }
}
