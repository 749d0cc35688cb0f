//! Python with pymongo, pyarrow, DuckDB and polars: readers that are not ours to trust.

use std::process::Command;

/// Runs a script with arguments, if `LOB_E2E_PYTHON` names an interpreter that has the packages
/// (`cargo xtask e2e` sets it up); returns what it printed.
pub fn run(script: &str, arguments: &[&str]) -> Option<String> {
    let python = std::env::var_os("LOB_E2E_PYTHON")?;
    let output = Command::new(python)
        .arg("-c")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    Some(String::from_utf8(output.stdout).unwrap())
}
