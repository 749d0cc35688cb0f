//! The Debian package. It needs only a glibc; where its folders are is Debian's policy.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

use super::archive::compressed;
use super::contents::Contents;
use super::links;
use super::release::Release;
use super::target::GLIBC;
use crate::command;
use crate::permissions::set_mode;

/// Writes the package into `folder`; returns its path.
pub(super) async fn write(
    sh: &Shell,
    release: &Release,
    contents: &Contents,
    folder: &Path,
) -> anyhow::Result<PathBuf> {
    let (tool, version) = (&release.tool, release.version);
    let architecture = match release.target.processor() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("Debian's name for `{other}` is not known"),
    };
    let path = folder.join(format!("{tool}_{version}_{architecture}.deb"));
    let root = tempfile::tempdir()?;
    let mut size = 0;
    for (file, mode, bytes) in files(tool, contents)? {
        size += bytes.len().div_ceil(1024);
        add(root.path(), &file, mode, &bytes)?;
    }
    let control = control(release, contents, architecture, size);
    add(root.path(), "DEBIAN/control", 0o644, control.as_bytes())?;
    let root = root.path();
    let pack = cmd!(sh, "dpkg-deb --root-owner-group -Zxz --build {root} {path}");
    // What xz makes depends on the number of threads.
    let environment = [release.epoch(), ("DPKG_DEB_THREADS_MAX", "1".to_owned())];
    command::run_with(&environment, pack.ignore_stdout()).await?;
    Ok(path)
}

/// Each file with its path below the root and its mode.
fn files(tool: &str, contents: &Contents) -> anyhow::Result<Vec<(String, u32, Vec<u8>)>> {
    let documents = format!("usr/share/doc/{tool}");
    // The only one that is not beside the files that it has links to.
    let changelog = links::as_text(contents.documents.changelog()?);
    let changelog = compressed(changelog.as_bytes())?;
    let mut copyright = String::new();
    for licence in contents.documents.licences() {
        copyright += &licence.text;
        copyright.push('\n');
    }
    copyright += &contents.notices;
    let mut files = vec![
        (format!("usr/bin/{tool}"), 0o755, contents.binary.clone()),
        (format!("{documents}/changelog.gz"), 0o644, changelog),
        (format!("{documents}/copyright"), 0o644, copyright.into()),
    ];
    for document in contents.documents.all() {
        let file = format!("{documents}/{}", document.path);
        files.push((file, 0o644, document.text.clone().into()));
    }
    for page in &contents.man_pages {
        let file = format!("usr/share/man/man1/{}.gz", page.name);
        files.push((file, 0o644, compressed(&page.text)?));
    }
    for completions in &contents.completions {
        let place = match completions.shell {
            "bash" => "usr/share/bash-completion/completions",
            "zsh" => "usr/share/zsh/vendor-completions",
            "fish" => "usr/share/fish/vendor_completions.d",
            // PowerShell has no folder for them.
            _ => &documents,
        };
        let script = &completions.script;
        files.push((
            format!("{place}/{}", script.name),
            0o644,
            script.text.clone(),
        ));
    }
    Ok(files)
}

/// Writes a file whose mode, like that of its folders, does not depend on who makes the package.
fn add(root: &Path, file: &str, mode: u32, bytes: &[u8]) -> anyhow::Result<()> {
    let path = root.join(file);
    let folders = path.ancestors().skip(1);
    let folders: Vec<_> = folders
        .take_while(|folder| folder.starts_with(root))
        .collect();
    let parent = folders.first().context("a file needs a folder")?;
    fs::create_dir_all(parent)?;
    for folder in folders {
        set_mode(folder, 0o755)?;
    }
    fs::write(&path, bytes)?;
    set_mode(&path, mode)?;
    Ok(())
}

fn control(release: &Release, contents: &Contents, architecture: &str, size: usize) -> String {
    let (tool, version, summary) = (&release.tool, release.version, &contents.summary);
    let (major, minor) = GLIBC;
    format!(
        "Package: {tool}\n\
         Version: {version}\n\
         Architecture: {architecture}\n\
         Maintainer: the developers of lob-tools\n\
         Installed-Size: {size}\n\
         Depends: libc6 (>= {major}.{minor})\n\
         Recommends: ca-certificates\n\
         Section: database\n\
         Priority: optional\n\
         Description: {summary}\n"
    )
}
