//! The log: on stderr, around the bars, one line per event, without secrets. When bars show how the
//! work is going, the log has only warnings.

mod brief;

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::brief::{BriefFields, TimeOfDay};
use super::output::write_stderr;
use crate::failure::Failure;
use crate::settings::{CommonArgs, LogFormat};
use crate::text::{redact, redact_json};

/// The target of messages shown even beside the bars, such as the id of a new run: whoever is
/// stopped right away needs it to resume.
pub const NOTICE: &str = "notice";

/// The target of steps in which nothing is counted. They are logged only if every step is asked
/// for.
pub(super) const STEP: &str = "step";

/// Our own events from `info` up; from libraries only what went wrong.
const EVERYTHING: &str = "warn,lob_core=info,lob_mongo=info,lob_upload=info,lob_export=info,\
                          lob_import=info,notice=info,aws_config=error,hyper=error";
const WARNINGS: &str = "warn,notice=info,aws_config=error,hyper=error";
const ERRORS: &str = "error";

/// Whatever is to be logged: the SDK's reader of the files in `~/.aws` logs a file that is not UTF-8
/// byte by byte, with the keys in it.
const NEVER: &str = "aws_runtime::env_config::source";

/// Starts the log of this process.
pub(super) fn start(common: &CommonArgs, bars: Option<MultiProgress>) -> Result<(), Failure> {
    let filter = match &common.log_level {
        Some(filter) => typed(filter)?,
        None if common.quiet => ERRORS.to_owned(),
        None if common.verbose => format!("{EVERYTHING},{STEP}=info"),
        None => match of_environment() {
            Some(filter) => filter,
            None if bars.is_some() => WARNINGS.to_owned(),
            None => EVERYTHING.to_owned(),
        },
    };
    let has_bars = bars.is_some();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(RedactedStderr {
            format: common.log_format,
            bars,
        });
    let may_be_logged = filter_fn(|event| event.target() != NEVER);
    let started = match common.log_format {
        LogFormat::Json => {
            let json = builder.json().flatten_event(true).finish();
            json.with(may_be_logged).try_init()
        }
        LogFormat::Text => {
            let text = builder.with_ansi(false).with_target(false);
            match has_bars {
                true => {
                    let brief = text.with_timer(TimeOfDay).fmt_fields(BriefFields).finish();
                    brief.with(may_be_logged).try_init()
                }
                false => text.finish().with(may_be_logged).try_init(),
            }
        }
    };
    started.map_err(|error| Failure::usage("logging cannot be set up").caused_by(error))
}

/// A filter that was typed.
///
/// # Errors
/// It is none.
fn typed(filter: &str) -> Result<String, Failure> {
    let refused =
        |why: String| Failure::usage(format!("`{filter}`, from flag `--log-level`, {why}"));
    // A single word that is not a level would be taken for a target, and log nothing.
    let is_word = filter.chars().all(|c| c.is_ascii_alphabetic());
    if is_word && filter.parse::<LevelFilter>().is_err() {
        return Err(refused("is not a log level".to_owned())
            .with_hint("use error, warn, info, debug or trace"));
    }
    match EnvFilter::try_new(filter) {
        Ok(_) => Ok(filter.to_owned()),
        Err(error) => Err(refused(format!("is not a log filter: {error}"))),
    }
}

/// The filter of `RUST_LOG`, if it is one: whoever sets the variable may mean another program.
fn of_environment() -> Option<String> {
    let filter = std::env::var("RUST_LOG").ok()?;
    let is_one = !filter.trim().is_empty() && EnvFilter::try_new(&filter).is_ok();
    is_one.then_some(filter)
}

struct RedactedStderr {
    format: LogFormat,
    bars: Option<MultiProgress>,
}

/// One log line, written once it is complete: a secret may span two writes.
struct Line {
    bytes: Vec<u8>,
    format: LogFormat,
    bars: Option<MultiProgress>,
}

impl<'a> MakeWriter<'a> for RedactedStderr {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            bytes: Vec::new(),
            format: self.format,
            bars: self.bars.clone(),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = match self.format {
            LogFormat::Text => redact(text.trim_end()),
            LogFormat::Json => redact_json(text.trim_end()),
        };
        let write = || write_stderr(&text);
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}
