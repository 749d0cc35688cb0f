//! How documents are written: batch sizes, and what a server must promise before a write counts.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bson::{RawDocumentBuf, rawdoc};
use lob_core::settings::ByteSize;
use lob_core::settings::{duration, whole};
use serde::{Deserialize, Serialize};

/// The resolved settings for writing to MongoDB.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct WriteSettings {
    /// Who must have a write in their journal before it counts.
    pub write_concern: WriteConcern,
    /// How long to wait for them.
    #[serde(with = "humantime_serde")]
    pub write_concern_timeout: Duration,
    /// Maximum bytes of one insert command; a single larger document is sent alone.
    pub insert_batch_size: ByteSize,
    /// Maximum number of documents in one insert command.
    pub insert_batch_documents: u32,
}

impl Default for WriteSettings {
    fn default() -> Self {
        Self {
            write_concern: WriteConcern::Majority,
            write_concern_timeout: Duration::from_secs(60),
            insert_batch_size: ByteSize::mib(4),
            insert_batch_documents: 10_000,
        }
    }
}

impl WriteSettings {
    /// The `writeConcern` of a command: always explicit and always with the journal, so that an
    /// acknowledged document survives a server crash.
    pub(crate) fn write_concern_document(&self) -> RawDocumentBuf {
        let timeout = i64::try_from(self.write_concern_timeout.as_millis()).unwrap_or(i64::MAX);
        match self.write_concern {
            WriteConcern::Majority => rawdoc! { "w": "majority", "j": true, "wtimeout": timeout },
            WriteConcern::Members(n) => {
                rawdoc! { "w": i64::from(n), "j": true, "wtimeout": timeout }
            }
        }
    }
}

/// The flags of [`WriteSettings`].
#[derive(Debug, Clone, Default, clap::Args, Serialize)]
#[command(next_help_heading = "MongoDB writes")]
pub struct WriteArgs {
    /// Members that must have a write in their journal: `majority` or a number
    #[arg(long, value_name = "MEMBERS")]
    pub write_concern: Option<WriteConcern>,
    /// How long to wait for those members
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[serde(with = "humantime_serde")]
    pub write_concern_timeout: Option<Duration>,
    /// Most bytes in one insert command, up to 16MiB
    #[arg(long, value_name = "SIZE")]
    pub insert_batch_size: Option<ByteSize>,
    /// Most documents in one insert command, up to 100000
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>)]
    pub insert_batch_documents: Option<u32>,
}

/// How many members of a replica set must have a write in their journal before it counts.
/// Unacknowledged writes (`w: 0`) cannot be expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteConcern {
    /// Enough that no election can undo the write.
    Majority,
    /// This many, at least one.
    Members(u32),
}

impl FromStr for WriteConcern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "majority" => Ok(Self::Majority),
            Ok(0) | Err(_) => Err(format!(
                "`{text}` is neither `majority` nor a positive number"
            )),
            Ok(members) => Ok(Self::Members(members)),
        }
    }
}

impl fmt::Display for WriteConcern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Majority => f.write_str("majority"),
            Self::Members(members) => write!(f, "{members}"),
        }
    }
}

lob_core::serialize_as_text!(WriteConcern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_concern_reads_back_and_is_never_unacknowledged() {
        for concern in [WriteConcern::Majority, WriteConcern::Members(3)] {
            assert_eq!(concern.to_string().parse(), Ok(concern));
        }
        for text in ["0", "-1", "most", ""] {
            assert!(text.parse::<WriteConcern>().is_err(), "{text}");
        }
    }
}
