//! What every S3 operation cost: counted where the requests are sent, shown in the summary, in
//! `--json`, in the manifest and in the Prometheus file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The counters of one S3 operation, such as `UploadPart`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OperationMetrics {
    /// Attempts sent, retries included.
    pub requests: u64,
    /// Attempts that repeated an earlier one.
    pub retries: u64,
    /// Attempts that the server answered with a request to slow down.
    pub throttles: u64,
    /// Failed attempts by class: an S3 error code, a status, `timeout` or `transport`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// Bytes of request bodies that were acknowledged.
    pub bytes_sent: u64,
    /// Bytes of response bodies that were read.
    pub bytes_received: u64,
    /// Time spent in the attempts, added up over all that ran at once.
    pub seconds: f64,
}

/// One of the numbers of an operation.
type Counter = fn(&OperationMetrics) -> f64;

/// What a command cost as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsSnapshot {
    /// Wall time since the start of the command.
    pub seconds: f64,
    /// The largest resident memory that the process had, where the system tells it.
    pub peak_memory_bytes: Option<u64>,
    /// Counters by operation name.
    pub operations: BTreeMap<String, OperationMetrics>,
}

/// The counters of a running command; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    start: Instant,
    operations: Arc<Mutex<BTreeMap<String, OperationMetrics>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            operations: Arc::default(),
        }
    }
}

impl Metrics {
    fn update(&self, operation: &str, change: impl FnOnce(&mut OperationMetrics)) {
        let mut operations = self
            .operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        change(operations.entry(operation.to_owned()).or_default());
    }

    /// Counts an attempt that ended after `duration`; `error` is its class.
    pub fn attempt(&self, operation: &str, retry: bool, duration: Duration, error: Option<&str>) {
        self.update(operation, |metrics| {
            metrics.requests += 1;
            metrics.retries += u64::from(retry);
            metrics.seconds += duration.as_secs_f64();
            if let Some(class) = error {
                *metrics.errors.entry(class.to_owned()).or_default() += 1;
            }
        });
    }

    /// Counts a request to slow down.
    pub fn throttled(&self, operation: &str) {
        self.update(operation, |metrics| metrics.throttles += 1);
    }

    /// Counts the bytes of an acknowledged request body.
    pub fn sent(&self, operation: &str, bytes: u64) {
        self.update(operation, |metrics| metrics.bytes_sent += bytes);
    }

    /// Counts bytes read from a response body.
    pub fn received(&self, operation: &str, bytes: u64) {
        self.update(operation, |metrics| metrics.bytes_received += bytes);
    }

    /// Whether an attempt of `operation` was repeated: the first one may have taken effect.
    pub fn was_repeated(&self, operation: &str) -> bool {
        let operations = self.operations.lock();
        let operations = operations.unwrap_or_else(PoisonError::into_inner);
        operations.get(operation).is_some_and(|o| o.retries > 0)
    }

    /// The counters as they stand now.
    pub fn snapshot(&self) -> MetricsSnapshot {
        MetricsSnapshot {
            seconds: self.start.elapsed().as_secs_f64(),
            peak_memory_bytes: peak_memory_bytes(),
            operations: self
                .operations
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}

impl MetricsSnapshot {
    /// Attempts that repeated an earlier one, over all operations.
    pub fn retries(&self) -> u64 {
        self.operations.values().map(|o| o.retries).sum()
    }

    /// Attempts sent, over all operations.
    pub fn requests(&self) -> u64 {
        self.operations.values().map(|o| o.requests).sum()
    }

    /// A line of a summary that tells of retries; nothing where there were none.
    pub fn retries_line(&self) -> Option<String> {
        match self.retries() {
            0 => None,
            retries => Some(format!(
                "{retries} of {} requests were retried",
                self.requests()
            )),
        }
    }

    /// The counters in the Prometheus text exposition format, version 0.0.4.
    pub fn to_prometheus(&self, tool: &str) -> String {
        let mut text = String::new();
        let mut gauge = |name: &str, value: f64| {
            let _ = writeln!(
                text,
                "# TYPE {name} gauge\n{name}{{tool=\"{tool}\"}} {value}"
            );
        };
        gauge("lob_seconds", self.seconds);
        gauge(
            "lob_peak_memory_bytes",
            self.peak_memory_bytes.unwrap_or_default() as f64,
        );
        let counters: [(&str, Counter); 6] = [
            ("lob_s3_requests_total", |o| o.requests as f64),
            ("lob_s3_retries_total", |o| o.retries as f64),
            ("lob_s3_throttles_total", |o| o.throttles as f64),
            ("lob_s3_sent_bytes_total", |o| o.bytes_sent as f64),
            ("lob_s3_received_bytes_total", |o| o.bytes_received as f64),
            ("lob_s3_seconds_total", |o| o.seconds),
        ];
        for (name, value) in counters {
            let _ = writeln!(text, "# TYPE {name} counter");
            for (operation, metrics) in &self.operations {
                let labels = format!("tool=\"{tool}\",operation=\"{operation}\"");
                let _ = writeln!(text, "{name}{{{labels}}} {}", value(metrics));
            }
        }
        let _ = writeln!(text, "# TYPE lob_s3_errors_total counter");
        for (operation, metrics) in &self.operations {
            for (class, count) in &metrics.errors {
                let labels = format!("tool=\"{tool}\",operation=\"{operation}\",class=\"{class}\"");
                let _ = writeln!(text, "lob_s3_errors_total{{{labels}}} {count}");
            }
        }
        text
    }
}

/// The process's high-water mark of resident memory: `VmHWM` of proc(5), so Linux only.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_reaches_the_prometheus_text() {
        let metrics = Metrics::default();
        metrics.attempt("PutObject", false, Duration::from_secs(1), Some("SlowDown"));
        metrics.throttled("PutObject");
        metrics.attempt("PutObject", true, Duration::from_secs(1), None);
        metrics.sent("PutObject", 7);
        let snapshot = metrics.snapshot();
        assert_eq!((snapshot.requests(), snapshot.retries()), (2, 1));
        let text = snapshot.to_prometheus("lob-upload");
        let labels = "tool=\"lob-upload\",operation=\"PutObject\"";
        assert!(text.contains(&format!("lob_s3_requests_total{{{labels}}} 2\n")));
        assert!(text.contains(&format!("lob_s3_throttles_total{{{labels}}} 1\n")));
        assert!(text.contains(&format!("lob_s3_sent_bytes_total{{{labels}}} 7\n")));
        assert!(text.contains(&format!(
            "lob_s3_errors_total{{{labels},class=\"SlowDown\"}} 1\n"
        )));
    }
}
