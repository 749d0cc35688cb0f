//! How far a command has come at one moment, as text and as JSON.

use std::time::Duration;

use bytesize::ByteSize;
use indicatif::HumanCount;
use serde_json::{Value, json};

use super::{Measure, Work};

/// How far a command has come.
#[derive(Debug, Clone)]
pub(crate) enum Moment {
    /// Nothing is being counted yet.
    Step(Step),
    /// The work has begun.
    Work(Status),
}

/// A step in which nothing is counted.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) what: String,
    /// Time since it began.
    pub(crate) time: Duration,
}

/// How far the work has come.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    /// The step under way alongside the work or after it, if any.
    pub(crate) step: Option<Step>,
    pub(crate) work: Work,
    pub(crate) bytes: u64,
    pub(crate) items: u64,
    /// Time from the beginning of the work to its end, or to now.
    pub(crate) time: Duration,
    pub(crate) is_done: bool,
    /// Over the last ten seconds, or over the whole time once the work is done.
    pub(crate) bytes_per_second: u64,
    /// `None` if it cannot be estimated.
    pub(crate) time_left: Option<Duration>,
    pub(crate) retries: u64,
    pub(crate) throttles: u64,
}

impl Moment {
    /// Everything in one line.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Step(step) => step.line(),
            Self::Work(status) => status.line(),
        }
    }

    /// The same for machines.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Step(step) => step.json(),
            Self::Work(status) => status.json(),
        }
    }
}

impl Step {
    /// What is being done, and for how long.
    pub(crate) fn line(&self) -> String {
        match self.time.as_secs() {
            0 => self.what.clone(),
            seconds => format!("{} for {}", self.what, in_words(seconds)),
        }
    }

    fn json(&self) -> Value {
        json!({ "step": self.what, "step_seconds": self.time.as_secs_f64() })
    }
}

impl Status {
    /// Everything in one line.
    fn line(&self) -> String {
        let all = [
            self.bytes_done(),
            Some(self.items_done()),
            self.left(),
            self.trouble(),
            self.step.as_ref().map(Step::line),
        ];
        all.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Bytes and their rate; `None` if the work has none.
    pub(crate) fn bytes_done(&self) -> Option<String> {
        if self.work.bytes.is_none() && self.bytes == 0 {
            return None;
        }
        let bytes = of(ByteSize(self.bytes), self.work.bytes.map(ByteSize), "");
        Some(format!("{bytes}, {}/s", ByteSize(self.bytes_per_second)))
    }

    /// Files or documents.
    pub(crate) fn items_done(&self) -> String {
        let about = if self.work.is_estimate { "~" } else { "" };
        let items = self.work.items.map(HumanCount);
        let items = of(HumanCount(self.items), items, about);
        format!("{items} {}", self.work.unit)
    }

    /// The time left.
    pub(crate) fn left(&self) -> Option<String> {
        let left = self.time_left?;
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Some(format!("{} left", in_words(seconds)))
    }

    /// The number of retries and throttles, if there were any.
    pub(crate) fn trouble(&self) -> Option<String> {
        let counted = |count, one, many| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{} {many}", HumanCount(count))),
        };
        let retries = counted(self.retries, "retry", "retries");
        let throttles = counted(self.throttles, "throttle", "throttles");
        let all: Vec<_> = retries.into_iter().chain(throttles).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// How much is done and how much there is to do, by the measure of the work.
    pub(crate) fn share(&self) -> Option<(u64, u64)> {
        match self.work.measure {
            Measure::Bytes => self.work.bytes.map(|total| (self.bytes, total)),
            Measure::Items => self.work.items.map(|total| (self.items, total)),
        }
    }

    /// The same in percent. It reaches 100 only once the work is done, not while an object is being
    /// completed or an estimate is exceeded.
    pub(crate) fn percent(&self) -> u64 {
        let (done, total) = self.share().unwrap_or_default();
        let percent = (u128::from(done) * 100).checked_div(u128::from(total));
        let most = if self.is_done { 100 } else { 99 };
        u64::try_from(percent.unwrap_or(0)).map_or(most, |percent| percent.min(most))
    }

    fn json(&self) -> Value {
        json!({
            "step": self.step.as_ref().map(|step| &step.what),
            "step_seconds": self.step.as_ref().map(|step| step.time.as_secs_f64()),
            "bytes": self.bytes,
            "total_bytes": self.work.bytes,
            "items": self.items,
            "total_items": self.work.items,
            "total_items_is_estimate": self.work.is_estimate,
            "unit": self.work.unit,
            "seconds": self.time.as_secs_f64(),
            "bytes_per_second": self.bytes_per_second,
            "seconds_left": self.time_left.map(|left| left.as_secs()),
            "retries": self.retries,
            "throttles": self.throttles,
        })
    }
}

fn in_words(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m {:02}s", seconds % 60),
        _ => format!("{hours}h {:02}m", minutes % 60),
    }
}

