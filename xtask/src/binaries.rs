//! Builds and locates the three binaries.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::ensure;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::command;

pub(crate) const TOOLS: [&str; 3] = ["lob-upload", "lob-export", "lob-import"];

/// The Cargo profile to build with.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// Builds the binaries of these tools; returns their paths by name.
pub(crate) async fn build(
    sh: &Shell,
    profile: Profile,
    tools: &[&str],
) -> anyhow::Result<HashMap<String, PathBuf>> {
    let build = match profile {
        // Build every member, or dependencies would be rebuilt with other features.
        Profile::Dev => cmd!(sh, "cargo build --workspace --bins --locked"),
        // Select binaries by name: with `-p`, dependencies would get other features than in
        // `cargo build --release`.
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
