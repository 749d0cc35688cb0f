//! The Python wheel, which puts the binary next to an environment's Python: `pip install` is all.
//!
//! It works with any Python 3, since it contains no Python.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use xshell::{Shell, cmd};

use super::contents::Contents;
use super::links;
use super::release::Release;
use super::target::{GLIBC, Target};
use super::toolchain::Toolchain;
use crate::command;
use crate::permissions::set_mode;

/// Writes the wheel into `folder`; returns its path.
pub(super) async fn write(
    sh: &Shell,
    toolchain: &Toolchain,
    release: &Release,
    contents: &Contents,
    folder: &Path,
) -> anyhow::Result<PathBuf> {
    let name = format!("{}-{}", release.tool.replace('-', "_"), release.version);
    let platform = platform(&release.target)?;
    let unpacked = tempfile::tempdir()?;
    let _directory = sh.push_dir(unpacked.path());
    let binary = if release.target.is_windows() {
        format!("{}.exe", release.tool)
    } else {
        release.tool.clone()
    };
    let script = unpacked
        .path()
        .join(format!("{name}.data/scripts/{binary}"));
    sh.write_file(&script, &contents.binary)?;
    set_mode(&script, 0o755)?;
    let about = format!("{name}.dist-info");
    let mut licences = String::new();
    for licence in contents.documents.licences() {
        sh.write_file(format!("{about}/licenses/{}", licence.path), &licence.text)?;
        licences += &format!("License-File: {}\n", licence.path);
    }
    sh.write_file(
        format!("{about}/licenses/THIRD-PARTY.txt"),
        &contents.notices,
    )?;
    licences += "License-File: THIRD-PARTY.txt\n";
    let documents = format!("share/doc/{}", release.tool);
    for document in contents.documents.all() {
        let file = format!("{name}.data/data/{documents}/{}", document.path);
        sh.write_file(file, &document.text)?;
    }
    // An index shows it on a page of its own, which has no other file beside it.
    let readme = links::as_text(contents.documents.readme()?);
    sh.write_file(
        format!("{about}/WHEEL"),
        format!(
            "Wheel-Version: 1.0\n\
             Generator: lob-tools xtask\n\
             Root-Is-Purelib: false\n\
             Tag: py3-none-{platform}\n"
        ),
    )?;
    sh.write_file(
        format!("{about}/METADATA"),
        format!(
            "Metadata-Version: 2.4\n\
             Name: {}\n\
             Version: {}\n\
             Summary: {}\n\
             License-Expression: MIT OR Apache-2.0\n\
             {licences}\
             Requires-Python: >=3.7\n\
             Description-Content-Type: text/markdown\n\
             \n\
             {readme}\n\
             The documents that this page names are in `{documents}` of the environment.\n",
            release.tool, release.version, contents.summary
        ),
    )?;
    let (python, tree) = (toolchain.python(), unpacked.path());
    let pack = cmd!(sh, "{python} -m wheel pack --dest-dir {folder} {tree}");
    command::run_with(&[release.epoch()], pack.ignore_stdout()).await?;
    let path = folder.join(format!("{name}-py3-none-{platform}.whl"));
    path.exists()
        .then_some(path)
        .with_context(|| format!("`wheel pack` made no wheel for {platform}"))
}

/// Python's name for a target: the systems that pip installs the wheel on.
fn platform(target: &Target) -> anyhow::Result<String> {
    let (major, minor) = GLIBC;
    Ok(match target.triple.as_str() {
        "x86_64-pc-windows-msvc" | "x86_64-pc-windows-gnu" => "win_amd64".to_owned(),
        "aarch64-apple-darwin" => "macosx_11_0_arm64".to_owned(),
        "x86_64-apple-darwin" => "macosx_10_12_x86_64".to_owned(),
        _ if target.is_linux() => format!("manylinux_{major}_{minor}_{}", target.processor()),
        other => bail!("Python's name for `{other}` is not known"),
    })
}
