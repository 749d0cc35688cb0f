//! What every S3 operation and MongoDB command cost: counted where they are sent, and shown in the
//! summary, in `--json`, in the manifest and in the metrics file.

mod commands;
mod emf;
mod file;
mod prometheus;
mod report;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use commands::{Commands, Moved};
pub use file::{Ended, MetricsFormat};
use serde::{Deserialize, Serialize};

/// The counters of one S3 operation, such as `UploadPart`, or of one MongoDB command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OperationMetrics {
    /// Attempts sent, retries included.
    pub requests: u64,
    /// Attempts that repeated an earlier one.
    pub retries: u64,
    /// Attempts that the server answered with a request to slow down.
    pub throttles: u64,
    /// Expected answers other than success, such as that an object does not exist or that a
    /// condition is honoured. They are not errors.
    #[serde(default)]
    pub expected: u64,
    /// Failed attempts by class: the server's error code, a status, `timeout` or `transport`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// Documents read or written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub documents: u64,
    /// Bytes of acknowledged request bodies.
    pub bytes_sent: u64,
    /// Bytes read from response bodies.
    pub bytes_received: u64,
    /// Time spent in attempts, summed over concurrent ones.
    pub seconds: f64,
}

/// The total cost of a command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsSnapshot {
    /// Wall time since the start of the command.
    pub seconds: f64,
    /// The peak resident memory of the process, if the system reports it.
    pub peak_memory_bytes: Option<u64>,
    /// Counters by S3 operation.
    pub operations: BTreeMap<String, OperationMetrics>,
    /// Counters by MongoDB command.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub commands: BTreeMap<String, OperationMetrics>,
}

/// The counters of a running command; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    start: Instant,
    operations: Arc<Mutex<BTreeMap<String, OperationMetrics>>>,
    commands: Commands,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            operations: Arc::default(),
            commands: Commands::default(),
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

    /// Counts an attempt that ended after `duration`; `error` is the class of its failure, if it
    /// failed.
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

    /// Counts an expected answer other than success.
    pub fn expected(&self, operation: &str) {
        self.update(operation, |metrics| metrics.expected += 1);
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

    /// Whether an attempt of `operation` was retried: the first one may have taken effect.
    pub fn was_repeated(&self, operation: &str) -> bool {
        let operations = self.operations.lock();
        let operations = operations.unwrap_or_else(PoisonError::into_inner);
        operations.get(operation).is_some_and(|o| o.retries > 0)
    }

    /// The counters of MongoDB commands.
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// One counter, summed over all operations and commands.
    pub(crate) fn total(&self, counter: fn(&OperationMetrics) -> u64) -> u64 {
        let operations = self.operations.lock();
        let operations = operations.unwrap_or_else(PoisonError::into_inner);
        let of_s3: u64 = operations.values().map(counter).sum();
        let of_mongodb: u64 = self.commands.snapshot().values().map(counter).sum();
        of_s3 + of_mongodb
    }

    /// The current values of the counters.
    pub fn snapshot(&self) -> MetricsSnapshot {
        MetricsSnapshot {
            seconds: self.start.elapsed().as_secs_f64(),
            peak_memory_bytes: peak_memory_bytes(),
            operations: self
                .operations
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            commands: self.commands.snapshot(),
        }
    }
}

impl MetricsSnapshot {
    /// Retries over all S3 operations.
    pub fn retries(&self) -> u64 {
        self.operations.values().map(|o| o.retries).sum()
    }

    /// Attempts over all S3 operations, retries included.
    pub fn requests(&self) -> u64 {
        self.operations.values().map(|o| o.requests).sum()
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The peak resident memory of the process: `VmHWM` in proc(5), so Linux only.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
