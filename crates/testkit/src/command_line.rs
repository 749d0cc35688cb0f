//! What a command-line process printed and how it exited, with checks for both.
//!
//! Every process in the tools' tests goes through [`finish`], so a leaked secret never goes
//! unnoticed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::process::ExitStatus;

use tokio::process::Child;

use crate::canaries;

#[doc(hidden)]
pub use insta;

/// Patterns for output that differs from run to run, and what a snapshot shows instead.
pub const FILTERS: [(&str, &str); 15] = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
    (r"\d{8}_\d{6}\b", "[RUN]"),
    (r"127\.0\.0\.1:\d+", "[SERVER]"),
    (r"(?m) +$", ""),
    (r"\d+\.\d+ s\b", "[SECONDS] s"),
    (r"\d+\.\d+s\b", "[SECONDS]s"),
    (r"seconds=\S+", "seconds=[SECONDS]"),
    (r"[\d.]+ [KM]?i?B/s", "[SPEED]"),
    (r"\d+\.\d+MB/s", "[SPEED]"),
    (r"[\d.]+ KiB( in| of|,) ", "[SIZE]$1 "),
    (r"labels: \{[^}]*\}", "labels: {}"),
    (r"request id [^\]]+", "request id [ID]"),
    (r"\b[0-9a-f]{32}\b", "[DIGEST]"),
    (r"\b[0-9a-f]{64}\b", "[HASH]"),
    (r"__lob_[0-9a-f]{8}", "__lob_[HASH]"),
];

/// The outcome of a finished process.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Finished {
    /// Returns itself if the process exited with `code`.
    ///
    /// # Panics
    /// If it did not, with everything the process printed.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.shown());
        self
    }

    /// Status and output in the form that snapshots use.
    pub fn shown(&self) -> String {
        let Self {
            status,
            stdout,
            stderr,
        } = self;
        format!("{status}\n----- stdout -----\n{stdout}----- stderr -----\n{stderr}")
    }
}

/// Waits for a process to exit.
///
/// # Panics
/// If it printed a secret, or anything that is not UTF-8.
pub async fn finish(child: Child) -> Finished {
    let output = canaries::assert_clean(child.wait_with_output().await.unwrap());
    Finished {
        status: output.status,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An address that nothing listens on.
///
/// # Panics
/// If this machine has no free port.
pub fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Compares a process's output with a snapshot, filtering out what differs from run to run.
#[macro_export]
macro_rules! assert_shown {
    ($finished:expr, @$snapshot:literal) => {
        let finished: $crate::command_line::Finished = $finished;
        $crate::command_line::insta::with_settings!({
            filters => $crate::command_line::FILTERS
        }, {
            $crate::command_line::insta::assert_snapshot!(finished.shown(), @$snapshot);
        });
    };
}
