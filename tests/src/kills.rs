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

/// The seed of all that is random in a test: that of an earlier run, or a new one, which is shown
/// if the test fails.
#[allow(clippy::print_stdout, reason = "a failure is repeated by its seed")]
pub fn seed() -> u64 {
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = setting("LOB_KILL_SEED").unwrap_or_else(now);
    println!("LOB_KILL_SEED={seed}");
    seed
}

/// How many kills a test of random moments makes.
fn kills() -> u32 {
    setting("LOB_KILLS").map_or(4, |kills| kills.try_into().unwrap())
}

/// The moments of the requested number of kills: one at random in each of as many stretches of a
/// run that takes `whole`, so that most come in time on a machine of any speed.
#[allow(clippy::print_stdout, reason = "a failure is repeated by its seed")]
pub fn moments(whole: Duration) -> Vec<Duration> {
    println!("an undisturbed run takes {whole:?}");
    let mut random = StdRng::seed_from_u64(seed());
    let stretch = whole / kills();
    let moment = |before| stretch * before + stretch.mul_f64(random.random());
    (0..kills()).map(moment).collect()
}

/// Asserts that at least half of the kills met a running process.
pub fn assert_in_time(killed: u32) {
    let kills = kills();
    assert!(
        killed * 2 >= kills,
        "only {killed} of {kills} kills came in time"
    );
}

/// Runs a tool to completion; returns how long it took.
pub async fn undisturbed(servers: &Servers, tool: &str, arguments: &[&str]) -> Duration {
    let begin = Instant::now();
    servers.run(tool, arguments).await.with_status(0);
    begin.elapsed()
}

/// Starts a tool and kills it after a while; returns 1 if that ended it, 0 if it had finished.
pub async fn kill(servers: &Servers, tool: &str, arguments: &[&str], moment: Duration) -> u32 {
    let mut child = servers.spawn(tool, arguments);
    tokio::time::sleep(moment).await;
    let _ = child.start_kill().is_ok();
    let status = child.wait().await.unwrap();
    // Windows has no signals: a killed process ends with a status.
    u32::from(match cfg!(unix) {
        true => status.code().is_none(),
        false => !status.success(),
    })
}

/// Runs the killed command again, which must now succeed.
pub async fn repeat(servers: &Servers, tool: &str, arguments: &[&str], moment: Duration) {
    let ended = servers.run(tool, arguments).await;
    let (status, stderr) = (ended.status, ended.stderr);
    assert_eq!(status, Some(0), "killed after {moment:?}\n{stderr}");
}
