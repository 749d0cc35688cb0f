//! The flags that every tool has and that are not settings: they control how a command is observed,
//! not what it does.

use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};

use crate::metrics::MetricsFormat;

/// The flags that every tool has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common")]
pub struct CommonArgs {
    /// Settings file [default: `lob.toml` in the working directory, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print every setting and where it came from, and do nothing else
    #[arg(long)]
    pub(crate) show_settings: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
    /// How to show progress [default: bars on a terminal, else log]
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) progress: Option<ProgressForm>,
    /// Format of the log on stderr
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Log every step even beside bars, which otherwise leave room for warnings only
    #[arg(short, long)]
    pub verbose: bool,
    /// Show no progress, and of the log only errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// What to log, as a level or a filter such as `info,lob_core=debug` [env: also RUST_LOG]
    #[arg(long, value_name = "FILTER")]
    pub log_level: Option<String>,
    /// Write the counters of S3 and MongoDB operations, and how the command ended, to this file
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Format of the metrics file
    #[arg(long, value_enum, value_name = "FORM", default_value = "prometheus")]
    pub metrics_format: MetricsFormat,
}

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressForm {
    /// Nothing
    None,
    /// Bars, redrawn in place
    Bars,
    /// A log line every ten seconds
    Log,
    /// A JSON object every ten seconds
    Json,
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// Whether `flag` belongs to the group `G`.
pub fn is_of<G: Args>(flag: &str) -> bool {
    G::augment_args(Command::new(""))
        .get_arguments()
        .any(|arg| arg.get_id() == flag)
}
