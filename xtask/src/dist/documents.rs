//! The documents of a package: README, licences and `docs`, in the folders that they have in the
//! repository, so that every link between them also leads somewhere in the package.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::changelog;

/// The licences, of which users choose one.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];
const README: &str = "README.md";
const FOLDER: &str = "docs";
const CHANGELOG: &str = "docs/CHANGELOG.md";

/// A file that is read by people.
pub(super) struct Document {
    /// Where it is, from the root of the repository or of the package.
    pub(super) path: String,
    pub(super) text: String,
}

/// All of them, in the order of their paths.
pub(super) struct Documents(Vec<Document>);

impl Documents {
    /// Reads the documents for users of `tool`; the changelog has only what concerns them.
    pub(super) fn read(root: &Path, tool: &str) -> anyhow::Result<Self> {
        let mut paths = LICENCES.map(str::to_owned).to_vec();
        paths.push(README.to_owned());
        paths.extend(files(root, FOLDER)?);
        paths.sort();
        let documents = paths.into_iter().map(|path| {
            let text = fs::read_to_string(root.join(&path));
            let mut text = text.with_context(|| format!("`{path}` cannot be read"))?;
            if path == CHANGELOG {
                text = changelog::of(tool, &text);
            }
            Ok(Document { path, text })
        });
        Ok(Self(documents.collect::<anyhow::Result<_>>()?))
    }

    pub(super) fn all(&self) -> &[Document] {
        &self.0
    }

    pub(super) fn licences(&self) -> impl Iterator<Item = &Document> {
        let is_licence = |document: &&Document| LICENCES.contains(&document.path.as_str());
        self.0.iter().filter(is_licence)
    }

    /// The text of the README.
    pub(super) fn readme(&self) -> anyhow::Result<&str> {
        self.text(README)
    }

    /// The text of the changelog.
    pub(super) fn changelog(&self) -> anyhow::Result<&str> {
        self.text(CHANGELOG)
    }

    fn text(&self, path: &str) -> anyhow::Result<&str> {
        let found = self.0.iter().find(|document| document.path == path);
        let found = found.with_context(|| format!("there is no `{path}`"))?;
        Ok(&found.text)
    }
}

/// The paths of all files below `folder`, from `root`.
fn files(root: &Path, folder: &str) -> anyhow::Result<Vec<String>> {
    let unreadable = || format!("`{folder}` cannot be read");
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(folder)).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().with_context(unreadable)?.is_dir() {
            found.extend(files(root, &path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
