//! What every binary does around its pipeline: parse, log, show progress, listen for signals,
//! print the result or the error, and end with the right status.
//!
//! stdout is the result and nothing else; everything else goes to stderr.

mod allocator;
mod bars;
mod display;
mod environment;
mod logging;
mod output;
mod typed;
mod verbs;

pub use logging::NOTICE;
pub use typed::Typed;
pub use verbs::{command, is_of, is_of_s3};

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use bars::Bars;
use clap::{Args, Parser, ValueEnum};
use display::{Display, Shown};
use output::{write_stderr, write_stdout};

use crate::failure::ExitStatus;
use crate::interrupt::Interrupt;
use crate::metrics::{Ended, Metrics, MetricsFormat};
use crate::printable::printable;
use crate::progress::{Hidden, Progress, Tally};
use crate::redact::{redact, remember, remember_password_of};
use crate::report;
use crate::settings::{Origins, Resolved, Sources};

/// The flags that every tool has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common")]
pub struct CommonArgs {
    /// Settings file [default: `lob.toml` in the working directory, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print every setting and where it came from, and do nothing else
    #[arg(long)]
    pub show_settings: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
    /// What to show while working [default: bars on a terminal, else log]
    #[arg(long, value_enum, value_name = "FORM")]
    pub progress: Option<ProgressForm>,
    /// Form of the log on stderr
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    pub log_format: LogFormat,
    /// Log every step also where bars are shown, which else leave room for warnings only
    #[arg(short, long)]
    pub verbose: bool,
    /// Show neither progress nor anything of the log but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// What to log, as a level or a filter such as `info,lob_core=debug` [env: also RUST_LOG]
    #[arg(long, value_name = "FILTER")]
    pub log_level: Option<String>,
    /// Write the counters of S3 and MongoDB operations, and how the command ended, to this file
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Form of the metrics file
    #[arg(long, value_enum, value_name = "FORM", default_value = "prometheus")]
    pub metrics_format: MetricsFormat,
}

/// Forms of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressForm {
    /// Nothing
    None,
    /// Bars, redrawn in place
    Bars,
    /// A log line every ten seconds
    Log,
    /// A JSON object every ten seconds
    Json,
}

/// Forms of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// What surrounds a pipeline.
#[derive(Debug, Clone)]
pub struct Context {
    /// Counts every S3 operation and MongoDB command.
    pub metrics: Metrics,
    /// Is told how far the work has come.
    pub progress: Arc<dyn Progress>,
    /// Says when to stop.
    pub interrupt: Interrupt,
    /// The environment variables.
    pub environment: BTreeMap<String, String>,
    /// Where the settings came from, once they are resolved.
    pub origins: Origins,
    /// What was typed, for the commands of hints.
    pub typed: Typed,
}

impl Context {
    /// Says what is being done now, where nothing is counted.
    pub fn step(&self, what: impl AsRef<str>) {
        let what = what.as_ref();
        tracing::info!(target: logging::STEP, "{what}");
        self.progress.step(what);
    }

    /// Where the settings of `tool` are looked for.
    pub fn sources<'a, A>(
        &'a self,
        tool: &'a str,
        flags: &'a A,
        common: &'a CommonArgs,
    ) -> Sources<'a, A> {
        Sources {
            tool,
            borrowed: &[],
            flags,
            environment: &self.environment,
            file: common.config.as_deref(),
        }
    }
}

/// What a successful command prints on stdout.
#[derive(Debug, Clone)]
pub struct Outcome {
    lines: Vec<String>,
    json: serde_json::Value,
    kind: Kind,
}

/// What an outcome tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A whole job, such as an export: what alarms wait for.
    Job,
    /// Something that was done beside or inside of a job.
    Step,
    /// What was asked for.
    Answer,
}

impl Outcome {
    /// A summary of a whole job, such as an export: what was done, line by line for people, and the same for machines. That it
    /// cannot be printed undoes nothing and is no failure.
    pub fn new(lines: Vec<String>, json: serde_json::Value) -> Self {
        Self {
            lines,
            json,
            kind: Kind::Job,
        }
    }

