//! The setup of a command-line test: an S3 server, a working directory and a tool's binary.
//!
//! Where the environment names [real servers](crate::real), a bed's server passes requests on to one,
//! and the tool has keys for exactly the documented policy; options that only the double knows keep
//! the double.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::canaries;
use crate::command_line::{Finished, finish};
use crate::mongo::{AwsUser, MongoOptions, MongoServer};
use crate::s3::{Moment, Request, S3Options, S3Server, Trap};

/// The bucket that every bed creates.
pub const BUCKET: &str = "lob-test";
/// The run that a bed's tool works on unless the test names another.
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

/// A MongoDB server for the binary at the path `program`, started from `options`.
///
/// # Panics
/// If the server does not start.
pub async fn mongodb(program: &str, options: MongoOptions) -> MongoServer {
    MongoServer::start_for(tool(program), options)
        .await
        .unwrap()
}

/// The name of the binary at this path.
fn tool(program: &str) -> &str {
    let name = Path::new(program).file_stem();
    name.and_then(|name| name.to_str()).unwrap()
}

/// The fixture that each tool's tests start from.
pub struct Bed {
    /// The server, with [`BUCKET`] already created.
    pub s3: S3Server,
    /// Holds a request once it is set. Has no effect if the options brought a gate of their own.
    pub trap: Trap,
    program: &'static str,
    variables: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl Bed {
    /// Creates a bed for the binary at the path `program`, with an S3 server started from
    /// `options`.
    ///
    /// # Panics
    /// If the server does not start.
    pub async fn new(program: &'static str, mut options: S3Options) -> Self {
        let trap = Trap::default();
        options.gate.get_or_insert_with(|| Arc::new(trap.clone()));
        let s3 = S3Server::start_for(tool(program), BUCKET, options).await;
        Self {
            s3: s3.unwrap(),
            trap,
            program,
            variables: Vec::new(),
            folder: TempDir::new().unwrap(),
        }
    }

    /// Adds a variable to the environment of every process the bed starts.
    #[must_use]
    pub fn with_variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Resolves a name in the working directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the working directory.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The binary, to be run in the working directory with a clean environment.
    pub fn command(&self, args: &[&str]) -> Command {
        self.at_home(Command::new(self.program), args)
    }

    /// Like [`Bed::command`], but started by a shell script, in which the binary is `$0`.
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
            .envs(self.session_token())
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("LOB_BUCKET", BUCKET)
            // The default depends on the machine.
            .env("LOB_MEMORY", "256MiB")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// The variable with a token that the double ignores. MinIO refuses it for a user's keys.
    fn session_token(&self) -> Option<(&'static str, &'static str)> {
        let token = ("AWS_SESSION_TOKEN", canaries::SESSION_TOKEN);
        (!self.s3.is_real()).then_some(token)
    }

    /// Runs the binary with exactly these arguments.
    ///
    /// # Panics
    /// If it does not start, or prints a secret.
    pub async fn run(&self, args: &[&str]) -> Finished {
        finish(self.command(args).spawn().unwrap()).await
    }

    /// Like [`Bed::run`], with these variables in the environment too.
    ///
    /// # Panics
    /// If it does not start, or prints a secret.
    pub async fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Finished {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        finish(command.spawn().unwrap()).await
    }

    /// Like [`Bed::run`], without these variables in the environment.
    ///
    /// # Panics
    /// If it does not start, or prints a secret.
    pub async fn run_without(&self, args: &[&str], variables: &[&str]) -> Finished {
        let mut command = self.command(args);
        for variable in variables {
            command.env_remove(variable);
        }
        finish(command.spawn().unwrap()).await
    }

    /// Runs the binary with no settings for the servers in its environment: `args` alone say where
    /// they are.
    ///
    /// # Panics
    /// If it does not start, or prints a secret.
    pub async fn run_typed(&self, args: &[impl AsRef<str>]) -> Finished {
        let args: Vec<_> = args.iter().map(AsRef::as_ref).collect();
        let servers = ["LOB_BUCKET", "AWS_ENDPOINT_URL", "MONGODB_URI"];
        self.run_without(&args, &servers).await
    }

    /// Starts the binary for the run `run-1`, logging errors only.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(&[&RUN, args].concat()).spawn().unwrap()
    }

    /// Starts the binary like [`Bed::start`] and kills it at the first request that `chosen`
    /// accepts. Returns `None` if it finishes before that.
    ///
    /// # Panics
    /// If it does not start, or prints a secret.
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
