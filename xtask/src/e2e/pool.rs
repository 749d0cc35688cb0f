//! The tools' command-line tests on real servers, of which each test takes some to itself.
//!
//! The tools have the rights that OPERATIONS documents and no other. A test that needs what only a
//! double can do says so, and is counted here: nothing runs on doubles unnoticed.

use anyhow::ensure;
use lob_testkit::real::{MONGODB_POOL, S3_POOL};
use xshell::{Shell, cmd};

use crate::command;
use crate::minio::Minio;
use crate::mongod::Mongod;
use crate::notes::NotesFile;

/// How many tests run at once.
const AT_ONCE: usize = 2;
/// Of each kind: a test may have two servers at a time.
const SERVERS: usize = 2 * AT_ONCE;

pub(super) async fn run(sh: &Shell) -> anyhow::Result<()> {
    let (mut minios, mut mongods) = (Vec::new(), Vec::new());
    for number in 1..=SERVERS {
        minios.push(Minio::with_users(sh, &format!("minio-{number}")).await?);
        let (mongod, _) = Mongod::start_with_users(sh, &format!("mongod-{number}")).await?;
        mongods.push(mongod);
    }
    let endpoints: Vec<_> = minios.iter().map(Minio::endpoint).collect();
    let addresses: Vec<_> = mongods.iter().map(Mongod::address).collect();
    let notes = NotesFile::new()?;
    let environment = [
        (S3_POOL, endpoints.join(" ")),
        (MONGODB_POOL, addresses.join(" ")),
        notes.variable(),
    ];
    let threads = AT_ONCE.to_string();
    let tests = cmd!(
        sh,
        "cargo test --workspace --locked --no-fail-fast --test cli -- --test-threads {threads}"
    );
    let ended = command::run_with(&environment, tests).await;
    let notes = notes.read();
    notes.print_servers();
    ended?;
    ensure!(notes.has_real(), "no test ran on real servers");
    Ok(())
}
