//! The three binaries, run as a person runs them.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use lob_testkit::canaries::assert_clean;
use tokio::process::{Child, Command};

use crate::servers::Servers;

/// What a binary printed, and how it exited.
#[derive(Debug)]
pub struct Ended {
    /// The exit status; `None` if a signal killed it.
    pub status: Option<i32>,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Ended {
    /// Panics with everything that was printed, unless the exit status is `status`.
    #[track_caller]
    pub fn with_status(self, status: i32) -> Self {
        assert_eq!(
            self.status,
            Some(status),
            "{}\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

impl From<Output> for Ended {
    /// Panics if the binary printed a secret.
    #[track_caller]
    fn from(output: Output) -> Self {
        let output = assert_clean(output);
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A binary next to the test binary; `cargo xtask test` and `cargo build --workspace` build it.
fn path(tool: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join(tool);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace`",
        path.display()
    );
    path
}

impl Servers {
    /// A binary with this test's servers in its environment, and nothing else from ours.
    pub fn tool(&self, tool: &str, arguments: &[&str]) -> Command {
        self.in_place(Command::new(path(tool)), arguments)
    }

    /// The same, started by a shell script, in which the binary is `$0`.
    pub fn through_shell(&self, script: &str, tool: &str, arguments: &[&str]) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]).arg(path(tool));
        self.in_place(shell, arguments)
    }

    fn in_place(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .args(arguments)
            .env_clear()
            .env("AWS_ENDPOINT_URL", &self.s3_endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret_key)
            .env("AWS_REGION", "us-east-1")
            .env("MONGODB_URI", &self.mongodb_uri)
            .env("LOB_BUCKET", &self.bucket)
            .env("LOB_DATABASE", &self.database)
            .current_dir(std::env::temp_dir())
            .env(
                "LOB_MANIFEST_DIR",
                std::env::temp_dir().join("lob-tests-manifests"),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a binary to completion.
    pub async fn run(&self, tool: &str, arguments: &[&str]) -> Ended {
        self.tool(tool, arguments).output().await.unwrap().into()
    }

    /// Starts a binary.
    pub fn spawn(&self, tool: &str, arguments: &[&str]) -> Child {
        self.tool(tool, arguments).spawn().unwrap()
    }
}
