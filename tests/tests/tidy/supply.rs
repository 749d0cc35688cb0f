//! What we may depend on: the rules of `deny.toml` that need no network. `cargo deny check` knows
//! them all, and the advisories.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::files::{none, root};

/// How the registry is named that `[sources]` of `deny.toml` allows by itself.
const REGISTRY: &str = "/crates.io-index";

/// The packages of others that any member depends on, on any system.
fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap());
    cargo.current_dir(root());
    cargo.args(["metadata", "--format-version", "1", "--offline", "--locked"]);
    let metadata = cargo.output().unwrap();
    assert!(metadata.status.success(), "{metadata:?}");
    let mut metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let Value::Array(packages) = metadata["packages"].take() else {
        panic!("cargo lists no packages");
    };
    let of_others = packages
        .into_iter()
        .filter(|package| !package["source"].is_null());
    of_others.collect()
}

fn rules() -> toml::Table {
    let text = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    text.parse().unwrap()
}

fn name(package: &Value) -> String {
    let text = |key: &str| package[key].as_str().unwrap().to_owned();
    format!("{} {}", text("name"), text("version"))
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let rules = rules();
    let allowed = rules["licenses"]["allow"].as_array().unwrap().iter();
    let allowed: BTreeSet<_> = allowed.map(|licence| licence.as_str().unwrap()).collect();
    let is_allowed = |package: &Value| {
        let licence = package["license"].as_str().unwrap_or_default();
        // Old manifests separate alternatives by a slash.
        Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|licence| {
            licence.evaluate(|required| allowed.contains(required.to_string().as_str()))
        })
    };
    let breaches = packages()
        .into_iter()
        .filter(|package| !is_allowed(package));
    let breaches = breaches.map(|package| format!("{}: {}", name(&package), package["license"]));
    none("no licence that deny.toml allows:", breaches);
}

#[test]
fn no_banned_package_is_a_dependency() {
    let rules = rules();
    let banned = rules["bans"]["deny"].as_array().unwrap().iter();
    let banned: BTreeSet<_> = banned.map(|ban| ban["name"].as_str().unwrap()).collect();
    assert!(!banned.is_empty());
    let is_banned = |package: &Value| banned.contains(package["name"].as_str().unwrap());
    let breaches = packages().into_iter().filter(is_banned);
    none(
        "banned in deny.toml:",
        breaches.map(|package| name(&package)),
    );
}

#[test]
fn every_dependency_comes_from_the_registry() {
    let is_registered = |package: &Value| {
        let source = package["source"].as_str().unwrap();
        source.starts_with("registry+") && source.ends_with(REGISTRY)
    };
    let breaches = packages()
        .into_iter()
        .filter(|package| !is_registered(package));
    none("from elsewhere:", breaches.map(|package| name(&package)));
}
