//! The Debian package, installed into an empty root: the tool runs, its man page renders, bash
//! completes a flag, and nothing is left once it is removed.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use xshell::{Shell, cmd};

use super::links::lead_somewhere;
use super::version::says_version;
use crate::command;
use crate::dist::release::Release;

/// Completes `--show-sett` with the script in `$1` for the tool in `$2`.
const COMPLETE: &str = r#"
source "$1"
function_name=$(complete -p "$2" | sed 's/.*-F \([^ ]*\).*/\1/')
COMP_WORDS=("$2" --show-sett)
COMP_CWORD=1
"$function_name" "$2" --show-sett "$2"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// Installs, uses and removes the package.
pub(super) async fn check(sh: &Shell, release: &Release, folder: &Path) -> anyhow::Result<()> {
    let tool = &release.tool;
    let start = format!("{tool}_{}_", release.version);
    let deb = sh.read_dir(folder)?.into_iter().find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&start) && name.ends_with(".deb")
    });
    let deb = deb.with_context(|| format!("there is no package of {tool}"))?;
    let root = tempfile::tempdir()?;
    let root = root.path();
    for folder in ["info", "updates", "triggers"] {
        sh.create_dir(root.join("var/lib/dpkg").join(folder))?;
    }
    for file in ["status", "available"] {
        sh.write_file(root.join("var/lib/dpkg").join(file), "")?;
    }
    // The empty root has no glibc either.
    let dpkg = || cmd!(sh, "dpkg --root={root} --force-depends --force-not-root");
    let install = dpkg().arg("--install").arg(&deb);
    command::run(install.ignore_stdout().ignore_stderr()).await?;
    let program = root.join("usr/bin").join(tool);
    says_version(release, cmd!(sh, "{program} --version")).await?;
    let documents = root.join("usr/share/doc").join(tool);
    lead_somewhere(&sh.current_dir(), tool, &documents)?;

    let pages = root.join("usr/share/man");
    let page = command::output(cmd!(sh, "man --manpath={pages} {tool}")).await?;
    ensure!(
        page.contains("--show-settings") && page.contains("SYNOPSIS"),
        "the man page of {tool} does not render:\n{page}"
    );

    let script = root
        .join("usr/share/bash-completion/completions")
        .join(tool);
    let words = command::output(cmd!(sh, "bash -c {COMPLETE} bash {script} {tool}")).await?;
    ensure!(
        words.trim() == "--show-settings",
        "bash completes `--show-sett` to `{}`",
        words.trim()
    );

    command::run(dpkg().arg("--purge").arg(tool).ignore_stdout()).await?;
    let left = files_named(root, tool)?;
    ensure!(left.is_empty(), "the package of {tool} leaves {left:?}");
    Ok(())
}

/// The files below `folder` whose names contain `name`.
fn files_named(folder: &Path, name: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files_named(&entry.path(), name)?);
        }
        if entry.file_name().to_string_lossy().contains(name) {
            found.push(entry.path().display().to_string());
        }
    }
    Ok(found)
}