    /// The same of what was done beside or inside of a job, which has not succeeded by that.
    pub fn step(lines: Vec<String>, json: serde_json::Value) -> Self {
        Self {
            kind: Kind::Step,
            ..Self::new(lines, json)
        }
    }

    /// What somebody wanted to know: there is nothing else, so that it must be printed.
    pub fn answer(lines: Vec<String>, json: serde_json::Value) -> Self {
        Self {
            kind: Kind::Answer,
            ..Self::new(lines, json)
        }
    }

    /// The answer to `--show-settings`.
    pub fn settings<S>(resolved: &Resolved<S>) -> Self {
        let lines = resolved.origins.iter().map(|o| match &o.toml {
            Some(toml) => format!("{} = {toml}  # {}", o.key, o.origin),
            // What cannot stand in a file, or has nothing to say there.
            None => format!("# {} = {}  # {}", o.key, o.text, o.origin),
        });
        Self::answer(lines.collect(), serde_json::json!(resolved.origins))
    }
}

/// The command line of a tool.
pub trait CommandLine: Parser {
    /// The flags that every tool has.
    fn common(&self) -> &CommonArgs;

    /// Whether a flag, by its id, has a meaning for a subcommand, or for a flag that stands for one,
    /// or without one.
    fn takes(verb: Option<&str>, flag: &str) -> bool;
}

/// The whole of a binary's `main`.
pub fn main<A: CommandLine>(
    run: impl AsyncFnOnce(A, &Context) -> anyhow::Result<Outcome>,
) -> ExitCode {
    if let Err(error) = environment::leave_out_empty() {
        write_stderr(&format!(
            "error: empty variables cannot be left out: {error}"
        ));
        return ExitStatus::Failed.into();
    }
    let tool = A::command().get_name().to_owned();
    remember_secrets();
    let parsed = command::<A>().try_get_matches();
    let (typed, args) = match parsed.and_then(|typed| Ok((A::from_arg_matches(&typed)?, typed))) {
        Ok((args, typed)) => (typed, args),
        // Help and version are results, wrong usage is not.
        Err(error) if error.use_stderr() => {
            let usage = redact(&wrong_usage::<A>(&error));
            usage.lines().for_each(write_stderr);
            if asks_for_json() {
                tell_failure(&report::usage_json(&usage));
            }
            return ExitStatus::Usage.into();
        }
        Err(help) => return print(help.render().to_string().lines()),
    };
    if let Err(refused) = verbs::check::<A>(&typed) {
        return fail(&refused.into(), &Origins::default(), args.common().json);
    }
    let (common, typed) = (args.common().clone(), Typed::of::<A>(&typed));
    redact_panics();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            write_stderr(&format!("error: no runtime: {error}"));
            return ExitStatus::Failed.into();
        }
    };
    let origins = Origins::default();
    let result = runtime.block_on(async {
        let (metrics, shown) = (Metrics::default(), shown(&common));
        let bars = match &shown {
            Some(Shown::Bars(bars)) => Some(bars.area()),
            _ => None,
        };
        logging::start(&common, bars)?;
        let tally = Arc::new(Tally::new(metrics.clone()));
        let progress: Arc<dyn Progress> = match shown {
            Some(_) => Arc::clone(&tally) as _,
            None => Arc::new(Hidden),
        };
        let context = context(metrics, progress, origins.clone(), typed)?;
        let display = shown
            .map(|shown| Display::start(shown, tally))
            .transpose()?;
        // On the heap: the compiler gives up on futures nested as deep as those of a tool.
        let result = Box::pin(run(args, &context)).await;
        if let Some(display) = display {
            display.end();
        }
        if let Some(path) = &common.metrics_file {
            // After the work is done nothing can fail it any more.
            let status = result
                .as_ref()
                .map_or_else(ExitStatus::of, |_| ExitStatus::Done);
            let is_job = |outcome: &Outcome| outcome.kind == Kind::Job;
            let ended = Ended {
                status,
                finished_job: result.as_ref().is_ok_and(is_job),
            };
            let (format, snapshot) = (common.metrics_format, context.metrics.snapshot());
            if let Err(error) = format.write(path, &tool, snapshot, ended) {
                tracing::warn!(path = %path.display(), %error, "the metrics cannot be written");
            }
        }
        result
    });
    // What is cut off here in mid-work, such as the driver's own tasks, may panic: the result stands.
    std::panic::set_hook(Box::new(|_| ()));
    // A worker that is still blocked must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(outcome) => tell(&outcome, common.json),
        Err(error) => fail(&error, &origins, common.json),
    }
}

