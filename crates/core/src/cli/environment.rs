//! Empty variables, which count as not set.
//!
//! The SDK reads variables of its own, and takes an empty `AWS_PROFILE` for the name of a profile. A
//! process cannot safely take a variable out of its own environment, so it becomes one without them.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What the names of the SDK's variables begin with.
const OF_SDK: &str = "AWS_";

/// Goes on without the SDK's variables that are empty: as the same process, of the same program and
/// arguments.
///
/// # Errors
/// The system's, where there are such variables and it does not start the program again.
pub(super) fn leave_out_empty() -> io::Result<()> {
    let empty: Vec<OsString> = env::vars_os()
        .filter(|(name, value)| value.is_empty() && name.to_string_lossy().starts_with(OF_SDK))
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
