//! The binary `lob-upload`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lob_upload::main()
}
