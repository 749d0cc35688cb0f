//! The software bill of materials, in the form of CycloneDX: which packages are in a binary, so that
//! a scanner can tell whether a new advisory concerns it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xshell::Shell;

use super::dependencies::{Dependencies, Id, Package};
use super::release::Release;

/// Writes the bill into `folder`; returns its path.
pub(super) fn write(
    sh: &Shell,
    release: &Release,
    dependencies: &Dependencies,
    folder: &Path,
) -> anyhow::Result<PathBuf> {
    let (tool, version, triple) = (&release.tool, release.version, &release.target.triple);
    let path = folder.join(format!("{tool}-{version}-{triple}.cdx.json"));
    let bill = serde_json::to_string_pretty(&render(release, dependencies))?;
    sh.write_file(&path, bill + "\n")?;
    Ok(path)
}

fn render(release: &Release, dependencies: &Dependencies) -> Value {
    let parts = dependencies
        .all()
        .filter(|(id, _)| *id != dependencies.tool());
    let parts = parts.map(|(id, package)| component("library", id, package));
    let tool = dependencies
        .all()
        .find(|(id, _)| *id == dependencies.tool());
    let needs = dependencies.all().map(|(id, package)| {
        json!({
            "ref": reference(id),
            "dependsOn": package.needs.iter().map(reference).collect::<Vec<_>>(),
        })
    });
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": tool.map(|(id, package)| component("application", id, package)),
            "properties": [
                { "name": "lob-tools:commit", "value": release.commit },
                { "name": "lob-tools:target", "value": release.target.triple },
            ],
        },
        "components": parts.collect::<Vec<_>>(),
        "dependencies": needs.collect::<Vec<_>>(),
    })
}

fn component(kind: &str, id: &Id, package: &Package) -> Value {
    let (name, version) = id;
    let mut component = json!({
        "type": kind,
        "bom-ref": reference(id),
        "name": name,
        "version": version,
    });
    if let Some(licence) = &package.licence {
        // Old manifests separate alternatives by a slash, which SPDX does not know.
        let expression = licence.replace(" / ", " OR ").replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    // Only what a registry has can be found under its address.
    if let Some(sum) = &package.sha256 {
        component["purl"] = json!(reference(id));
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

fn reference((name, version): &Id) -> String {
    format!("pkg:cargo/{name}@{version}")
}
