//! Python with pymongo, pyarrow, DuckDB, polars and PySpark: readers that are not ours to trust.

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

/// Runs a script that needs Spark, if `LOB_E2E_SPARK` says that it is there: `cargo xtask e2e` sets
/// it where it finds Java, and says aloud where it does not.
pub fn run_with_spark(script: &str, arguments: &[&str]) -> Option<String> {
    std::env::var_os("LOB_E2E_SPARK")?;
    run(script, arguments)
}
