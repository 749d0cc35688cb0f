//! The documents of a package, once it is installed: every link between them leads to a file, and
//! to a heading that this file has.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::dist::documents::Documents;
use crate::dist::links;

/// Fails unless the documents of `tool` are below `folder`, and none of their links is dead.
pub(super) fn lead_somewhere(root: &Path, tool: &str, folder: &Path) -> anyhow::Result<()> {
    for document in Documents::read(root, tool)?.all() {
        let path = folder.join(&document.path);
        let text = read(&path)?;
        ensure!(text == document.text, "`{}` is another", path.display());
        if document.path.ends_with(".md") {
            check(&path, &text)?;
        }
    }
    Ok(())
}

fn check(path: &Path, text: &str) -> anyhow::Result<()> {
    for link in links::of(text) {
        let dead = || {
            format!(
                "the link of `{}` to `{}` is dead",
                path.display(),
                link.target
            )
        };
        let other = match link.file {
            "" => path.to_owned(),
            file => path.with_file_name(file),
        };
        let other = read(&other).with_context(dead)?;
        let leads = |heading| links::headings(&other).any(|found| found == heading);
        ensure!(link.heading.is_none_or(leads), dead());
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("`{}` cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binaries::TOOLS;

    #[test]
    fn no_link_of_the_repository_is_dead() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for tool in TOOLS {
            for document in Documents::read(root, tool).unwrap().all() {
                if document.path.ends_with(".md") {
                    check(&root.join(&document.path), &document.text).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_link_to_a_missing_file_or_heading_is_dead() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("A.md"), "# One\n").unwrap();
        let check = |text: &str| check(&folder.path().join("B.md"), text);
        check("[a](A.md#one)").unwrap();
        check("[a](A.md#two)").unwrap_err();
        check("[a](C.md)").unwrap_err();
    }
}
