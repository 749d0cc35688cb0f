//! A point in a replica set's history on which reads by several processes agree.

use std::fmt;

use bson::Timestamp;
use serde::{Deserialize, Serialize};

/// A cluster time of MongoDB; later times compare greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClusterTime {
    /// Seconds since 1970.
    pub seconds: u32,
    /// A counter of the operations within that second.
    pub increment: u32,
}

impl From<Timestamp> for ClusterTime {
    fn from(time: Timestamp) -> Self {
        Self {
            seconds: time.time,
            increment: time.increment,
        }
    }
}

impl From<ClusterTime> for Timestamp {
    fn from(time: ClusterTime) -> Self {
        Self {
            time: time.seconds,
            increment: time.increment,
        }
    }
}

/// Written as in MongoDB's shell.
impl fmt::Display for ClusterTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({}, {})", self.seconds, self.increment)
    }
}
