//! What was done so far, for whoever shows it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::pace::Pace;
use super::{Moment, Progress, Status, Step, Work};
use crate::metrics::Metrics;

/// Adds up what it is told.
#[derive(Debug)]
pub(crate) struct Tally {
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What is being done, and since when.
    step: Option<(String, Instant)>,
    begun: Option<Begun>,
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
            state: Mutex::default(),
        }
    }

    /// How far the command has come; `None` before its first step.
    pub(crate) fn moment(&self) -> Option<Moment> {
        let state = self.state();
        let now = Instant::now();
        let step = state.step.as_ref().map(|(what, since)| Step {
            what: what.clone(),
            time: now - *since,
        });
        match &state.begun {
            Some(begun) => Some(Moment::Work(self.status(begun, step, now))),
            None => step.map(Moment::Step),
        }
    }

    fn status(&self, begun: &Begun, step: Option<Step>, now: Instant) -> Status {
        let Begun {
            work,
            start,
            bytes,
            items,
        } = begun;
        let left = |pace: &Pace, total: Option<u64>| pace.time_left(total?, now);
        let by_items = || left(items, work.items);
        Status {
            step,
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
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Tally {
    fn step(&self, what: &str) {
        self.state().step = Some((what.to_owned(), Instant::now()));
    }

    fn begin(&self, work: Work) {
        let start = Instant::now();
        *self.state() = State {
            step: None,
            begun: Some(Begun {
                work,
                start,
                bytes: Pace::since(start),
                items: Pace::since(start),
            }),
        };
    }

    fn advance(&self, bytes: u64, items: u64) {
        if let Some(begun) = &mut self.state().begun {
            let now = Instant::now();
            begun.bytes.advance(bytes, now);
            begun.items.advance(items, now);
        }
    }

    fn skip(&self, bytes: u64, items: u64) {
        if let Some(begun) = &mut self.state().begun {
            begun.bytes.skip(bytes);
            begun.items.skip(items);
        }
    }
}
