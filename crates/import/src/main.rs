//! The binary `lob-import`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lob_import::main()
}
