//! The exit statuses of the tools.

use std::process::ExitCode;

/// The exit status of every tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Done and proved.
    Done = 0,
    /// Failed; nothing was published, and the user can act on the message.
    Failed = 1,
    /// The command line or a setting is wrong; nothing was started.
    Usage = 2,
    /// Bytes, counts or digests differ from what was recorded.
    Integrity = 3,
    /// A request was sent, and no answer says whether it took effect; nothing was cleaned up.
    Unknown = 4,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
    /// Stopped by SIGTERM.
    Terminated = 143,
}

impl ExitStatus {
    /// Whether the command was merely told to stop.
    pub fn is_interrupt(self) -> bool {
        matches!(self, Self::Interrupted | Self::Terminated)
    }

    /// Rank among several failures: the one with the highest rank is reported.
    pub(super) fn gravity(self) -> u8 {
        match self {
            Self::Unknown => 2,
            Self::Integrity => 1,
            _ => 0,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}
