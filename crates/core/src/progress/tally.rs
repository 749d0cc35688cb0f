//! What was done so far, for whoever shows it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::pace::Pace;
use super::{Progress, Status, Work};
use crate::metrics::Metrics;

/// Adds up what it is told.
#[derive(Debug)]
pub(crate) struct Tally {
    metrics: Metrics,
    begun: Mutex<Option<Begun>>,
}

#[derive(Debug)]
struct Begun {
    work: Work,
    start: Instant,
    bytes: Pace,
    items: Pace,
}

impl Tally {
    /// Nothing has begun. Retries and throttles are those of `metrics`.
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            begun: Mutex::default(),
        }
    }

    /// How far the work has come; `None` before it begins.
    pub(crate) fn status(&self) -> Option<Status> {
        let begun = self.begun();
        let Begun {
            work,
            start,
            bytes,
            items,
        } = begun.as_ref()?;
        let now = Instant::now();
        let left = |pace: &Pace, total: Option<u64>| pace.time_left(total?, now);
        let by_items = || left(items, work.items);
        Some(Status {
            work: *work,
            bytes: bytes.done(),
            items: items.done(),
            time: now - *start,
            bytes_per_second: bytes.per_second(now) as u64,
            time_left: match work.bytes {
                Some(total) if bytes.done() < total => left(bytes, work.bytes),
                _ => by_items(),
            },
            retries: self.metrics.total(|operation| operation.retries),
            throttles: self.metrics.total(|operation| operation.throttles),
        })
    }

    fn begun(&self) -> MutexGuard<'_, Option<Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Tally {
    fn begin(&self, work: Work) {
        let start = Instant::now();
        *self.begun() = Some(Begun {
            work,
            start,
            bytes: Pace::since(start),
            items: Pace::since(start),
        });
    }

    fn advance(&self, bytes: u64, items: u64) {
        if let Some(begun) = &mut *self.begun() {
            let now = Instant::now();
            begun.bytes.advance(bytes, now);
            begun.items.advance(items, now);
        }
    }

    fn skip(&self, bytes: u64, items: u64) {
        if let Some(begun) = &mut *self.begun() {
            begun.bytes.skip(bytes);
            begun.items.skip(items);
        }
    }
}
