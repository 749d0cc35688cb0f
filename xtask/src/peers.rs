//! Other people's clients for `bench` to compare with: found, or installed by `setup --peers`.
//!
//! Those that `setup` installed take precedence over `PATH`, because their versions are the same
//! everywhere.

mod peer;
mod python;

use std::path::{Path, PathBuf};

use anyhow::bail;
use xshell::{Shell, cmd};

use crate::command::{self, works};
use crate::tools::Tools;

pub(crate) use self::peer::Peer;

/// What is known about a client before it is found.
struct Source {
    program: &'static str,
    /// The argument that makes it print its version and nothing else.
    version_argument: &'static str,
    /// The Go module and version to build it from.
    module: Option<(&'static str, &'static str)>,
}

const SOURCES: [Source; 6] = [
    Source {
        program: "s5cmd",
        version_argument: "version",
        module: Some(("github.com/peak/s5cmd/v2", "v2.3.0")),
    },
    Source {
        program: "rclone",
        version_argument: "--version",
        module: Some(("github.com/rclone/rclone", "v1.76.0")),
    },
    // It publishes no versions for Go; this is a commit on its main branch.
    Source {
        program: "mc",
        version_argument: "--version",
        module: Some(("github.com/minio/mc", "v0.0.0-20250313080218-cf909e1063a9")),
    },
    // Installed by `setup` with its Python packages.
    Source {
        program: "aws",
        version_argument: "--version",
        module: None,
    },
    // Both come with MongoDB's own downloads; no package client offers them.
    Source {
        program: "mongodump",
        version_argument: "--version",
        module: None,
    },
    Source {
        program: "mongorestore",
        version_argument: "--version",
        module: None,
    },
];
const DATABASE_TOOLS: &str = "https://www.mongodb.com/docs/database-tools/";

/// Builds the peers that are not in `target/tools` yet.
pub(crate) async fn install(sh: &Shell) -> anyhow::Result<()> {
    let folder = Tools::new(sh).binaries();
    for source in &SOURCES {
        let Some(module) = source.module else {
            continue;
        };
        let path = folder.join(source.program);
        if source.starts(sh, &path).await {
            continue;
        }
        if !works(cmd!(sh, "go version")).await {
            bail!("Go is missing: the peers are built with it; see https://go.dev/doc/install");
        }
        build(sh, module, &path).await?;
    }
    python::install(sh).await?;
    eprintln!("the peers are in {}", folder.display());
    if find(sh, &["mongodump", "mongorestore"]).await.len() < 2 {
        eprintln!("mongodump and mongorestore are missing; {DATABASE_TOOLS} has them");
    }
    Ok(())
}

/// Builds it as a dependency of an empty module: `go install` of a version also asks for the list
/// of all versions, which not every module proxy serves.
async fn build(sh: &Shell, module: (&str, &str), path: &Path) -> anyhow::Result<()> {
    let (module, version) = module;
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    let require = format!("-require={module}@{version}");
    command::run(cmd!(sh, "go -C {at} mod init peers")).await?;
    command::run(cmd!(sh, "go -C {at} mod edit {require}")).await?;
    command::run(cmd!(sh, "go -C {at} build -mod=mod -o {path} {module}")).await
}

/// The clients among `programs` that are installed and start.
pub(crate) async fn find(sh: &Shell, programs: &[&str]) -> Vec<Peer> {
    let tools = Tools::new(sh);
    let folders = [tools.binaries(), tools.python_folder().join("bin")];
    let mut peers = Vec::new();
    let wanted = |source: &&Source| programs.contains(&source.program);
    for source in SOURCES.iter().filter(wanted) {
        let installed = folders.iter().map(|folder| folder.join(source.program));
        let on_path = PathBuf::from(source.program);
        for path in installed.chain([on_path]) {
            if source.starts(sh, &path).await {
                let version = source.version(sh, &path).await;
                peers.push(Peer {
                    program: source.program,
                    path,
                    version,
                });
                break;
            }
        }
    }
    peers.extend(python::find(sh, programs).await);
    let missing = programs
        .iter()
        .filter(|program| !peers.iter().any(|peer| peer.program == **program));
    for program in missing {
        eprintln!(
            "`{program}` is left out: it is neither on PATH nor in target/tools; \
             `cargo xtask setup --peers` installs it, or says where it is to be had"
        );
    }
    peers
}

impl Source {
    async fn starts(&self, sh: &Shell, path: &Path) -> bool {
        let argument = self.version_argument;
        works(cmd!(sh, "{path} {argument}")).await
    }

    /// The version that Go recorded in the binary or, failing that, what the client reports.
    /// Clients built from their module do not know their own version.
    async fn version(&self, sh: &Shell, path: &Path) -> String {
        let built = match self.module {
            Some((module, _)) => built_version(sh, path, module).await,
            None => None,
        };
        if let Some(version) = built {
            return version;
        }
        let argument = self.version_argument;
        let said = command::output(cmd!(sh, "{path} {argument}")).await;
        let said = said.unwrap_or_default();
        let mut words = said.lines().next().unwrap_or_default().split_whitespace();
        let version = words.find(|word| word.contains(|c: char| c.is_ascii_digit()));
        version.unwrap_or("not told").to_owned()
    }
}

async fn built_version(sh: &Shell, path: &Path, module: &str) -> Option<String> {
    let built = command::output(cmd!(sh, "go version -m {path}"))
        .await
        .ok()?;
    // A line is a tab, `mod` or `dep`, the module and its version.
    let mut lines = built
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let line = lines.find(|line| line.get(2) == Some(&module) && line.len() > 3)?;
    line[3].starts_with('v').then(|| line[3].to_owned())
}
