//! An S3 server, a working directory, and the binary of a tool between them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::canaries;
use crate::command_line::{Finished, finish};
use crate::mongo::AwsUser;
use crate::s3::{Moment, Request, S3Options, S3Server, Trap};

/// The bucket of every bed.
pub const BUCKET: &str = "lob-test";
/// The run that a bed's tool works on unless a test names another.
const RUN: [&str; 4] = ["--run-id", "run-1", "--log-level", "error"];

/// The user whose keys the processes of a bed find in their environment.
pub fn aws_user() -> AwsUser {
    let keys = S3Options::default();
    AwsUser {
        access_key_id: keys.access_key,
        secret_access_key: keys.secret_key,
        session_token: Some(canaries::SESSION_TOKEN.to_owned()),
    }
}

/// What the tests of each tool start from.
pub struct Bed {
    /// The server, with [`BUCKET`] in it.
    pub s3: S3Server,
    /// Set it to hold a request; not on a bed with another gate.
    pub trap: Trap,
    program: &'static str,
    variables: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl Bed {
    /// A bed for the binary at the path `program`, on a server of these options.
    ///
    /// # Panics
    /// Where the server does not start.
    pub async fn new(program: &'static str, mut options: S3Options) -> Self {
        let trap = Trap::default();
        options.buckets = vec![BUCKET.to_owned()];
        options.gate.get_or_insert_with(|| Arc::new(trap.clone()));
        Self {
            s3: S3Server::start(options).await.unwrap(),
            trap,
            program,
            variables: Vec::new(),
            folder: TempDir::new().unwrap(),
        }
    }

    /// Adds a variable to the environment of every process.
    #[must_use]
    pub fn with_variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// A path in the working directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the working directory.
    ///
    /// # Panics
    /// Where it cannot.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The binary in the working directory, with nothing of this process's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        self.at_home(Command::new(self.program), args)
    }

    /// The same, started by a script of the shell, whose `$0` it is.
    pub fn through_shell(&self, script: &str, args: &[&str]) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script, self.program]);
        self.at_home(shell, args)
    }

    fn at_home(&self, mut command: Command, args: &[&str]) -> Command {
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_ENDPOINT_URL", self.s3.endpoint())
            .env("AWS_ACCESS_KEY_ID", self.s3.access_key())
            .env("AWS_SECRET_ACCESS_KEY", self.s3.secret_key())
            .env("AWS_SESSION_TOKEN", canaries::SESSION_TOKEN)
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("LOB_BUCKET", BUCKET)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the binary with exactly these arguments.
    ///
    /// # Panics
    /// Where it does not start, or says a secret.
    pub async fn run(&self, args: &[&str]) -> Finished {
        finish(self.command(args).spawn().unwrap()).await
    }

    /// Runs the binary, which is told by these arguments alone where the servers are.
    ///
    /// # Panics
    /// Where it does not start, or says a secret.
    pub async fn run_typed(&self, args: &[impl AsRef<str>]) -> Finished {
        let args: Vec<_> = args.iter().map(AsRef::as_ref).collect();
        let mut command = self.command(&args);
        for variable in ["LOB_BUCKET", "AWS_ENDPOINT_URL", "MONGODB_URI"] {
            command.env_remove(variable);
        }
        finish(command.spawn().unwrap()).await
    }

    /// Starts the binary for the run `run-1`, and logs what went wrong alone.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(&[&RUN, args].concat()).spawn().unwrap()
    }

    /// Starts the binary as [`Bed::start`] does and kills it at the first request that is `chosen`;
    /// `None` if it ends before that.
    ///
    /// # Panics
    /// Where it does not start, or says a secret.
    pub async fn kill_at(
        &self,
        args: &[&str],
        chosen: impl FnMut(Moment, &Request) -> bool + Send + 'static,
    ) -> Option<Request> {
        let mut catch = self.trap.set(chosen);
        let mut child = self.start(args);
        let request = tokio::select! {
            request = catch.request() => Some(request),
            _ = child.wait() => None,
        };
        let _ = child.start_kill();
        finish(child).await;
        request
    }
}
