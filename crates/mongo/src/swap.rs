//! Puts staging in the target's place by one `renameCollection`: at every instant the target is
//! the old collection or the new one.
//!
//! A rename keeps the collection's UUID. So when the reply is lost, the UUID at the target's name
//! tells whether it took place.

use bson::rawdoc;

use crate::command::Command;
use crate::error::{Error, Result, code};
use crate::retry::report;
use crate::staging::Staging;

/// What to do with a collection that has the target's name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingTarget {
    /// It is replaced.
    Replace,
    /// It stays, and the swap fails.
    Refuse,
}

/// Where the collection that was staging is now.
enum Place {
    Staging,
    Target,
    Elsewhere,
}

impl Staging {
    /// Renames staging to `target`.
    ///
    /// # Errors
    /// [`Error::TargetExists`] where it must not be replaced, [`Error::SwapLost`] if someone else
    /// renamed or dropped one of the two, [`Error::OutcomeUnknown`] if the server does not come
    /// back within the retries or does not confirm the write concern.
    pub async fn swap_into(&self, target: &str, existing: ExistingTarget) -> Result<()> {
        let database = &self.collection.database;
        let mut body = rawdoc! {
            "renameCollection": self.collection.namespace(),
            "to": database.namespace(target),
            "dropTarget": existing == ExistingTarget::Replace,
            "writeConcern": self.write_concern.clone(),
        };
        database.pin(&mut body, self.uuid());
        let command = Command::new("renameCollection", database.namespace(target));
        let admin = database.server.database("admin");
        let mut pauses = database.server.pauses();
        loop {
            let failure = match admin.run(&command, body.clone()).await {
                Ok(reply) => {
                    let replicated = command.check_write_concern(&reply);
                    replicated.map_err(|e| command.outcome_unknown(e))?;
                    let swapped = self.check_swapped(target).await;
                    return swapped.map_err(|e| match e {
                        Error::SwapLost { .. } => e,
                        e => command.outcome_unknown(e),
                    });
                }
                Err(e) if e.is_transient() || is_about_names(&e) => e,
                Err(e) => return Err(e),
            };
            match self
                .place(target)
                .await
                .map_err(|e| command.outcome_unknown(e))?
            {
                Place::Target => return Ok(()),
                Place::Elsewhere => return Err(self.swap_lost(target)),
                Place::Staging if failure.code() == Some(code::NAMESPACE_EXISTS) => {
                    return Err(Error::TargetExists {
                        namespace: database.namespace(target),
                    });
                }
                Place::Staging if !failure.is_transient() => return Err(failure),
                Place::Staging => {}
            }
            let Some(pause) = pauses.next() else {
                return Err(command.outcome_unknown(failure));
            };
            report(&failure, pause);
            tokio::time::sleep(pause).await;
        }
    }

    async fn check_swapped(&self, target: &str) -> Result<()> {
        match self.place(target).await? {
            Place::Target => Ok(()),
            Place::Staging | Place::Elsewhere => Err(self.swap_lost(target)),
        }
    }

    async fn place(&self, target: &str) -> Result<Place> {
        let database = &self.collection.database;
        let is_this = |found: &crate::collection::Collection| {
            found.uuid().is_some() && found.uuid() == self.uuid()
        };
        if database
            .collection(self.name())
            .await?
            .as_ref()
            .is_some_and(is_this)
        {
            return Ok(Place::Staging);
        }
        let at_target = database
            .collection(target)
            .await?
            .as_ref()
            .is_some_and(is_this);
        Ok(if at_target {
            Place::Target
        } else {
            Place::Elsewhere
        })
    }

    fn swap_lost(&self, target: &str) -> Error {
        Error::SwapLost {
            namespace: self.collection.database.namespace(target),
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
