//! What every package of a tool holds, before it is arranged as a system wants it.

use std::path::Path;

use anyhow::Context as _;
use clap_complete::Shell as Completed;
use xshell::Shell;

use super::command_line::{self, Generated};
use super::dependencies::Dependencies;
use super::documents::Documents;
use super::notices;
use super::release::Release;

/// The shells with completions, each with the name of its folder in an archive.
const SHELLS: [(Completed, &str); 4] = [
    (Completed::Bash, "bash"),
    (Completed::Zsh, "zsh"),
    (Completed::Fish, "fish"),
    (Completed::PowerShell, "powershell"),
];

/// The parts of a package.
pub(super) struct Contents {
    pub(super) binary: Vec<u8>,
    pub(super) man_pages: Vec<Generated>,
    pub(super) completions: Vec<Completions>,
    /// The licences of everything that is linked into the binary.
    pub(super) notices: String,
    pub(super) documents: Documents,
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
        Ok(Self {
            binary: sh.read_binary_file(binary)?,
            man_pages: command_line::man_pages(&command)?,
            completions: completions.into(),
            notices: notices::render(dependencies)?,
            documents: Documents::read(&sh.current_dir(), &release.tool)?,
            summary: dependencies
                .description()
                .context("the tool's package has no description")?
                .to_owned(),
        })
    }
}
