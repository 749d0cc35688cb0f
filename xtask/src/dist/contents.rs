//! What every package of a tool holds, before it is arranged as a system wants it.

use std::path::Path;

use anyhow::Context as _;
use clap_complete::Shell as Completed;
use xshell::Shell;

use super::command_line::{self, Generated};
use super::dependencies::Dependencies;
use super::release::Release;
use super::{changelog, notices};

/// The shells with completions, each with the name of its folder in an archive.
const SHELLS: [(Completed, &str); 4] = [
    (Completed::Bash, "bash"),
    (Completed::Zsh, "zsh"),
    (Completed::Fish, "fish"),
    (Completed::PowerShell, "powershell"),
];
/// The licences, of which users choose one.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// The parts of a package.
pub(super) struct Contents {
    pub(super) binary: Vec<u8>,
    pub(super) man_pages: Vec<Generated>,
    pub(super) completions: Vec<Completions>,
    pub(super) licences: Vec<Generated>,
    /// The licences of everything that is linked into the binary.
    pub(super) notices: String,
    pub(super) readme: String,
    pub(super) changelog: String,
    /// What the tool is, in one line.
    pub(super) summary: String,
}

/// The completions of one shell.
pub(super) struct Completions {
    /// The shell, as its own folder would be called.
    pub(super) shell: &'static str,
    pub(super) script: Generated,
}

impl Contents {
    pub(super) fn gather(
        sh: &Shell,
        release: &Release,
        binary: &Path,
        dependencies: &Dependencies,
    ) -> anyhow::Result<Self> {
        let command = command_line::of(&release.tool)?;
        let completions = SHELLS.map(|(kind, shell)| Completions {
            shell,
            script: command_line::completions(&command, kind),
        });
        let licences = LICENCES.iter().map(|name| {
            let text = sh.read_binary_file(name)?;
            let name = (*name).to_owned();
            Ok(Generated { name, text })
        });
        Ok(Self {
            binary: sh.read_binary_file(binary)?,
            man_pages: command_line::man_pages(&command)?,
            completions: completions.into(),
            licences: licences.collect::<anyhow::Result<_>>()?,
            notices: notices::render(dependencies)?,
            readme: sh.read_file("README.md")?,
            changelog: changelog::of(&release.tool, &sh.read_file("docs/CHANGELOG.md")?),
            summary: dependencies
                .description()
                .context("the tool's package has no description")?
                .to_owned(),
        })
    }
}
