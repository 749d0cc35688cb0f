//! Python with pymongo, pyarrow, DuckDB, polars and PySpark: independent readers of our files.

use std::process::Command;

/// Runs a script and returns what it printed. Does nothing unless `LOB_E2E_PYTHON` names an
/// interpreter with the packages installed (`cargo xtask e2e` sets it up).
pub fn run(script: &str, arguments: &[&str]) -> Option<String> {
    let Some(python) = std::env::var_os("LOB_E2E_PYTHON") else {
        lob_testkit::skipped("no Python with the readers is named");
        return None;
    };
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

/// Runs a script that needs Spark, if `LOB_E2E_SPARK` says that it is available. `cargo xtask e2e`
/// sets the variable if it finds Java, and prints a message if not.
pub fn run_with_spark(script: &str, arguments: &[&str]) -> Option<String> {
    if std::env::var_os("LOB_E2E_SPARK").is_none() {
        lob_testkit::skipped("there is no Spark");
        return None;
    }
    run(script, arguments)
}
