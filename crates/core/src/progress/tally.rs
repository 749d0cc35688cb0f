//! What has been done so far, for the display.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::pace::Pace;
use super::{Measure, Moment, Progress, Status, Step, Work};
use crate::metrics::Metrics;

/// Adds up the progress that is reported.
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
    /// When the work was finished.
    end: Option<Instant>,
    bytes: Pace,
    items: Pace,
}

impl Tally {
    /// A tally of a command that has not begun. Retries and throttles are taken from `metrics`.
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
            end,
            bytes,
            items,
        } = begun;
        let time = end.unwrap_or(now) - *start;
        let per_second = match end {
            Some(_) => bytes.mean(time),
            None => bytes.per_second(now),
        };
        let left = |pace: &Pace, total: Option<u64>| pace.time_left(total?, now);
        let time_left = match work.measure {
            _ if end.is_some() => None,
            Measure::Bytes => left(bytes, work.bytes),
            Measure::Items => left(items, work.items),
        };
        Status {
            step,
            work: *work,
            bytes: bytes.done(),
            items: items.done(),
            time,
            is_done: end.is_some(),
            bytes_per_second: per_second as u64,
            time_left,
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
                end: None,
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

    fn lose(&self, bytes: u64, items: u64) {
        if let Some(begun) = &mut self.state().begun {
            begun.bytes.lose(bytes);
            begun.items.lose(items);
        }
    }

    fn end(&self) {
        if let Some(begun) = &mut self.state().begun {
            begun.end = Some(Instant::now());
            if begun.work.is_estimate {
                begun.work.items = Some(begun.items.done());
                begun.work.is_estimate = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::progress::Told;

    fn line(tally: &Tally) -> String {
        tally.moment().unwrap().line()
    }

    fn working(tally: &Tally) -> Status {
        match tally.moment() {
            Some(Moment::Work(status)) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_estimate_is_marked_and_stays_below_100_percent_until_the_work_ends() {
        let tally = Tally::new(Metrics::default());
        tally.begin(Work {
            bytes: None,
            items: Some(1200),
            unit: "documents",
            is_estimate: true,
            measure: Measure::Items,
        });
        assert_eq!(line(&tally), "0 of ~1,200 documents");
        assert_eq!(working(&tally).percent(), 0);
        tally.advance(0, 1300);
        assert!(line(&tally).starts_with("1,300 of ~1,200 documents"));
        assert_eq!(working(&tally).percent(), 99);
        tally.end();
        assert_eq!(line(&tally), "1,300 of 1,300 documents");
        assert_eq!(working(&tally).percent(), 100);
    }

    #[test]
    fn fetched_bytes_do_not_count_as_inserted_documents() {
        let tally = Tally::new(Metrics::default());
        tally.begin(Work {
            bytes: Some(100),
            items: Some(40),
            unit: "documents",
            is_estimate: false,
            measure: Measure::Items,
        });
        tally.advance(100, 0);
        let status = working(&tally);
        assert_eq!((status.percent(), status.time_left), (0, None));
        tally.advance(0, 10);
        assert_eq!(working(&tally).percent(), 25);
    }

    #[test]
    fn the_progress_of_an_abandoned_object_is_taken_back_once() {
        let tally = Arc::new(Tally::new(Metrics::default()));
        tally.begin(Work::default());
        tally.advance(5, 1);
        let told = Told::to(Arc::clone(&tally) as _);
        told.skip(10, 2);
        told.clone().advance(20, 4);
        assert_eq!((working(&tally).bytes, working(&tally).items), (35, 7));
        told.take_back();
        told.take_back();
        assert_eq!((working(&tally).bytes, working(&tally).items), (5, 1));
    }
}
