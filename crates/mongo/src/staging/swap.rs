//! Puts staging in the target's place by one `renameCollection`: at every instant the target is
//! the old collection or the new one. Only where the old one is to be kept are there two, with a
//! gap between them.
//!
//! A rename keeps the collection's UUID. So when the reply is lost, the UUID at the new name tells
//! whether it took place.

use bson::{RawDocumentBuf, rawdoc};

use super::handle::Staging;
use crate::collection::Collection;
use crate::error::{Error, Result, code};
use crate::server::Command;

/// What to do with a collection that has the target's name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingTarget {
    /// It is replaced.
    Replace,
    /// It stays, and the swap fails.
    Refuse,
    /// It is renamed first, so that for a moment there is no collection of the target's name.
    Keep,
}

/// Where a collection that is being renamed is now.
enum Place {
    OldName,
    NewName,
    Elsewhere,
}

impl Staging {
    /// Renames staging to `target`; that it has this name already is success. Returns the name
    /// under which the old collection is kept, if there was one to be kept.
    ///
    /// # Errors
    /// [`Error::TargetExists`] where it must not be replaced, [`Error::SwapLost`] if someone else
    /// renamed or dropped one of the two, [`Error::OutcomeUnknown`] if the server does not come
    /// back within the retries or does not confirm the write concern.
    pub async fn swap_into(
        &self,
        target: &str,
        existing: ExistingTarget,
    ) -> Result<Option<String>> {
        let kept = match existing {
            ExistingTarget::Keep => self.move_away(target).await?,
            ExistingTarget::Replace | ExistingTarget::Refuse => None,
        };
        let drop_target = existing == ExistingTarget::Replace;
        self.collection
            .rename(target, drop_target, &self.write_concern)
            .await?;
        Ok(kept)
    }

    /// Renames what has the target's name to one that its UUID makes its own.
    async fn move_away(&self, target: &str) -> Result<Option<String>> {
        let database = &self.collection.database;
        let old = database.collection(target).await?;
        let Some(old) = old.filter(|old| old.uuid() != self.uuid()) else {
            return Ok(None);
        };
        let name = old.kept_name();
        match old.rename(&name, false, &self.write_concern).await {
            // Another process of the same import moved it, and has put staging there since.
            Err(Error::SwapLost { .. }) if self.is_at(target).await? => Ok(None),
            moved => moved.map(|()| Some(name)),
        }
    }
}

/// The name under which the collection before the import is kept; `id` has 8 digits of its UUID.
pub fn previous_name(target: &str, id: &str) -> String {
    format!("{target}__lob_previous_{id}")
}

impl Collection {
    /// The name that it gets when it is to be kept and another takes its own.
    pub fn kept_name(&self) -> String {
        let uuid = self.uuid().unwrap_or_default().simple().to_string();
        previous_name(self.name(), &uuid[..8])
    }

    /// Gives exactly this collection another name.
    async fn rename(
        &self,
        to: &str,
        drop_target: bool,
        write_concern: &RawDocumentBuf,
    ) -> Result<()> {
        let database = &self.database;
        let mut body = rawdoc! {
            "renameCollection": self.namespace(),
            "to": database.namespace(to),
            "dropTarget": drop_target,
            "writeConcern": write_concern.clone(),
        };
        database.pin(&mut body, self.uuid());
        let command = Command::new("renameCollection", database.namespace(to));
        let admin = database.server.database("admin");
        // A server that takes no UUID would rename whatever has the name.
        match self.place(to).await? {
            Place::OldName => {}
            Place::NewName => return Ok(()),
            Place::Elsewhere => return Err(self.lost(to)),
        }
        let mut pauses = database.server.pauses();
        loop {
            let failure = match admin.run(&command, body.clone()).await {
                Ok(reply) => {
                    let replicated = command.check_write_concern(&reply);
                    replicated.map_err(|e| command.outcome_unknown(e))?;
                    let place = self.place(to).await;
                    return match place.map_err(|e| command.outcome_unknown(e))? {
                        Place::NewName => Ok(()),
                        Place::OldName | Place::Elsewhere => Err(self.lost(to)),
                    };
                }
                Err(e) if e.is_transient() || is_about_names(&e) => e,
                Err(e) => return Err(e),
            };
            let place = self.place(to).await;
            match place.map_err(|e| command.outcome_unknown(e))? {
                Place::NewName => return Ok(()),
                Place::Elsewhere => return Err(self.lost(to)),
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

    async fn place(&self, to: &str) -> Result<Place> {
        Ok(if self.has_name(self.name()).await? {
            Place::OldName
        } else if self.has_name(to).await? {
            Place::NewName
        } else {
            Place::Elsewhere
        })
    }

    fn lost(&self, to: &str) -> Error {
        Error::SwapLost {
            namespace: self.database.namespace(to),
        }
    }
}

/// True for the refusals that an earlier attempt of the same rename can be the reason of.
fn is_about_names(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(code::NAMESPACE_EXISTS | code::NAMESPACE_NOT_FOUND | code::COLLECTION_UUID_MISMATCH)
    )
}
