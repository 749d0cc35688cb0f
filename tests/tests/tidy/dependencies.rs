//! Which crate may depend on which, and where a library may be named.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::Command;

use serde_json::Value;

use crate::files::{SHIPPED, TOOLS, files, none, root};

/// The workspace members that each member ships with, directly or not, and their other direct
/// dependencies.
fn shipped_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap());
    cargo.current_dir(root()).args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ]);
    let metadata: Value = serde_json::from_slice(&cargo.output().unwrap().stdout).unwrap();
    let mut all = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let shipped = dependencies.filter(|dependency| dependency["kind"] != "dev");
        let names = shipped.map(|dependency| dependency["name"].as_str().unwrap().to_owned());
        let name = package["name"].as_str().unwrap().to_owned();
        all.insert(name, names.collect::<BTreeSet<_>>());
    }
    // One pass per link of the longest possible chain.
    for _ in 0..all.len() {
        let direct = all.clone();
        for names in all.values_mut() {
            let next = names.iter().filter_map(|name| direct.get(name)).flatten();
            let next: Vec<_> = next.cloned().collect();
            names.extend(next);
        }
    }
    all
}

#[test]
fn the_core_knows_no_other_member() {
    let dependencies = &shipped_dependencies()["lob-core"];
    let members = dependencies.iter().filter(|name| name.starts_with("lob-"));
    none("lob-core depends on no member:", members.cloned());
}

#[test]
fn tools_never_depend_on_each_other() {
    let all = shipped_dependencies();
    let pairs = TOOLS
        .iter()
        .flat_map(|tool| TOOLS.iter().map(move |other| (tool, other)));
    let breaches =
        pairs.filter(|(tool, other)| all[&format!("lob-{tool}")].contains(&format!("lob-{other}")));
    let breaches = breaches.map(|(tool, other)| format!("lob-{tool} on lob-{other}"));
    none("a tool depends on another:", breaches);
}

#[test]
fn the_upload_ships_without_mongodb_and_columns() {
    let dependencies = &shipped_dependencies()["lob-upload"];
    let unwanted = ["mongodb", "bson", "lob-mongo", "lob-columns"].into_iter();
    let breaches = unwanted.filter(|name| dependencies.contains(*name));
    none("lob-upload ships with:", breaches.map(str::to_owned));
}

#[test]
fn test_code_never_ships() {
    let all = shipped_dependencies();
    let breaches = SHIPPED.iter().filter(|name| {
        let dependencies = &all[&format!("lob-{name}")];
        ["lob-testkit", "lob-tests", "xtask"]
            .iter()
            .any(|test| dependencies.contains(*test))
    });
    none(
        "a test crate ships with:",
        breaches.map(|name| (*name).to_owned()),
    );
}

/// The packages in a build of these members, each with its features.
fn features(selection: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap());
    cargo.current_dir(root());
    cargo.args(["tree", "--offline", "--prefix=none", "--format={p} {f}"]);
    let tree = cargo.args(selection).output().unwrap();
    assert!(tree.status.success(), "{tree:?}");
    let lines = String::from_utf8(tree.stdout).unwrap();
    let lines = lines.lines().map(|line| line.trim_end_matches(" (*)"));
    lines.map(str::to_owned).collect()
}

#[test]
fn every_build_has_the_same_features() {
    let all = features(&["--workspace"]);
    let without_tests = "--edges=normal,build";
    let builds: [&[&str]; 4] = [
        &[without_tests],
        &["--workspace", without_tests],
        &["--package=xtask", without_tests],
        &["--package=lob-tests", "--package=lob-mongo"],
    ];
    let breaches = builds.into_iter().flat_map(|build| {
        let other = features(build)
            .difference(&all)
            .cloned()
            .collect::<Vec<_>>();
        other
            .into_iter()
            .map(|package| format!("`cargo tree {}`: {package}", build.join(" ")))
    });
    none(
        "a dependency is compiled twice; state its other features in the root and in lob-core:",
        breaches,
    );
}

#[test]
fn each_library_is_named_in_one_place() {
    let allowed: [(&str, &[&str]); 4] = [
        ("aws_sdk_s3", &["crates/core/src/store"]),
        ("mongodb::", &["crates/mongo/src/"]),
        (
            "polars_arrow",
            &["crates/columns/src/", "crates/upload/src/footer"],
        ),
        (
            "polars_parquet",
            &["crates/columns/src/", "crates/upload/src/footer"],
        ),
    ];
    let files = files();
    let shipped = files
        .iter()
        .filter(|file| SHIPPED.iter().any(|name| file.is_of(name)));
    let breaches = shipped.flat_map(|file| {
        let breached = allowed.iter().filter(|(name, places)| {
            file.text.contains(name) && !places.iter().any(|place| file.path.starts_with(place))
        });
        breached.map(|(name, _)| format!("{}: {name}", file.path))
    });
    none("a library is named outside its place:", breaches);
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    let manifests = files()
        .into_iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"));
    let breaches = manifests.filter(|file| !file.text.contains("[lints]\nworkspace = true\n"));
    none(
        "no `[lints] workspace = true`:",
        breaches.map(|file| file.path),
    );
}
