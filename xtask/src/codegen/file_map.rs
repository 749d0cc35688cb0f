//! The file map: every source file with the first sentence of its module doc, so that the map can
//! neither name a missing file nor forget one.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// The folders in the map, in the order in which the crates depend on each other.
const FOLDERS: [&str; 9] = [
    "crates/core/src",
    "crates/columns/src",
    "crates/mongo/src",
    "crates/upload/src",
    "crates/export/src",
    "crates/import/src",
    "crates/testkit/src",
    "tests/src",
    "xtask/src",
];

/// Renders the map as Markdown.
pub(super) fn render(root: &Path) -> anyhow::Result<String> {
    let mut text = "<!-- Made by `cargo xtask codegen`. -->\n\n# Files\n".to_owned();
    for folder in FOLDERS {
        write!(
            text,
            "\n## {folder}\n\n| file | what it is |\n| --- | --- |\n"
        )?;
        add(&mut text, &root.join(folder), "")?;
    }
    Ok(text)
}

/// Adds a folder's files by name, each before the folder with the same name.
fn add(text: &mut String, folder: &Path, prefix: &str) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type()?.is_dir();
        let stem = name.trim_end_matches(".rs").to_owned();
        names.push((stem, is_folder, name));
    }
    names.sort();
    for (_, is_folder, name) in names {
        let path = folder.join(&name);
        if is_folder {
            add(text, &path, &format!("{prefix}{name}/"))?;
        } else if name.ends_with(".rs") {
            let sentence = first_sentence(&fs::read_to_string(&path)?);
            writeln!(text, "| `{prefix}{name}` | {sentence} |")?;
        }
    }
    Ok(())
}

/// The first sentence of a file's module doc, on one line.
fn first_sentence(code: &str) -> String {
    let lines = code.lines().map_while(|line| line.strip_prefix("//! "));
    let paragraph = lines.collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let end = paragraph.find(". ").unwrap_or(paragraph.len());
    paragraph[..end].trim_end_matches(['.', ':']).to_owned()
}
