//! The help of each tool and subcommand lists exactly the flags that it takes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use lob_tests::servers::Servers;

/// Flags that no tool takes before a subcommand.
const OF_ONE_SUBCOMMAND: [&str; 3] = ["--full", "--print-uri", "--yes"];

/// How many tools run at once: as many as a small machine can take.
const AT_ONCE: usize = 4;

async fn help(servers: &Servers, tool: &str, verb: Option<&str>) -> String {
    let args: Vec<_> = verb.into_iter().chain(["--help"]).collect();
    let mut command = servers.tool(tool, &args);
    let output = command.env_clear().output().await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The long flags that a help text lists, with the names of their values.
fn flags(help: &str) -> BTreeMap<String, Option<String>> {
    let lines = help.lines().filter_map(|line| {
        let flag = line.strip_prefix("      ").or_else(|| {
            let (short, long) = line.strip_prefix("  -")?.split_once(", ")?;
            (short.len() == 1).then_some(long)
        })?;
        let mut words = flag.split(' ').map(str::to_owned);
        let flag = words.next().filter(|word| word.starts_with("--"))?;
        Some((flag, words.next()))
    });
    lines
        .filter(|(flag, _)| !["--help", "--version"].contains(&flag.as_str()))
        .collect()
}

/// Values for the operands in a command's usage line.
fn operands(help: &str) -> Vec<&'static str> {
    let usage = help.lines().find(|line| line.starts_with("Usage: "));
    let words = usage.unwrap().split(' ');
    words
        .filter_map(|word| match word {
            "[RUN]" => Some("run-1"),
            "<DIR>" => Some("there"),
            _ => None,
        })
        .collect()
}

/// A valid value for a flag.
fn value(flag: &str, name: &str) -> &'static str {
    match (flag, name) {
        ("--compression", _) => "snappy",
        ("--hash", _) => "md5",
        ("--checksum", _) => "etag",
        ("--check", _) => "full",
        ("--legacy-ids", _) => "string",
        ("--sse", _) => "AES256",
        ("--path-style", _) => "path",
        ("--collection-pattern", _) => "s_{N}",
        ("--progress" | "--log-format", _) => "json",
        ("--metrics-format", _) => "emf",
        ("--config", _) => "lob.toml",
        ("--log-level", _) => "info",
        ("--mongodb-uri", _) => "mongodb://h/",
        (_, "<SIZE>") => "8MiB",
        (_, "<DURATION>") => "30s",
        (_, "<PERCENT>") => "3",
        (_, "<COUNT>" | "<N>" | "<NUMBERS>" | "<MEMBERS>") => "2",
        (_, "<K/N>") => "0/2",
        (_, "<URL>") => "http://h",
        (_, "<NAME=VALUE>") => "a=b",
        _ => "name",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_commands_help_lists_exactly_the_flags_it_takes() {
    let servers = Servers::doubles(<_>::default()).await;
    let mut cases = Vec::new();
    for (tool, verbs) in [
        (
            "lob-upload",
            &["verify", "restore", "latest", "list", "cleanup"][..],
        ),
        (
            "lob-export",
            &["plan", "work", "commit", "cleanup", "latest", "list"],
        ),
        ("lob-import", &["verify", "list"]),
    ] {
        let mut helps = Vec::new();
        for verb in [None].into_iter().chain(verbs.iter().copied().map(Some)) {
            let help = help(&servers, tool, verb).await;
            helps.push((verb, operands(&help), flags(&help)));
        }
        let all: BTreeMap<_, _> = helps.iter().flat_map(|(_, _, f)| f.clone()).collect();
        for (verb, operands, listed) in helps {
            assert!(!listed.is_empty(), "{tool} {verb:?}");
            for (flag, name) in &all {
                let mut typed = vec![flag.clone()];
                typed.extend(name.iter().map(|name| value(flag, name).to_owned()));
                let command: Vec<_> = verb.into_iter().chain(operands.clone()).collect();
                let command: Vec<_> = command.into_iter().map(str::to_owned).collect();
                let is_listed = listed.contains_key(flag);
                cases.push((tool, is_listed, [&command[..], &typed].concat()));
                if !OF_ONE_SUBCOMMAND.contains(&flag.as_str()) {
                    cases.push((tool, is_listed, [typed, command].concat()));
                }
            }
        }
    }
    let refused: BTreeSet<_> = cases.iter().filter(|(_, listed, _)| !listed).collect();
    assert!(refused.len() > 100 && cases.len() > 400, "{}", cases.len());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lob.toml"), "").unwrap();
    let running = futures::stream::iter(&cases).map(async |(tool, is_listed, args)| {
        let mut command = servers.tool(tool, &[]);
        command.env_clear().current_dir(folder.path()).args(args);
        if !args.iter().any(|arg| arg == "--show-settings") {
            command.arg("--show-settings");
        }
        let output = command.output().await.unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        (output.status.success() != *is_listed).then(|| format!("{tool} {args:?}: {printed}"))
    });
    let wrong: Vec<_> = running
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
