//! Treats empty variables as unset.
//!
//! The SDK reads variables of its own, and takes an empty `AWS_PROFILE` for the name of a profile.
//! A process cannot safely remove a variable from its own environment, so it re-executes itself
//! without them. On Windows a variable cannot be empty.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::text::bare;

/// Prefix of the SDK's variables.
const OF_SDK: &str = "AWS_";

/// Whether nothing is set, as by a file of variables that keeps the quotes.
fn is_empty(value: &OsStr) -> bool {
    value.to_str().is_some_and(|text| bare(text).is_empty())
}

/// Drops the SDK's variables that are empty, if any, by executing the same program again, in the
/// same process and with the same arguments.
///
/// # Errors
/// The system's error, if there are such variables and the program cannot be executed again.
pub(super) fn leave_out_empty() -> io::Result<()> {
    let empty: Vec<OsString> = env::vars_os()
        .filter(|(name, value)| is_empty(value) && name.to_string_lossy().starts_with(OF_SDK))
        .map(|(name, _)| name)
        .collect();
    if empty.is_empty() {
        return Ok(());
    }
    let mut words = env::args_os();
    let mut program = Command::new(env::current_exe()?);
    program.arg0(words.next().unwrap_or_default()).args(words);
    for name in empty {
        program.env_remove(name);
    }
    Err(program.exec())
}
