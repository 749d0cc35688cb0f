//! What tests tell xtask besides passing: that their fault really happened, that they could not run
//! here, or which servers they ran on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Write as _;

/// Names the file that notes are appended to.
pub const TEST_NOTES: &str = "LOB_TEST_NOTES";

/// Notes that the current test provoked case `id` of `lob_tests::reliability`. Call it once the
/// test has asserted that: a gate's count moved, a process was killed, a bad input was read.
///
/// # Panics
/// If the note cannot be written.
pub fn fault_fired(id: &str) {
    note("fired", id);
}

/// Notes that the current test cannot run here, and why. The test then returns.
///
/// # Panics
/// If the note cannot be written.
pub fn skipped(reason: &str) {
    note("skipped", reason);
}

/// Notes that a server of the current test is a double although there are real ones, and why.
pub(crate) fn on_double(reason: &str) {
    note("double", reason);
}

/// Notes that the current test has a real server.
pub(crate) fn on_real_server() {
    note("real", "server");
}

/// Appends a line: the kind of note, the test's path, and a text.
fn note(kind: &str, text: &str) {
    let Some(path) = std::env::var_os(TEST_NOTES) else {
        return;
    };
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("?");
    // Cargo sets it.
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    // In one write, so that notes of simultaneous tests do not mix.
    file.write_all(format!("{kind} {package}::{test} {text}\n").as_bytes())
        .unwrap();
}
