//! The binary `lob-export`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lob_core::cli::main(lob_export::run)
}
