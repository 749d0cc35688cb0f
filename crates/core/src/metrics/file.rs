//! `--metrics-file`: what a command cost and how it ended, for the collector.
//!
//! A collector may read at any time, so the file is written under another name and replaces the old
//! one as a whole. After a failure, or a command that only reads, it still says when the tool last
//! finished a job, so that an alarm can watch the age of that.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use jiff::Timestamp;

use super::report::EndedCommand;
use super::{MetricsSnapshot, emf, prometheus};
use crate::failure::ExitStatus;
use crate::shared_file::shared_file;

/// The number of links that Linux follows.
const MAX_LINKS: u32 = 40;

/// The format of the metrics file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MetricsFormat {
    /// Prometheus's text format, such as for the node exporter's textfile collector
    Prometheus,
    /// CloudWatch's embedded metric format: lines of JSON
    Emf,
}

/// How a command ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Whether it finished a whole job, such as an export.
    pub finished_job: bool,
}

impl MetricsFormat {
    /// Writes the metrics file of a command of `tool` that has ended.
    ///
    /// # Errors
    /// The system's error; an existing file stays as it is.
    pub fn write(
        self,
        path: &Path,
        tool: &str,
        snapshot: MetricsSnapshot,
        ended: Ended,
    ) -> io::Result<()> {
        let now = Timestamp::now();
        let last_success = match ended.finished_job {
            true => Some(now.as_millisecond() as f64 / 1000.0),
            false => self.last_success(path, tool),
        };
        let ended = EndedCommand {
            tool: tool.to_owned(),
            snapshot,
            exit_status: ended.status as u8,
            last_success,
        };
        let text = match self {
            Self::Prometheus => prometheus::text(ended).map_err(io::Error::other)?,
            Self::Emf => emf::text(&ended, now),
        };
        replace(path, text.as_bytes())
    }

    fn last_success(self, path: &Path, tool: &str) -> Option<f64> {
        // Opening a pipe would block.
        let text = path.is_file().then(|| fs::read_to_string(path).ok())??;
        match self {
            Self::Prometheus => prometheus::last_success(&text, tool),
            Self::Emf => emf::last_success(&text, tool),
        }
    }
}

/// Replaces the file at `path` by one with these bytes, or writes them to whatever else is there,
/// such as `/dev/stderr`.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() && !path.is_file() {
        return fs::write(path, bytes);
    }
    let path = followed(path);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut unfinished = shared_file(folder.unwrap_or(Path::new(".")))?;
    unfinished.write_all(bytes)?;
    unfinished.persist(path)?;
    Ok(())
}

/// The final target of a link, whether or not it exists yet.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(link) = fs::read_link(&path) else {
            break;
        };
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    path
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
        let finished_job = status == ExitStatus::Done;
        let ended = Ended {
            status,
            finished_job,
        };
        format.write(path, tool, snapshot(), ended).unwrap();
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn prometheus_gets_every_counter_and_no_error_code_breaks_a_line() {
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
    fn a_metrics_file_is_written_through_links_even_to_a_missing_target() {
        let (folder, collected) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = collected.path().join("lob.prom");
        let (link, second) = (folder.path().join("link"), folder.path().join("second"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        std::os::unix::fs::symlink("link", &second).unwrap();
        for _ in 0..2 {
            let text = written(MetricsFormat::Prometheus, &second, ExitStatus::Done);
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
            assert!(link.is_symlink() && second.is_symlink());
        }
        assert_eq!(fs::read_dir(collected.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_command_that_finishes_no_job_keeps_the_time_of_the_last_success() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics");
        for format in [MetricsFormat::Prometheus, MetricsFormat::Emf] {
            written(format, &path, ExitStatus::Done);
            let success = format.last_success(&path, "lob-upload");
            let ended = Ended {
                status: ExitStatus::Done,
                finished_job: false,
            };
            format
                .write(&path, "lob-upload", snapshot(), ended)
                .unwrap();
            assert_eq!(format.last_success(&path, "lob-upload"), success);
        }
    }

    #[test]
    fn the_time_of_the_last_success_survives_a_failure() {
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