fn of<T: ToString>(done: T, total: Option<T>, about: &str) -> String {
    match total {
        Some(total) => format!("{} of {about}{}", done.to_string(), total.to_string()),
        None => done.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status {
            step: None,
            work: Work {
                bytes: Some(60 << 20),
                items: Some(1200),
                unit: "files",
                ..Work::default()
            },
            bytes: 12 << 20,
            items: 7,
            time: Duration::from_secs(1),
            is_done: false,
            bytes_per_second: 12 << 20,
            time_left: Some(Duration::from_secs(4)),
            retries: 0,
            throttles: 0,
        }
    }

    #[test]
    fn a_line_shows_progress_rate_and_trouble() {
        let clean = status();
        let line = "12.0 MiB of 60.0 MiB, 12.0 MiB/s, 7 of 1,200 files, 4s left";
        assert_eq!(clean.line(), line);
        let troubled = Status {
            retries: 1,
            throttles: 2000,
            time_left: None,
            bytes: 0,
            bytes_per_second: 0,
            ..clean
        };
        let line = "0 B of 60.0 MiB, 0 B/s, 7 of 1,200 files, 1 retry, 2,000 throttles";
        assert_eq!(troubled.line(), line);
    }

    #[test]
    fn a_step_is_shown_with_its_time_before_and_after_the_work() {
        let step = |seconds| Step {
            what: "reading the manifest".to_owned(),
            time: Duration::from_secs(seconds),
        };
        let line = |seconds| Moment::Step(step(seconds)).line();
        assert_eq!(line(0), "reading the manifest");
        assert_eq!(line(70), "reading the manifest for 1m 10s");
        let told = Moment::Step(step(70)).json();
        assert_eq!(told["step"], "reading the manifest");
        assert_eq!(told["step_seconds"], 70.0);
        let working = Status {
            step: Some(step(10)),
            time_left: None,
            ..status()
        };
        let line = "7 of 1,200 files, reading the manifest for 10s";
        assert!(working.line().ends_with(line), "{}", working.line());
    }

    #[test]
    fn work_without_bytes_does_not_mention_them() {
        let work = Work {
            bytes: None,
            items: None,
            unit: "documents",
            ..Work::default()
        };
        let checked = Status {
            work,
            bytes: 0,
            time_left: Some(Duration::from_secs(3725)),
            ..status()
        };
        assert_eq!(checked.line(), "7 documents, 1h 02m left");
        assert_eq!(checked.share(), None);
    }

    #[test]
    fn each_part_of_the_bars_fits_into_forty_columns() {
        let large = Status {
            work: Work {
                bytes: Some((1 << 50) - (1 << 43)),
                items: Some(123_456_789),
                unit: "documents",
                is_estimate: true,
                measure: Measure::Items,
            },
            bytes: (1 << 40) - (1 << 33),
            items: 123_456_788,
            bytes_per_second: (1 << 30) - (1 << 23),
            time_left: Some(Duration::from_secs(3599)),
            retries: 123_456,
            throttles: 123_456,
            ..status()
        };
        let parts = [
            large.bytes_done(),
            Some(large.items_done()),
            large.left(),
            large.trouble(),
        ];
        for part in parts.map(Option::unwrap) {
            assert!(part.len() <= 40, "{part}");
        }
    }
}
