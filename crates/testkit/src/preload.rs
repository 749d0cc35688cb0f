//! Makes system calls of a process fail: a small library, compiled on the spot, is preloaded into
//! it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The compiled library.
pub struct Preload {
    folder: TempDir,
}

/// What goes wrong in a process.
#[derive(Clone, Copy, Debug)]
pub struct SystemFault {
    /// `write`, `read`, `pthread_create`, or `clock_gettime`.
    pub call: &'static str,
    /// The error, such as 5 (EIO).
    pub errno: i32,
    /// How many of these calls are left alone first.
    pub after: u32,
    /// A part of the path of the file that calls must be about.
    pub path: &'static str,
    /// By how much the clock jumps, in seconds.
    pub seconds: i64,
}

/// A fault of every such call; to be adapted.
pub const FAULT: SystemFault = SystemFault {
    call: "",
    errno: 0,
    after: 0,
    path: "",
    seconds: 0,
};

impl Preload {
    /// Compiles the library; `None` if this machine has no C compiler.
    ///
    /// # Panics
    /// If it cannot be compiled.
    pub fn compile() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let source = folder.path().join("preload.c");
        fs::write(&source, include_str!("preload.c")).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&folder.path().join("preload.so"), &source])
            .arg("-ldl")
            .status();
        match compiled {
            Ok(status) => assert!(status.success()),
            Err(_) => return None,
        }
        Some(Self { folder })
    }

    /// The environment in which a process meets the fault; forgets the faults so far.
    ///
    /// # Panics
    /// If the count of faults cannot be reset.
    pub fn environment(&self, fault: SystemFault) -> [(&'static str, String); 7] {
        fs::write(self.log(), "").unwrap();
        let library = self.folder.path().join("preload.so");
        [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAULT_LOG", self.log().display().to_string()),
            ("FAULT_CALL", fault.call.to_owned()),
            ("FAULT_ERRNO", fault.errno.to_string()),
            ("FAULT_AFTER", fault.after.to_string()),
            ("FAULT_PATH", fault.path.to_owned()),
            ("FAULT_SECONDS", fault.seconds.to_string()),
        ]
    }

    /// How often the fault happened.
    ///
    /// # Panics
    /// If that cannot be read.
    pub fn faults(&self) -> usize {
        fs::read(self.log()).unwrap().len()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("faults")
    }
}
