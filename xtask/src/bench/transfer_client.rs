//! The clients that `bench export` and `bench import` compare: how each is started, and where it works.

use crate::binaries;

/// One client in one configuration.
pub(super) struct Client {
    /// As it is shown.
    pub(super) name: &'static str,
    /// A tool of ours, or what [`peers::find`](crate::peers::find) knows.
    pub(super) program: &'static str,
    /// All words after the program, where these stand for something: `RUN` for the name of this run
    /// and of its database, `DIR` for the folder of what is on disk, `URI` for MongoDB's, `SCRIPTS`
    /// for `xtask/peers`, `JARS` for Spark's connector.
    pub(super) arguments: &'static str,
    pub(super) servers: Servers,
    /// What it leaves behind or begins with.
    pub(super) format: Format,
    /// The same for a reader of the table.
    pub(super) does: &'static str,
}

/// Where a client works.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Servers {
    /// MongoDB and MinIO.
    Real,
    /// The testkit's in this process: no disk, and nobody else's way to store things.
    Doubles,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Run,
    Dump,
    Parquet,
}

impl Client {
    pub(super) fn is_ours(&self) -> bool {
        binaries::TOOLS.contains(&self.program)
    }
}