fn fail(error: &anyhow::Error, origins: &Origins, as_json: bool) -> ExitCode {
    let lines = report::lines(error, origins);
    lines.iter().for_each(|line| write_stderr(line));
    if as_json {
        tell_failure(&report::json(error, origins));
    }
    ExitStatus::of(error).into()
}

/// Prints a failure for machines. The exit status says it as well, to whoever reads no stdout.
fn tell_failure(json: &serde_json::Value) {
    if let Err(error) = write_stdout([json.to_string().as_str()]) {
        tracing::warn!(%error, "the failure cannot be written to stdout");
    }
}

/// Whether `--json` is given among arguments that cannot be parsed.
fn asks_for_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

/// What progress is shown as, if it is.
fn shown(common: &CommonArgs) -> Option<Shown> {
    let form = common.progress.unwrap_or_else(|| {
        if common.quiet {
            ProgressForm::None
        } else if std::io::stderr().is_terminal() {
            ProgressForm::Bars
        } else {
            ProgressForm::Log
        }
    });
    match form {
        ProgressForm::None => None,
        ProgressForm::Bars => Some(Shown::Bars(Bars::default())),
        ProgressForm::Log => Some(Shown::Log),
        ProgressForm::Json => Some(Shown::Json),
    }
}

fn context(
    metrics: Metrics,
    progress: Arc<dyn Progress>,
    origins: Origins,
    typed: Typed,
) -> anyhow::Result<Context> {
    let interrupt = Interrupt::default();
    interrupt.listen()?;
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Ok(Context {
        metrics,
        progress,
        interrupt,
        environment,
        origins,
        typed,
    })
}

/// Prints the result. What was done stands whether or not that succeeds: then the log has it.
fn tell(outcome: &Outcome, json: bool) -> ExitCode {
    let lines = match json {
        true => vec![outcome.json.to_string()],
        false => outcome.lines.clone(),
    };
    let lines = lines.iter().map(String::as_str);
    if outcome.kind == Kind::Answer {
        return print(lines);
    }
    if let Err(error) = write_stdout(lines) {
        let result = &outcome.json;
        tracing::warn!(%error, %result, "all is done, but the result cannot be written to stdout");
    }
    ExitStatus::Done.into()
}

/// Prints what was asked for. A reader that has gone away, as in `… | head`, is no failure.
fn print<'a>(lines: impl IntoIterator<Item = &'a str>) -> ExitCode {
    match write_stdout(lines) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            write_stderr(&format!("error: the result cannot be written: {error}"));
            ExitStatus::Failed.into()
        }
        _ => ExitStatus::Done.into(),
    }
}

/// What clap says of arguments. It quotes them between lines of its own, so it is given them as they
/// may be shown.
fn wrong_usage<A: CommandLine>(error: &clap::Error) -> String {
    let shown = std::env::args_os().map(|arg| printable(&arg.to_string_lossy()).into_owned());
    match command::<A>().try_get_matches_from(shown) {
        Err(error) => error.render().to_string(),
        Ok(_) => printable(error.render().to_string().trim_end()).into_owned(),
    }
}

/// What must not be printed although no setting holds it: the SDK's own variables, and passwords
/// in addresses wherever on the command line they were typed.
fn remember_secrets() {
    for variable in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        if let Ok(secret) = std::env::var(variable) {
            remember(&secret);
        }
    }
    std::env::args_os()
        .filter_map(|arg| arg.into_string().ok())
        .for_each(|arg| {
            remember_password_of(&arg);
        });
}

/// Panic texts of libraries can hold secrets as well.
fn redact_panics() {
    std::panic::set_hook(Box::new(|panic| {
        // The place ends with a line of its own.
        let panic = panic.to_string().replacen(":\n", ": ", 1);
        write_stderr(&format!("internal error: {}", redact(&panic)));
    }));
}
