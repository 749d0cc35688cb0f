//! Runs what takes too long for every commit: hundreds of kills and of runs under faults, and a
//! hundred thousand damaged data files.

use xshell::{Shell, cmd};

use crate::command;

/// How often and how long the tests do what they do in a moment otherwise.
const LONG: [(&str, &str); 5] = [
    ("LOB_DOUBLE_KILLS", "200"),
    ("LOB_KILLS", "20"),
    ("LOB_MUTATIONS", "100000"),
    ("LOB_SOAK_RUNS", "200"),
    ("LOB_STORM_SECONDS", "90"),
];
/// The tests of all tools that read them.
const TESTS: [&str; 5] = ["crash", "faults", "kills", "soak", "upload_kills"];

pub(crate) async fn run(sh: &Shell) -> anyhow::Result<()> {
    let environment = LONG.map(|(name, value)| (name, value.to_owned()));
    let tests = TESTS.iter().flat_map(|test| ["--test", test]);
    let of_all = cmd!(sh, "cargo test --locked --no-fail-fast -p lob-tests");
    command::run(cmd!(sh, "cargo build --workspace --bins --locked")).await?;
    command::run_with(&environment, of_all.args(tests).args(["--", "--nocapture"])).await?;
    let of_upload = cmd!(
        sh,
        "cargo test --locked -p lob-upload --test cli -- soak --nocapture"
    );
    command::run_with(&environment, of_upload).await?;
    let of_columns = cmd!(
        sh,
        "cargo test --locked -p lob-columns --test mutations -- --nocapture"
    );
    command::run_with(&environment, of_columns).await
}
