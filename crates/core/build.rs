//! Tells `--version` what it was built for and, if that is certain, from which commit.
//!
//! A commit is certain in two cases: `cargo xtask dist` names the one that it builds, and `cargo
//! install --git` builds in a checkout of its own, which cargo marks. A working copy may differ
//! from its commit at any time, so its builds name none.

use std::env;
use std::path::Path;
use std::process::Command;

/// The variable in which `cargo xtask dist` names the commit.
const COMMIT: &str = "LOB_COMMIT";
/// The root of the repository, from this package.
const ROOT: &str = "../..";
/// The file with which cargo marks its own checkouts.
const MARK: &str = ".cargo-ok";
/// The digits of a commit that are shown.
const DIGITS: usize = 12;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={COMMIT}");
    let target = env::var("TARGET").unwrap_or_default();
    let commit = env::var(COMMIT).ok().or_else(commit_of_checkout);
    let commit = commit.filter(|commit| commit.len() >= DIGITS);
    let build = match &commit {
        Some(commit) => format!("{} {target}", &commit[..DIGITS]),
        None => target,
    };
    println!("cargo:rustc-env=LOB_BUILD={build}");
}

/// The commit that `cargo install --git` has checked out.
fn commit_of_checkout() -> Option<String> {
    if !Path::new(ROOT).join(MARK).exists() {
        return None;
    }
    let git = Command::new("git")
        .args(["-C", ROOT, "rev-parse", "HEAD"])
        .output()
        .ok()?;
    let commit = String::from_utf8(git.stdout).ok()?;
    git.status.success().then(|| commit.trim().to_owned())
}
