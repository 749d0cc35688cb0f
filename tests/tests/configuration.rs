//! The tools' settings. docs/CONFIGURATION.md lists exactly these, each with its flag, variable and
//! default; a settings file may hold exactly these; and `--show-settings` prints such a file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use lob_tests::servers::Servers;
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../docs/CONFIGURATION.md");

/// Defaults that depend on the system.
const NOT_SHOWN: [&str; 2] = ["memory", "spool_dir"];

/// A row in a table of settings; cells have neither surrounding spaces nor backticks.
struct Row {
    key: String,
    flag: String,
    variable: String,
    default: String,
}

/// The rows of all tables whose first column is a setting's key.
fn rows() -> Vec<Row> {
    let tables = DOCUMENT
        .split("| Key | Flag | Variable | Default |")
        .skip(1);
    let lines = tables.flat_map(|table| table.lines().skip(2).take_while(|l| l.starts_with('|')));
    let rows = lines.map(|line| {
        let mut cells = line.split('|').map(|cell| cell.trim().replace('`', ""));
        cells.next();
        let mut next = || cells.next().unwrap();
        Row {
            key: next(),
            flag: next(),
            variable: next(),
            default: next(),
        }
    });
    rows.collect()
}

/// The keys and values that a tool shows when nothing is set.
async fn shown(servers: &Servers, tool: &str) -> Vec<(String, String)> {
    let mut command = servers.tool(tool, &["--show-settings", "--json"]);
    let output = command.env_clear().output().await.unwrap();
    let settings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| match value {
        Value::Null => "(not set)".to_owned(),
        Value::Array(list) if list.is_empty() => "(not set)".to_owned(),
        Value::Object(table) if table.is_empty() => "(not set)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let pairs = settings
        .iter()
        .map(|setting| (text(&setting["key"]), text(&setting["value"])));
    pairs.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_md_lists_exactly_the_settings_with_their_defaults() {
    let servers = Servers::start().await;
    let rows = rows();
    let mut known = BTreeSet::new();
    for tool in ["lob-upload", "lob-export", "lob-import"] {
        for (key, value) in shown(&servers, tool).await {
            let is_documented = rows.iter().any(|row| {
                let default = row.default == value || NOT_SHOWN.contains(&key.as_str());
                row.key == key && default
            });
            assert!(is_documented, "{tool}: {key} = {value}");
            known.insert(key);
        }
    }
    for row in rows {
        assert!(known.contains(&row.key), "no tool has {}", row.key);
        assert_eq!(row.flag, format!("--{}", row.key.replace('_', "-")));
        let variable = format!("LOB_{}", row.key.to_uppercase());
        assert!(
            row.variable.split(", ").any(|name| name == variable),
            "{}: no {variable}",
            row.key
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_settings_keep_numbers_lists_and_booleans() {
    let servers = Servers::start().await;
    let args = "--show-settings --json --include a* --include b* --metadata team=x --allow-partial \
                --jobs 4";
    let args: Vec<_> = args.split_whitespace().collect();
    let output = servers.tool("lob-upload", &args).env_clear().output();
    let settings: Vec<Value> = serde_json::from_slice(&output.await.unwrap().stdout).unwrap();
    for (key, value) in [
        ("jobs", serde_json::json!(4)),
        ("allow_partial", true.into()),
        ("include", serde_json::json!(["a*", "b*"])),
        ("exclude", serde_json::json!([])),
        ("metadata", serde_json::json!({ "team": "x" })),
        ("multipart_threshold", "16MiB".into()),
        ("part_size", Value::Null),
        ("bucket", Value::Null),
    ] {
        let shown = settings.iter().find(|setting| setting["key"] == key);
        assert_eq!(shown.unwrap()["value"], value, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_string_read_from_a_file_is_not_shown() {
    let servers = Servers::start().await;
    for tool in ["lob-export", "lob-import"] {
        for (args, is_shown) in [(&["--mongodb-uri-file", "uri"][..], false), (&[], true)] {
            let shown = shown_with(&servers, tool, "", args).await;
            let default = "mongodb_uri = \"mongodb://localhost:27017/\"  # default\n";
            assert_eq!(shown.contains(default), is_shown, "{tool}: {shown}");
        }
    }
}

/// The paragraph of `--help` about the flag of a setting.
fn help_of(help: &str, key: &str) -> String {
    let flag = format!("--{} <", key.replace('_', "-"));
    let lines = help.lines().map(str::trim);
    let lines = lines.skip_while(|line| !line.starts_with(&flag));
    lines
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_of_each_flag_ends_with_the_default_of_its_setting() {
    let servers = Servers::start().await;
    for tool in ["lob-upload", "lob-export", "lob-import"] {
        let help = servers.tool(tool, &["--help"]).env_clear().output().await;
        let help = String::from_utf8(help.unwrap().stdout).unwrap();
        for (key, value) in shown(&servers, tool).await {
            let is_value = !["(not set)", "false", "true"].contains(&value.as_str());
            if is_value && !NOT_SHOWN.contains(&key.as_str()) {
                let told = help_of(&help, &key);
                assert!(
                    told.ends_with(&format!(" [default: {value}]")),
                    "{tool}: {key}: {told}"
                );
                assert_eq!(told.matches("[default: ").count(), 1, "{tool}: {told}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_is_a_setting_or_a_hint_says_to_type_it() {
    let servers = Servers::start().await;
    for reference in [
        include_str!("../../docs/reference/lob-upload.md"),
        include_str!("../../docs/reference/lob-export.md"),
        include_str!("../../docs/reference/lob-import.md"),
    ] {
        let flags = reference.lines().filter_map(|line| {
            let flag = line.strip_prefix("* `")?.split_once("--")?.1;
            flag.split(['`', ' ']).next()
        });
        let flags: BTreeSet<_> = flags.collect();
        assert!(flags.len() > 30);
        let settings: BTreeSet<_> = rows().into_iter().map(|row| row.key).collect();
        let is_setting = |flag: &str| settings.contains(&flag.replace('-', "_"));
        for flag in flags.into_iter().filter(|flag| !is_setting(flag)) {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), format!("{} = true", flag.replace('-', "_"))).unwrap();
            let args = ["--show-settings", "--config", file.path().to_str().unwrap()];
            let refused = servers.tool("lob-import", &args).output().await.unwrap();
            let stderr = String::from_utf8(refused.stderr).unwrap();
            let hint = format!("hint: it is not a setting: use the flag `--{flag}`");
            assert!(stderr.contains(&hint), "{flag}: {stderr}");
        }
    }
}

/// What `tool` shows when given this settings file.
async fn shown_with(servers: &Servers, tool: &str, file: &str, args: &[&str]) -> String {
    let named = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(named.path(), file).unwrap();
    let path = named.path().to_str().unwrap();
    let args = [args, &["--show-settings", "--config", path]].concat();
    let output = servers
        .tool(tool, &args)
        .env_clear()
        .output()
        .await
        .unwrap();
    let (stdout, stderr) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{tool}: {stderr}");
    String::from_utf8(stdout).unwrap()
}

/// The settings without their origins.
fn values(shown: &str) -> Vec<&str> {
    let lines = shown
        .lines()
        .map(|line| line.rsplit_once("  # ").unwrap().0);
    lines.map(|line| line.trim_start_matches("# ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn shown_settings_are_a_file_that_gives_the_same_settings() {
    let servers = Servers::start().await;
    for (tool, args) in [
        (
            "lob-upload",
            &[
                "--exclude",
                "{x,y}*",
                "--exclude",
                "old \"1\"/**",
                "--metadata",
                "a=b#c",
            ][..],
        ),
        (
            "lob-export",
            &[
                "--split",
                "0,2",
                "--map",
                "bids",
                "--jobs",
                "3",
                "--snapshot",
            ],
        ),
        (
            "lob-import",
            &["--no-replace", "--split", "1", "--max-shrink", "3.5%"],
        ),
    ] {
        let shown = shown_with(&servers, tool, "prefix = 'a/\u{e9}'", args).await;
        let again = shown_with(&servers, tool, &shown, &[]).await;
        assert_eq!(values(&again), values(&shown), "{tool}");
        assert_ne!(shown, shown_with(&servers, tool, "", &[]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_may_hold_every_setting_of_every_tool() {
    let servers = Servers::start().await;
    let mut file = String::new();
    for tool in ["upload", "export", "import"] {
        file += &format!("[{tool}]\n");
        for (key, _) in shown(&servers, &format!("lob-{tool}")).await {
            // Other tools ignore the value.
            file += &format!("{key} = ''\n");
        }
        let other = ["lob-upload", "lob-import"][usize::from(tool == "upload")];
        shown_with(&servers, other, &file, &[]).await;
        file.clear();
    }
}
