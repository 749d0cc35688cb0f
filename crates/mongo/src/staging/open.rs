//! Resumes the staging of an import, or creates it.

use bson::{RawDocumentBuf, rawdoc};

use super::entries::{Entries, FinishedFiles, SplitImport};
use super::handle::Staging;
use super::write_settings::WriteSettings;
use crate::collection::{Blueprint, Collection, is_empty};
use crate::error::{Error, Result, code, invalid};
use crate::server::{Command, Database};

/// What an import finds in place of its staging.
#[derive(Debug)]
pub enum Opened {
    /// Staging, and the data files that an earlier or concurrent process has put into it.
    Staging(Staging, FinishedFiles),
    /// The former staging of this import is at the target: the swap took place.
    InPlace(Staging),
}

/// Finds staging by its entry, or by its name if it is empty.
pub(super) async fn open(
    entries: &Entries,
    import: &SplitImport,
    blueprint: &Blueprint,
    settings: &WriteSettings,
) -> Result<Opened> {
    let database = &entries.database;
    let write_concern = settings.write_concern_document();
    let found = database.collection(&import.staging).await?;
    let is_empty = match &found {
        Some(found) => is_empty(found).await?,
        None => true,
    };
    // Asked after that, because whoever fills staging records it as such beforehand.
    let recorded = entries.stagings(import).await?;
    let is_recorded = |found: &Collection| found.uuid().is_some_and(|u| recorded.contains(&u));
    let staging = |collection, keeps_zero_timestamps| Staging {
        collection,
        write_concern: write_concern.clone(),
        keeps_zero_timestamps,
        bypasses_validation: blueprint.has_validator(),
    };
    if let Some(target) = database.collection(&import.target).await?
        && is_recorded(&target)
    {
        return Ok(Opened::InPlace(staging(target, false)));
    }
    let collection = match found {
        Some(found) if is_empty || is_recorded(&found) => found,
        found => {
            if let Some(leftover) = found {
                entries.forget(leftover.uuid().as_slice()).await?;
                leftover.drop(&write_concern).await?;
            }
            create(database, &import.staging, blueprint, &write_concern).await?
        }
    };
    let Some(uuid) = collection.uuid() else {
        let namespace = collection.namespace();
        collection.drop(&write_concern).await?;
        return Err(Error::NoUuid { namespace });
    };
    if !is_recorded(&collection) {
        entries.add_staging(uuid, import).await?;
    }
    // Those that are neither staging nor at the target were dropped by someone.
    let gone: Vec<_> = recorded.into_iter().filter(|old| *old != uuid).collect();
    entries.forget(&gone).await?;
    let keeps_zero_timestamps = knows_zero_timestamps(&collection).await?;
    let staging = staging(collection, keeps_zero_timestamps);
    Ok(Opened::Staging(staging, entries.files(uuid).await?))
}

/// Creates a collection without indexes.
async fn create(
    database: &Database,
    name: &str,
    blueprint: &Blueprint,
    write_concern: &RawDocumentBuf,
) -> Result<Collection> {
    let mut body = rawdoc! { "create": name, "writeConcern": write_concern.clone() };
    for option in &blueprint.raw_options()? {
        let (name, value) = option.map_err(invalid)?;
        body.append(name, value);
    }
    let command = Command::new("create", database.namespace(name));
    let created = database
        .server
        .retry(|| async {
            let reply = database.run(&command, body.clone()).await?;
            command.check_write_concern(&reply)
        })
        .await;
    match created {
        // It exists because our own reply was lost, or because of another import of the same
        // manifest, which writes the very same documents.
        Err(e) if e.code() == Some(code::NAMESPACE_EXISTS) => {}
        created => created?,
    }
    let created = database.collection(name).await?;
    created.ok_or_else(|| Error::Replaced {
        namespace: database.namespace(name),
    })
}

/// Finds out with an insert of no documents: MongoDB refuses their number, but only after reading
/// the command's fields. Any other answer means that the server may not know
/// `bypassEmptyTsReplacement`.
async fn knows_zero_timestamps(collection: &Collection) -> Result<bool> {
    let mut body = rawdoc! {
        "insert": collection.name(),
        "documents": [],
        "bypassEmptyTsReplacement": true,
    };
    collection.database.pin(&mut body, collection.uuid());
    let command = Command::new("insert", collection.namespace());
    match collection
        .database
        .server
        .retry(|| collection.database.run(&command, body.clone()))
        .await
    {
        Ok(_) => Ok(false),
        Err(Error::Refused { source, .. }) if !source.is_transient() => {
            Ok(source.code == code::INVALID_LENGTH)
        }
        Err(e) => Err(e),
    }
}
