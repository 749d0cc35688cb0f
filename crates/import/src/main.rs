//! The binary `lob-import`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lob_core::cli::main(lob_import::run)
}
