//! Gives staging the indexes of the exported collection.

use super::handle::Staging;
use crate::collection::{Blueprint, Built, build, is_empty};
use crate::error::{Error, Result};

/// Builds all indexes except the TTL indexes.
pub(super) async fn build_indexes(staging: &Staging, blueprint: &Blueprint) -> Result<()> {
    let (collection, write_concern) = (&staging.collection, &staging.write_concern);
    match build(collection, &blueprint.indexes, write_concern).await? {
        Built::Here => Ok(()),
        Built::InNewCollection => {
            // An import that finds it empty would take it for a staging collection of its own.
            let stray = collection.database.collection(staging.name()).await?;
            if let Some(stray) = stray
                && is_empty(&stray).await?
            {
                stray.drop(write_concern).await?;
            }
            Err(collection.replaced())
        }
    }
}

/// Builds the TTL indexes once staging is at `target`.
pub(super) async fn build_expiring_at(
    staging: &Staging,
    target: &str,
    blueprint: &Blueprint,
) -> Result<()> {
    if blueprint.expiring.is_empty() {
        return Ok(());
    }
    let at_target = staging.at(target).await?;
    let target = at_target.ok_or_else(|| Error::Replaced {
        namespace: staging.collection.database.namespace(target),
    })?;
    let indexes = &blueprint.expiring;
    match build(&target, indexes, &staging.write_concern).await? {
        Built::Here => Ok(()),
        Built::InNewCollection => Err(target.replaced()),
    }
}
