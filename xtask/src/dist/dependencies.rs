//! The packages that are compiled into a tool, as cargo resolves them for it alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value;
use xshell::{Shell, cmd};

use super::release::Release;
use crate::command;

/// A package's name and version.
pub(super) type Id = (String, String);

/// A package, with what others need to know about it.
pub(super) struct Package {
    /// Its SPDX expression.
    pub(super) licence: Option<String>,
    /// Where its sources are on this machine.
    pub(super) folder: PathBuf,
    /// The SHA-256 of the archive that it came in; our own packages have none.
    pub(super) sha256: Option<String>,
    pub(super) description: Option<String>,
    pub(super) needs: BTreeSet<Id>,
}

/// A tool and all that it needs.
pub(super) struct Dependencies {
    tool: Id,
    packages: BTreeMap<Id, Package>,
}

impl Dependencies {
    pub(super) async fn of(sh: &Shell, release: &Release) -> anyhow::Result<Self> {
        let (tool, triple) = (&release.tool, &release.target.triple);
        // What a build of this tool alone contains; `cargo metadata` knows only the whole
        // workspace.
        let tree = cmd!(
            sh,
            "cargo tree --locked --package {tool} --target {triple} --edges normal --prefix none"
        );
        let tree = command::output(tree).await?;
        let built: BTreeSet<Id> = tree.lines().filter_map(id).collect();
        let metadata = cmd!(
            sh,
            "cargo metadata --locked --format-version 1 --filter-platform {triple}"
        );
        let metadata: Value = serde_json::from_str(&command::output(metadata).await?)?;
        let sums = sums(&sh.read_file("Cargo.lock")?)?;
        let mut packages = BTreeMap::new();
        let ids = ids(&metadata);
        for package in metadata["packages"].as_array().into_iter().flatten() {
            let Some(id) = ids
                .get(text(&package["id"]))
                .filter(|id| built.contains(*id))
            else {
                continue;
            };
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            let found = Package {
                licence: package["license"].as_str().map(str::to_owned),
                folder: manifest
                    .parent()
                    .context("a package has no folder")?
                    .to_owned(),
                sha256: sums.get(id).cloned(),
                description: package["description"].as_str().map(str::to_owned),
                needs: BTreeSet::new(),
            };
            packages.insert(id.clone(), found);
        }
        for node in metadata["resolve"]["nodes"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let Some(package) = ids
                .get(text(&node["id"]))
                .and_then(|id| packages.get_mut(id))
            else {
                continue;
            };
            let needs = node["deps"].as_array().into_iter().flatten();
            let needs = needs.filter_map(|needed| ids.get(text(&needed["pkg"])));
            package.needs = needs.filter(|id| built.contains(*id)).cloned().collect();
        }
        let version = release.version.to_owned();
        Ok(Self {
            tool: (tool.clone(), version),
            packages,
        })
    }

    /// The tool itself.
    pub(super) fn tool(&self) -> &Id {
        &self.tool
    }

    /// What the tool's own package says that it is.
    pub(super) fn description(&self) -> Option<&str> {
        self.packages.get(&self.tool)?.description.as_deref()
    }

    /// All packages, the tool's own too, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Id, &Package)> {
        self.packages.iter()
    }

    /// The packages that others have written, in order.
    pub(super) fn of_others(&self) -> impl Iterator<Item = (&Id, &Package)> {
        self.all().filter(|(_, package)| package.sha256.is_some())
    }
}

/// The package that a line of `cargo tree` names, such as `tokio v1.54.1 (*)`.
fn id(line: &str) -> Option<Id> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let version = words.next()?.strip_prefix('v')?;
    Some((name.to_owned(), version.to_owned()))
}

/// Cargo's ids of packages, with their names and versions.
fn ids(metadata: &Value) -> HashMap<String, Id> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let ids = packages.map(|package| {
        let id = (text(&package["name"]), text(&package["version"]));
        (
            text(&package["id"]).to_owned(),
            (id.0.to_owned(), id.1.to_owned()),
        )
    });
    ids.collect()
}

/// The SHA-256 of each package that comes from a registry.
fn sums(lock: &str) -> anyhow::Result<HashMap<Id, String>> {
    let lock: toml::Value = toml::from_str(lock)?;
    let packages = lock["package"]
        .as_array()
        .context("Cargo.lock has no packages")?;
    let sums = packages.iter().filter_map(|package| {
        let field = |name: &str| Some(package.get(name)?.as_str()?.to_owned());
        Some(((field("name")?, field("version")?), field("checksum")?))
    });
    Ok(sums.collect())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
