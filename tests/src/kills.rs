//! Kills a tool with `kill -9` at random moments and runs the same command again.
//!
//! `LOB_KILLS` sets the number of kills, and `LOB_KILL_SEED` repeats the moments of an earlier run.

use std::env;
use std::time::{Duration, Instant, SystemTime};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::servers::Servers;

/// A number from the environment.
pub fn setting(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap())
}

/// The moments of the requested number of kills, each within a run that takes `whole`. Prints the
/// seed that repeats them.
#[allow(clippy::print_stdout, reason = "a failure is repeated by its seed")]
pub fn moments(whole: Duration) -> Vec<Duration> {
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = setting("LOB_KILL_SEED").unwrap_or_else(now);
    println!("LOB_KILL_SEED={seed}, an undisturbed run takes {whole:?}");
    let mut random = StdRng::seed_from_u64(seed);
    let kills = setting("LOB_KILLS").unwrap_or(4);
    let moment = |_| whole.mul_f64(random.random());
    (0..kills).map(moment).collect()
}

/// Runs a tool to completion; returns how long it took.
pub async fn undisturbed(servers: &Servers, tool: &str, arguments: &[&str]) -> Duration {
    let begin = Instant::now();
    servers.run(tool, arguments).await.with_status(0);
    begin.elapsed()
}

/// Starts a tool and kills it after a while; it may have finished by then.
pub async fn kill(servers: &Servers, tool: &str, arguments: &[&str], moment: Duration) {
    let mut child = servers.spawn(tool, arguments);
    tokio::time::sleep(moment).await;
    let _ = child.start_kill().is_ok();
    child.wait().await.unwrap();
}

/// Runs the killed command again, which must now succeed.
pub async fn repeat(servers: &Servers, tool: &str, arguments: &[&str], moment: Duration) {
    let ended = servers.run(tool, arguments).await;
    let (status, stderr) = (ended.status, ended.stderr);
    assert_eq!(status, Some(0), "killed after {moment:?}\n{stderr}");
}
