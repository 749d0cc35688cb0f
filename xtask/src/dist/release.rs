//! What is released: a tool in one version, from one commit, for one target.

use anyhow::{Context as _, ensure};
use xshell::{Shell, cmd};

use super::target::Target;
use crate::command;

/// The commit that everything is made from.
pub(super) struct Source {
    /// The full commit hash.
    pub(super) commit: String,
    /// When it was made, in seconds since 1970: the time of everything in the packages.
    pub(super) time: u64,
}

impl Source {
    /// The commit that is checked out.
    ///
    /// # Errors
    /// A file differs from it: what is released must be found again by its commit.
    pub(super) async fn read(sh: &Shell) -> anyhow::Result<Self> {
        let changed = command::output(cmd!(sh, "git status --porcelain")).await?;
        ensure!(
            changed.is_empty(),
            "these files differ from the commit:\n{changed}"
        );
        let shown = command::output(cmd!(sh, "git show --no-patch --format='%H %ct'")).await?;
        let (commit, time) = shown.trim().split_once(' ').context("git shows no time")?;
        Ok(Self {
            commit: commit.to_owned(),
            time: time.parse()?,
        })
    }

    /// The release of `tool` from this commit.
    pub(super) fn release(&self, tool: &str, target: &Target) -> Release {
        Release {
            tool: tool.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            time: self.time,
            commit: self.commit.clone(),
            target: target.clone(),
        }
    }
}

/// One tool in one version for one target.
pub(super) struct Release {
    /// Such as `lob-upload`, also the name of its package and of its binary.
    pub(super) tool: String,
    /// The version that all members of the workspace share.
    pub(super) version: &'static str,
    /// When the commit was made, in seconds since 1970.
    pub(super) time: u64,
    /// The full commit hash.
    pub(super) commit: String,
    pub(super) target: Target,
}

impl Release {
    /// The variable by which dpkg-deb and wheel take the commit's time.
    pub(super) fn epoch(&self) -> (&'static str, String) {
        ("SOURCE_DATE_EPOCH", self.time.to_string())
    }
}
