//! docs/CONFIGURATION.md against what the tools say of themselves: it has every setting with its
//! flag, its variable and its default, and no other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use lob_tests::servers::Servers;
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../docs/CONFIGURATION.md");

/// Defaults that the tools cannot show: one is masked, the other is the system's.
const NOT_SHOWN: [&str; 2] = ["mongodb_uri", "spool_dir"];

/// A row of a table of settings, each cell without spaces around it and without backticks.
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

/// What a tool shows with nothing set: keys and values.
async fn shown(servers: &Servers, tool: &str) -> Vec<(String, String)> {
    let mut command = servers.tool(tool, &["--show-settings", "--json"]);
    let output = command.env_clear().output().await.unwrap();
    let settings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = settings
        .iter()
        .map(|setting| (text(&setting["key"]), text(&setting["value"])));
    pairs.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_has_every_setting_with_its_default_and_no_other() {
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
