//! The binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lob_core::cli::main::<lob_upload::Args>(lob_upload::run)
}
