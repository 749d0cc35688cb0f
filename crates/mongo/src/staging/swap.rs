//! Puts staging in the target's place with a single `renameCollection`: at every instant the target
//! is either the old collection or the new one. Only if the old one is to be kept are there two
//! renames, with a gap in between.
//!
//! A rename keeps the collection's UUID. So if the reply is lost, the UUID at the new name tells
//! whether the rename took place.

use bson::{RawDocumentBuf, rawdoc};

use super::handle::Staging;
use crate::collection::Collection;
use crate::error::{Error, Result, code};
use crate::server::Command;

/// What to do with an existing collection that has the target's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingTarget {
    /// Replace it.
    Replace,
    /// Leave it alone and fail the swap.
    Refuse,
    /// Rename it first, so that for a moment no collection has the target's name.
    Keep,
}

/// Where a collection that is being renamed is now.
enum Place {
    OldName,
    NewName,
    Elsewhere,
}

/// Renames staging to `target`, after moving away a collection with that name if it is to be kept.
pub(super) async fn swap_into(
    staging: &Staging,
    target: &str,
    existing: ExistingTarget,
) -> Result<Option<String>> {
    let kept = match existing {
        ExistingTarget::Keep => move_away(staging, target).await?,
        ExistingTarget::Replace | ExistingTarget::Refuse => None,
    };
    let drop_target = existing == ExistingTarget::Replace;
    rename(
        &staging.collection,
        target,
        drop_target,
        &staging.write_concern,
    )
    .await?;
    Ok(kept)
}

/// Renames the collection with the target's name to a name derived from its UUID.
async fn move_away(staging: &Staging, target: &str) -> Result<Option<String>> {
    let database = &staging.collection.database;
    let old = database.collection(target).await?;
    let Some(old) = old.filter(|old| old.uuid() != staging.uuid()) else {
        return Ok(None);
    };
    let name = old.kept_name();
    match rename(&old, &name, false, &staging.write_concern).await {
        // Another process of the same import moved it, and has since put staging there.
        Err(Error::SwapLost { .. }) if staging.is_at(target).await? => Ok(None),
        moved => moved.map(|()| Some(name)),
    }
}

/// Renames exactly this collection.
async fn rename(
    collection: &Collection,
    to: &str,
    drop_target: bool,
    write_concern: &RawDocumentBuf,
) -> Result<()> {
    let database = &collection.database;
    let mut body = rawdoc! {
        "renameCollection": collection.namespace(),
        "to": database.namespace(to),
        "dropTarget": drop_target,
        "writeConcern": write_concern.clone(),
    };
    database.pin(&mut body, collection.uuid());
    let command = Command::new("renameCollection", database.namespace(to));
    let admin = database.server.database("admin");
    // A server that takes no UUID would rename whichever collection has the name.
    match place(collection, to).await? {
        Place::OldName => {}
        Place::NewName => return Ok(()),
        Place::Elsewhere => return Err(lost(collection, to)),
    }
    let mut pauses = database.server.pauses();
    loop {
        let failure = match admin.run(&command, body.clone()).await {
            Ok(reply) => {
                let replicated = command.check_write_concern(&reply);
                replicated.map_err(|e| command.outcome_unknown(e))?;
                let place = place(collection, to).await;
                return match place.map_err(|e| command.outcome_unknown(e))? {
                    Place::NewName => Ok(()),
                    Place::OldName | Place::Elsewhere => Err(lost(collection, to)),
                };
            }
            Err(e) if e.is_transient() || is_about_names(&e) => e,
            Err(e) => return Err(e),
        };
        let place = place(collection, to).await;
        match place.map_err(|e| command.outcome_unknown(e))? {
            Place::NewName => return Ok(()),
            Place::Elsewhere => return Err(lost(collection, to)),
            Place::OldName if failure.code() == Some(code::NAMESPACE_EXISTS) => {
                return Err(Error::TargetExists {
                    namespace: database.namespace(to),
                });
            }
            Place::OldName if !failure.is_transient() => return Err(failure),
            Place::OldName => {}
        }
        let waited = pauses.wait(failure).await;
        waited.map_err(|failure| command.outcome_unknown(failure))?;
    }
}

async fn place(collection: &Collection, to: &str) -> Result<Place> {
    Ok(if collection.has_name(collection.name()).await? {
        Place::OldName
    } else if collection.has_name(to).await? {
        Place::NewName
    } else {
        Place::Elsewhere
    })
}

fn lost(collection: &Collection, to: &str) -> Error {
    Error::SwapLost {
        namespace: collection.database.namespace(to),
    }
}

/// Whether an earlier attempt at the same rename can be the reason for this refusal.
fn is_about_names(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(code::NAMESPACE_EXISTS | code::NAMESPACE_NOT_FOUND | code::COLLECTION_UUID_MISMATCH)
    )
}
