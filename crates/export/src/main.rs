//! The binary `lob-export`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lob_export::main()
}
