//! How much disk space a server has left: for a warning, never as proof.

use bson::rawdoc;
use lob_core::settings::ByteSize;

use super::command::Command;
use super::handle::Database;
use super::reply::number;
use crate::error::{Error, Result};

impl Database {
    /// The free space on the disk with the server's data; `None` if the server does not report it.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn free_disk(&self) -> Result<Option<ByteSize>> {
        let command = Command::new("dbStats", self.name().to_owned());
        let asking = || self.run(&command, rawdoc! { "dbStats": 1 });
        let reply = match self.server.retry(asking).await {
            Err(Error::Unauthorized { .. }) => return Ok(None),
            Err(Error::Refused { source, .. }) if !source.is_transient() => return Ok(None),
            reply => reply?,
        };
        let (total, used) = (number(&reply, "fsTotalSize"), number(&reply, "fsUsedSize"));
        let free = total
            .zip(used)
            .map(|(total, used)| total.saturating_sub(used));
        Ok(free.map(ByteSize::b))
    }
}
