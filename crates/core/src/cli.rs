//! What every binary does around its pipeline: parse arguments, log, show progress, handle signals,
//! print the result or the error, and exit with the right status.
//!
//! stdout carries the result and nothing else; everything else goes to stderr.

#[cfg(not(windows))]
mod allocator;
mod bars;
mod cleanup;
mod context;
mod defaults;
mod display;
#[cfg(unix)]
mod environment;
mod list;
mod logging;
mod outcome;
mod output;
mod report;
mod summary;
mod threads;
mod typed;
mod verbs;

pub use cleanup::{Cleanup, Leftover};
pub use context::Context;
pub use list::list;
pub use logging::NOTICE;
pub use outcome::Outcome;
pub use report::MORE_OPEN_FILES;
pub use summary::{Moved, SplitSummary, Summary};
pub use typed::Typed;
pub use verbs::{CommandLine, command, is_of_s3};

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue};

use self::bars::Bars;
use self::display::{Display, Shown};
use self::outcome::Kind;
use self::output::{write_stderr, write_stdout};
use crate::failure::{ExitStatus, Failure};
use crate::interrupt::Interrupt;
use crate::metrics::{Ended, Metrics};
use crate::progress::{Hidden, Progress, Tally};
use crate::settings::{CommonArgs, Origins, ProgressForm, is_variable};
use crate::text::{printable, redact, remember, remember_password_of};

/// The entire `main` of a binary.
pub fn main<A: CommandLine>(
    run: impl AsyncFnOnce(A, &Context) -> anyhow::Result<Outcome>,
) -> ExitCode {
    #[cfg(unix)]
    if let Err(error) = environment::leave_out_empty() {
        write_stderr(&format!(
            "error: empty environment variables cannot be removed: {error}"
        ));
        return ExitStatus::Failed.into();
    }
    let tool = A::command().get_name().to_owned();
    remember_secrets();
    let parsed = command::<A>().try_get_matches();
    let parsed = parsed.and_then(|typed| {
        let common = CommonArgs::from_arg_matches(&typed)?;
        Ok((A::from_arg_matches(&typed)?, common, typed))
    });
    let (args, common, typed) = match parsed {
        Ok(parsed) => parsed,
        // Help and version are results; a usage error is not.
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
        return fail(&refused.into(), &Origins::default(), common.json);
    }
    let typed = Typed::of::<A>(&typed);
    redact_panics();
    let workers = threads::workers();
    if let Err(refused) = threads::check(workers) {
        return fail(&refused.into(), &Origins::default(), common.json);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = anyhow::Error::from(error).context("the async runtime cannot be started");
            return fail(&error, &Origins::default(), common.json);
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
        // Boxed: the compiler gives up on futures nested as deeply as those of a tool.
        let result = Box::pin(run(args, &context)).await;
        if let Some(display) = display {
            display.end();
        }
        if let Some(path) = &common.metrics_file {
            // Once the work is done, nothing may fail it any more.
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
    // Work cut off here, such as the driver's own tasks, may panic; the result stands.
    std::panic::set_hook(Box::new(|_| ()));
    // A worker that is still blocked must not keep the process alive.
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

/// Prints a failure as JSON. The exit status reports it too, for callers that do not read stdout.
fn tell_failure(json: &serde_json::Value) {
    if let Err(error) = write_stdout([json.to_string().as_str()]) {
        tracing::warn!(%error, "the failure cannot be written to stdout");
    }
}

/// Whether `--json` is among arguments that cannot be parsed.
fn asks_for_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

/// How to show progress, if at all.
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
    Ok(Context {
        metrics,
        progress,
        interrupt,
        environment: environment()?,
        origins,
        typed,
    })
}

/// The environment, as far as it is text.
///
/// # Errors
/// A variable that sets something is not: without it, another folder or database would be meant.
fn environment() -> Result<BTreeMap<String, String>, Failure> {
    let mut environment = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else {
            continue;
        };
        if let Ok(value) = value.into_string() {
            environment.insert(name, value);
        } else if is_variable(&name) {
            let message = format!("environment variable `{name}` is not UTF-8 text");
            return Err(Failure::usage(message).with_hint("write it as UTF-8, or unset it"));
        }
    }
    Ok(environment)
}

/// Prints the result. What was done stands even if printing fails; the log then has the result.
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
        tracing::warn!(%error, %result, "done, but the result cannot be written to stdout");
    }
    ExitStatus::Done.into()
}

/// Prints an answer. A reader that has gone away, as in `… | head`, is not a failure.
fn print<'a>(lines: impl IntoIterator<Item = &'a str>) -> ExitCode {
    match write_stdout(lines) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            write_stderr(&format!("error: the result cannot be written: {error}"));
            ExitStatus::Failed.into()
        }
        _ => ExitStatus::Done.into(),
    }
}

/// Clap's message about wrong usage. Clap quotes the arguments among lines of its own, so it gets
/// them already made printable.
fn wrong_usage<A: CommandLine>(error: &clap::Error) -> String {
    let shown = std::env::args_os().map(|arg| printable(&arg.to_string_lossy()).into_owned());
    match command::<A>().try_get_matches_from(shown) {
        Err(error) => with_tip::<A>(error).render().to_string(),
        Ok(_) => printable(error.render().to_string().trim_end()).into_owned(),
    }
}

/// Suggests a flag to whoever typed what to move where a command is expected.
fn with_tip<A: CommandLine>(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(operand)) = error.get(ContextKind::InvalidSubcommand)
        && error.get(ContextKind::SuggestedSubcommand).is_none()
    {
        let tip = format!("did you mean `{} {}`?", A::INPUT, typed::quoted(operand));
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// Registers secrets that no setting holds but that must never be printed: the SDK's own variables,
/// and passwords in addresses anywhere on the command line.
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

/// Masks secrets in panic messages, since those of libraries may contain them too.
fn redact_panics() {
    std::panic::set_hook(Box::new(|panic| {
        // The location is followed by a line break.
        let panic = panic.to_string().replacen(":\n", ": ", 1);
        write_stderr(&format!("internal error: {}", redact(&panic)));
    }));
}
