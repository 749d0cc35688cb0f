//! The log: on stderr, around the bars, one line per event, without secrets. When bars show how the
//! work is going, the log has only warnings.

mod brief;

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

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

/// Starts the log of this process.
pub(super) fn start(common: &CommonArgs, bars: Option<MultiProgress>) -> Result<(), Failure> {
    let (origin, filter) = match (&common.log_level, std::env::var("RUST_LOG")) {
        (Some(filter), _) => ("flag `--log-level`", filter.clone()),
        (None, _) if common.quiet => ("flag `--quiet`", ERRORS.to_owned()),
        (None, _) if common.verbose => ("flag `--verbose`", format!("{EVERYTHING},{STEP}=info")),
        (None, Ok(filter)) => ("environment variable `RUST_LOG`", filter),
        (None, Err(_)) if bars.is_some() => ("default", WARNINGS.to_owned()),
        (None, Err(_)) => ("default", EVERYTHING.to_owned()),
    };
    // A single word that is not a level would be taken for a target, and log nothing.
    let is_word = filter.chars().all(|c| c.is_ascii_alphabetic());
    if common.log_level.is_some() && is_word && filter.parse::<LevelFilter>().is_err() {
        let message = format!("`{filter}`, from {origin}, is not a log level");
        let hint = "use error, warn, info, debug or trace";
        return Err(Failure::usage(message).with_hint(hint));
    }
    let filter = EnvFilter::try_new(&filter).map_err(|error| {
        let message = format!("`{filter}`, from {origin}, is not a log filter: {error}");
        Failure::usage(message)
    })?;
    let has_bars = bars.is_some();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(RedactedStderr {
            format: common.log_format,
            bars,
        });
    let started = match common.log_format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => {
            let text = builder.with_ansi(false).with_target(false);
            match has_bars {
                true => text
                    .with_timer(TimeOfDay)
                    .fmt_fields(BriefFields)
                    .try_init(),
                false => text.try_init(),
            }
        }
    };
    started.map_err(|error| Failure::usage("logging cannot be set up").caused_by(error))
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
