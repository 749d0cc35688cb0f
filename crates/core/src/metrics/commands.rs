//! What MongoDB commands cost, by name: counted where they are sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::OperationMetrics;

/// Counters by command; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Commands(Arc<Mutex<BTreeMap<String, OperationMetrics>>>);

/// What a successful attempt moved.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moved {
    /// Documents read or written.
    pub documents: u64,
    /// Bytes that were acknowledged.
    pub bytes_sent: u64,
    /// Bytes of the documents that were read.
    pub bytes_received: u64,
}

impl Commands {
    /// Counts an attempt that took `duration`; `done` is what it moved, or the class of its error.
    pub fn attempt(&self, command: &str, duration: Duration, done: Result<Moved, String>) {
        self.update(command, |metrics| {
            metrics.requests += 1;
            metrics.seconds += duration.as_secs_f64();
            match done {
                Ok(moved) => {
                    metrics.documents += moved.documents;
                    metrics.bytes_sent += moved.bytes_sent;
                    metrics.bytes_received += moved.bytes_received;
                }
                Err(class) => *metrics.errors.entry(class).or_default() += 1,
            }
        });
    }

    /// Counts an attempt that took `duration` and was refused as intended.
    pub fn expected(&self, command: &str, duration: Duration) {
        self.update(command, |metrics| {
            metrics.requests += 1;
            metrics.seconds += duration.as_secs_f64();
            metrics.expected += 1;
        });
    }

    /// Counts a command that is sent again after a failure.
    pub fn repeated(&self, command: &str) {
        self.update(command, |metrics| metrics.retries += 1);
    }

    /// The current values of the counters.
    pub fn snapshot(&self) -> BTreeMap<String, OperationMetrics> {
        let commands = self.0.lock();
        commands.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, command: &str, change: impl FnOnce(&mut OperationMetrics)) {
        let mut commands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(commands.entry(command.to_owned()).or_default());
    }
}
