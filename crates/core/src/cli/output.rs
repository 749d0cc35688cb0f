//! The last step of all output: everything the process prints passes through here, line by line,
//! and is made printable.
//!
//! Whoever turns free text into a line redacts it first: errors in `report`, the log in `logging`,
//! usage and panics in `cli`. Results and hints are written as they are.

use std::io::{self, Write as _};

use crate::text::printable;

/// Writes lines to stdout.
///
/// # Errors
/// The system's error.
pub(super) fn write_stdout<'a>(lines: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let text: String = lines.into_iter().map(line).collect();
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes a line to stderr.
pub(crate) fn write_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(line(text).as_bytes());
}

fn line(text: &str) -> String {
    format!("{}\n", printable(text))
}
