//! The clients that `bench export` and `bench import` compare: how each is started, and where it
//! runs.

use crate::binaries;

/// One client in one configuration.
pub(super) struct Client {
    /// The name shown in the report.
    pub(super) name: &'static str,
    /// One of our tools, or a program that [`peers::find`](crate::peers::find) knows.
    pub(super) program: &'static str,
    /// Everything after the program name. `RUN` stands for the name of this run and its database,
    /// `DIR` for its folder on disk, `URI` for MongoDB's address, `SCRIPTS` for `xtask/peers`,
    /// `JARS` for Spark's connector.
    pub(super) arguments: &'static str,
    pub(super) servers: Servers,
    /// The format it writes or reads.
    pub(super) format: Format,
    /// The format as the table describes it to readers.
    pub(super) does: &'static str,
}

/// Which servers a client uses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Servers {
    /// MongoDB and MinIO.
    Real,
    /// The testkit's, in this process: no disk, and no storage engine of anyone else's.
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
