//! `--metrics-file`: what a command cost and how it ended, for whoever collects it.
//!
//! A collector may read at any time, so the file is written under another name and takes its place
//! whole. After a failure it still says when the tool last succeeded, so that an alarm can be set on
//! the age of that.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::ValueEnum;
use jiff::Timestamp;

use super::report::EndedCommand;
use super::{MetricsSnapshot, emf, prometheus};
use crate::failure::ExitStatus;

/// Forms of the metrics file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MetricsFormat {
    /// Prometheus's text format, such as for the node exporter's textfile collector
    Prometheus,
    /// CloudWatch's embedded metric format: lines of JSON
    Emf,
}

impl MetricsFormat {
    /// Writes the file of a command of `tool` that has ended.
    ///
    /// # Errors
    /// The system's; a file that was there stays as it is.
    pub fn write(
        self,
        path: &Path,
        tool: &str,
        snapshot: MetricsSnapshot,
        status: ExitStatus,
    ) -> io::Result<()> {
        let now = Timestamp::now();
        let last_success = match status {
            ExitStatus::Done => Some(now.as_millisecond() as f64 / 1000.0),
            _ => self.last_success(path, tool),
        };
        let ended = EndedCommand {
            tool: tool.to_owned(),
            snapshot,
            exit_status: status as u8,
            last_success,
        };
        let text = match self {
            Self::Prometheus => prometheus::text(ended).map_err(io::Error::other)?,
            Self::Emf => emf::text(&ended, now),
        };
        replace(path, text.as_bytes())
    }

    fn last_success(self, path: &Path, tool: &str) -> Option<f64> {
        // A pipe would be waited for.
        let text = path.is_file().then(|| fs::read_to_string(path).ok())??;
        match self {
            Self::Prometheus => prometheus::last_success(&text, tool),
            Self::Emf => emf::last_success(&text, tool),
        }
    }
}

/// Puts a file of these bytes in the place of the one at `path`, or writes them to what is no file,
/// such as `/dev/stderr`.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() && !path.is_file() {
        return fs::write(path, bytes);
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    // Temporary files are private by default; this one is for whoever collects it.
    let mut unfinished = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    unfinished.write_all(bytes)?;
    unfinished.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Metrics, Moved};

    fn snapshot() -> MetricsSnapshot {
        let metrics = Metrics::default();
        let second = Duration::from_secs(1);
        metrics.attempt("PutObject", false, second, Some("Slow\"\\\nDown 1"));
        metrics.throttled("PutObject");
        metrics.attempt("PutObject", true, second, None);
        metrics.sent("PutObject", 7);
        metrics.attempt("GetObject", false, second, None);
        let commands = metrics.commands();
        let moved = Moved {
            documents: 3,
            bytes_sent: 99,
            ..Moved::default()
        };
        commands.attempt("insert", second, Err("timeout".to_owned()));
        commands.repeated("insert");
        commands.attempt("insert", second, Ok(moved));
        metrics.snapshot()
    }

    fn written(format: MetricsFormat, path: &Path, status: ExitStatus) -> String {
        let tool = "lob-upload";
        format.write(path, tool, snapshot(), status).unwrap();
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn every_counter_reaches_prometheus_and_no_error_code_breaks_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lob.prom");
        let text = written(MetricsFormat::Prometheus, &path, ExitStatus::Integrity);
        let labels = "tool=\"lob-upload\",operation=\"PutObject\"";
        for line in [
            format!("lob_s3_requests_total{{{labels}}} 2.0"),
            format!("lob_s3_throttles_total{{{labels}}} 1.0"),
            format!("lob_s3_sent_bytes_total{{{labels}}} 7.0"),
            format!("lob_s3_errors_total{{{labels},class=\"Slow\\\"\\\\\\nDown 1\"}} 1"),
            "lob_mongodb_requests_total{tool=\"lob-upload\",operation=\"insert\"} 2.0".to_owned(),
            "lob_mongodb_retries_total{tool=\"lob-upload\",operation=\"insert\"} 1.0".to_owned(),
            "lob_mongodb_documents_total{tool=\"lob-upload\",operation=\"insert\"} 3.0".to_owned(),
            "lob_mongodb_sent_bytes_total{tool=\"lob-upload\",operation=\"insert\"} 99.0".to_owned(),
            "lob_mongodb_errors_total{tool=\"lob-upload\",operation=\"insert\",class=\"timeout\"} 1"
                .to_owned(),
            "lob_exit_status{tool=\"lob-upload\"} 3.0".to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        let is_whole = |line: &str| line.starts_with("# ") || line.starts_with("lob_");
        assert!(text.lines().all(is_whole), "{text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_last_success_is_carried_over_a_failure() {
        for format in [MetricsFormat::Prometheus, MetricsFormat::Emf] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("metrics");
            written(format, &path, ExitStatus::Failed);
            assert_eq!(format.last_success(&path, "lob-upload"), None);
            written(format, &path, ExitStatus::Done);
            let success = format.last_success(&path, "lob-upload");
            assert!(success.unwrap() > 1.7e9);
            for status in [ExitStatus::Failed, ExitStatus::Unknown] {
                written(format, &path, status);
                assert_eq!(format.last_success(&path, "lob-upload"), success);
            }
            assert_eq!(format.last_success(&path, "lob-export"), None);
        }
    }
}
