//! The third-party notices: the licence texts of everything that is linked into a binary, which
//! those licences demand of whoever passes it on. Equal texts are printed once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::dependencies::Dependencies;

/// How the names of files with a licence or a notice begin, in capitals.
const NAMES: [&str; 6] = [
    "LICENSE",
    "LICENCE",
    "COPYING",
    "COPYRIGHT",
    "NOTICE",
    "UNLICENSE",
];
const RULE: &str =
    "--------------------------------------------------------------------------------";

/// Renders the notices as text.
pub(super) fn render(dependencies: &Dependencies) -> anyhow::Result<String> {
    let mut text = "This program contains Rust's standard library, under MIT OR Apache-2.0, and \
                    these packages:\n\n"
        .to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((name, version), package) in dependencies.of_others() {
        let licence = package.licence.as_deref().unwrap_or("see its text below");
        writeln!(text, "  {name} {version}: {licence}")?;
        for found in licence_texts(&package.folder)? {
            texts
                .entry(found)
                .or_default()
                .push(format!("{name} {version}"));
        }
    }
    let mut texts: Vec<_> = texts.into_iter().collect();
    texts.sort_by(|(_, one), (_, other)| one.cmp(other));
    for (licence, packages) in texts {
        write!(
            text,
            "\n{RULE}\n{}\n{RULE}\n\n{licence}\n",
            packages.join(", ")
        )?;
    }
    Ok(text)
}

/// The licences and notices in a package's folder.
fn licence_texts(folder: &Path) -> anyhow::Result<Vec<String>> {
    let unreadable = || format!("`{}` cannot be read", folder.display());
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let is_licence = NAMES.iter().any(|start| name.starts_with(start));
        if is_licence && entry.file_type().with_context(unreadable)?.is_file() {
            let text = fs::read(entry.path()).with_context(unreadable)?;
            let text = String::from_utf8_lossy(&text).replace("\r\n", "\n");
            texts.push(text.trim_end().to_owned());
        }
    }
    texts.sort();
    texts.dedup();
    Ok(texts)
}
