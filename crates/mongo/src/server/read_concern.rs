//! How current and how durable a read must be. Every read states it explicitly.
//!
//! Without that, a secondary answers with whatever it has, however far it lags behind. So every
//! read carries the primary's cluster time, and a member that has not reached it waits until it
//! has. A server that is not a replica set has no such time, and nothing to lag behind.

use bson::raw::cstr;
use bson::{RawDocumentBuf, Timestamp, rawdoc};
use mongodb::options::ReadConcernLevel;

use super::cluster_time::ClusterTime;
use crate::error::{Error, Result};

/// Whether data that was read may be rolled back if a primary is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It may be rolled back: it is what this member has.
    Local,
    /// It cannot be rolled back: most members have it.
    Majority,
}

impl Durability {
    /// The level that a connection string's `readConcernLevel` asks for.
    pub(crate) fn read(level: &ReadConcernLevel) -> Result<Self> {
        match level {
            ReadConcernLevel::Local => Ok(Self::Local),
            ReadConcernLevel::Majority => Ok(Self::Majority),
            _ => Err(Error::UnusableReadConcern),
        }
    }

    fn level(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Majority => "majority",
        }
    }
}

/// What a read requires of the member that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ReadConcern {
    /// Absent if nobody asks for one and the server is not a replica set.
    pub(crate) durability: Option<Durability>,
    /// The reply is as of this time or later; absent if the server has no time.
    pub(crate) after: Option<ClusterTime>,
}

impl ReadConcern {
    /// Adds the read concern to a read command.
    pub(crate) fn pin(self, body: &mut RawDocumentBuf) {
        let mut concern = rawdoc! {};
        if let Some(durability) = self.durability {
            concern.append(cstr!("level"), durability.level());
        }
        self.append_time(&mut concern);
        if !concern.is_empty() {
            body.append(cstr!("readConcern"), concern);
        }
    }

    /// Makes a read command choose a time no earlier than `after`.
    pub(crate) fn pin_snapshot(self, body: &mut RawDocumentBuf) {
        let mut concern = rawdoc! { "level": "snapshot" };
        self.append_time(&mut concern);
        body.append(cstr!("readConcern"), concern);
    }

    fn append_time(self, concern: &mut RawDocumentBuf) {
        if let Some(time) = self.after {
            concern.append(cstr!("afterClusterTime"), Timestamp::from(time));
        }
    }
}

/// Makes the read command `body` read at this time.
pub(crate) fn pin_to(time: ClusterTime, body: &mut RawDocumentBuf) {
    let concern = rawdoc! { "level": "snapshot", "atClusterTime": Timestamp::from(time) };
    body.append(cstr!("readConcern"), concern);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_concern_asks_only_for_what_is_known() {
        let time = ClusterTime {
            seconds: 7,
            increment: 2,
        };
        let pinned = |durability, after| {
            let mut body = rawdoc! { "find": "a" };
            ReadConcern { durability, after }.pin(&mut body);
            body
        };
        assert_eq!(pinned(None, None), rawdoc! { "find": "a" });
        let majority = rawdoc! { "find": "a", "readConcern": { "level": "majority" } };
        assert_eq!(pinned(Some(Durability::Majority), None), majority);
        let concern = rawdoc! { "level": "local", "afterClusterTime": Timestamp::from(time) };
        let current = rawdoc! { "find": "a", "readConcern": concern };
        assert_eq!(pinned(Some(Durability::Local), Some(time)), current);
    }

    #[test]
    fn only_read_concern_levels_that_see_all_writes_are_accepted() {
        let read = |level: ReadConcernLevel| Durability::read(&level);
        assert_eq!(read(ReadConcernLevel::Local).unwrap(), Durability::Local);
        assert_eq!(
            read(ReadConcernLevel::Majority).unwrap(),
            Durability::Majority
        );
        for level in [
            ReadConcernLevel::Available,
            ReadConcernLevel::Linearizable,
            ReadConcernLevel::Snapshot,
            ReadConcernLevel::Custom("locale".to_owned()),
        ] {
            assert!(matches!(read(level), Err(Error::UnusableReadConcern)));
        }
    }
}
