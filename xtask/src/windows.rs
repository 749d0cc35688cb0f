//! Compiles the tools for Windows on Linux, so that a change that only Windows notices is noticed
//! here.
//!
//! Rust's own toolchains come with a standard library for each target; where only Debian's packages
//! are to be had, it is compiled from its source, which needs the compiler of the same version. zig
//! compiles the C libraries. The packages are unpacked below `target/tools`, and nothing of them is
//! installed.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use xshell::{Shell, cmd};

use crate::binaries::TOOLS;
use crate::tools::Tools;
use crate::{command, dist};

const TARGET: &str = "x86_64-pc-windows-gnu";
/// A compiler, its LLVM, the standard library for build scripts, and the source of the one for
/// Windows.
const PACKAGES: [&str; 5] = [
    "rustc-web",
    "libllvm22",
    "libstd-rust-web-1.96",
    "libstd-rust-web-dev",
    "rust-web-src",
];

/// What compiles for Windows.
pub(crate) struct Compiler {
    /// The root that Debian's packages were unpacked into.
    root: PathBuf,
}

impl Compiler {
    /// The compiler, if `setup --windows` has been here.
    pub(crate) async fn find(sh: &Shell) -> Option<Self> {
        let this = Self {
            root: Tools::new(sh).windows_folder(),
        };
        let rustc = this.rustc();
        let works = command::works(cmd!(sh, "{rustc} -vV").envs(this.libraries())).await;
        works.then_some(this)
    }

    /// Unpacks the packages.
    pub(crate) async fn install(sh: &Shell) -> anyhow::Result<()> {
        if Self::find(sh).await.is_some() {
            return Ok(());
        }
        ensure!(
            command::works(cmd!(sh, "apt-get --version")).await,
            "the compiler for Windows comes from Debian's packages, and there is no apt-get"
        );
        let root = Tools::new(sh).windows_folder();
        let packages = tempfile::tempdir()?;
        sh.create_dir(&root)?;
        {
            let _directory = sh.push_dir(packages.path());
            command::run(cmd!(sh, "apt-get download --quiet").args(PACKAGES)).await?;
        }
        for package in sh.read_dir(packages.path())? {
            command::run(cmd!(sh, "dpkg-deb --extract {package} {root}")).await?;
        }
        ensure!(
            Self::find(sh).await.is_some(),
            "Debian's rustc does not start"
        );
        Ok(())
    }

    /// Compiles the three tools, and xtask for the demo, without linking them.
    pub(crate) async fn check(&self, sh: &Shell) -> anyhow::Result<()> {
        let toolchain = dist::Toolchain::install(sh).await?;
        let zig = toolchain.zigbuild();
        let packages = TOOLS.iter().chain(["xtask"].iter());
        let packages = packages.flat_map(|package| ["--package", package]);
        let check = cmd!(sh, "{zig} check --locked --target {TARGET}");
        let check = check.arg("-Zbuild-std=std,panic_unwind").args(packages);
        let search = env::var_os("PATH").unwrap_or_default();
        let search = env::split_paths(&search);
        let first = [toolchain.programs()].into_iter();
        let search = env::join_paths(first.chain(search))?;
        let mut environment = toolchain.caches();
        environment.extend(self.libraries());
        environment.extend([
            ("PATH", search.to_string_lossy().into_owned()),
            ("RUSTC", self.rustc().display().to_string()),
            // Compiling a standard library is for nightly compilers only.
            ("RUSTC_BOOTSTRAP", "1".to_owned()),
            ("CARGO_TARGET_DIR", folder(sh).display().to_string()),
        ]);
        command::run_with(&environment, check).await
    }

    fn rustc(&self) -> PathBuf {
        self.root.join("usr/bin/rustc")
    }

    fn libraries(&self) -> [(&'static str, String); 1] {
        let libraries = self.root.join("usr/lib/x86_64-linux-gnu");
        [("LD_LIBRARY_PATH", libraries.display().to_string())]
    }
}

/// Where it is compiled: another compiler would rebuild everything in the usual place.
fn folder(sh: &Shell) -> PathBuf {
    sh.current_dir().join(Path::new("target/windows"))
}
