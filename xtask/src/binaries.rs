//! The three binaries, built and found.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::ensure;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::command;

/// All of them.
pub(crate) const TOOLS: [&str; 3] = ["lob-upload", "lob-export", "lob-import"];

/// How they are built.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// The binaries of these tools by name, built.
pub(crate) async fn build(
    sh: &Shell,
    profile: Profile,
    tools: &[&str],
) -> anyhow::Result<HashMap<String, PathBuf>> {
    let build = match profile {
        // Every member, so that no dependency is built again with other features.
        Profile::Dev => cmd!(sh, "cargo build --workspace --bins --locked"),
        // By the names of binaries: with `-p`, dependencies would have other features than in what
        // `cargo build --release` makes.
        Profile::Release => {
            let binaries = tools.iter().flat_map(|tool| ["--bin", tool]);
            cmd!(sh, "cargo build --release --locked").args(binaries)
        }
    };
    println!("$ {build}");
    let messages = build.arg("--message-format=json-render-diagnostics");
    let messages = command::output(messages).await?;
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let binaries = messages.filter_map(|message| {
        let path = PathBuf::from(message["executable"].as_str()?);
        Some((message["target"]["name"].as_str()?.to_owned(), path))
    });
    let binaries: HashMap<_, _> = binaries.collect();
    for tool in tools {
        ensure!(binaries.contains_key(*tool), "the build made no `{tool}`");
    }
    Ok(binaries)
}
