//! How fast something goes, based on the last ten seconds.
//!
//! Acknowledgements arrive in bursts, because parts that share a link finish at about the same
//! time. So the rate is measured from one burst to another, and is zero after ten seconds without
//! any.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far back the rate looks.
const WINDOW: Duration = Duration::from_secs(10);
/// The minimum time between two marks, which limits their number.
const SPACING: Duration = Duration::from_millis(100);

/// Counts what is done, and when.
#[derive(Debug)]
pub(super) struct Pace {
    done: u64,
    /// How much of it was already there.
    skipped: u64,
    /// When how much was done: the last mark before the window, then those inside it.
    marks: VecDeque<(Instant, u64)>,
}

impl Pace {
    /// A pace of zero as of `start`.
    pub(super) fn since(start: Instant) -> Self {
        Self {
            done: 0,
            skipped: 0,
            marks: VecDeque::from([(start, 0)]),
        }
    }

    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Adds `count`, done just now.
    pub(super) fn advance(&mut self, count: u64, now: Instant) {
        if count == 0 {
            return;
        }
        if let Some(begin) = now.checked_sub(WINDOW)
            && self.last().0 < begin
        {
            // A stall must not slow down the rate of what comes after it.
            self.marks = VecDeque::from([(begin, self.done)]);
        }
        self.done += count;
        let marks = &mut self.marks;
        if marks.len() > 1 && now - marks[marks.len() - 2].0 < SPACING {
            marks.pop_back();
        }
        marks.push_back((now, self.done));
        while marks.len() > 2 && marks[1].0 + WINDOW <= now {
            marks.pop_front();
        }
    }

    /// Adds `count` that turned out to be done already.
    pub(super) fn skip(&mut self, count: u64) {
        self.done += count;
        self.skipped += count;
        for (_, done) in &mut self.marks {
            *done += count;
        }
    }

    /// `count` of what was done is lost. The rate at which it was done still counts.
    pub(super) fn lose(&mut self, count: u64) {
        self.done = self.done.saturating_sub(count);
        for (_, done) in &mut self.marks {
            *done = done.saturating_sub(count);
        }
    }

    /// The mean rate over `time`, without what was already there.
    pub(super) fn mean(&self, time: Duration) -> f64 {
        let done = self.done.saturating_sub(self.skipped);
        done as f64 / time.max(SPACING).as_secs_f64()
    }

    /// The current rate; zero if nothing was done in the last ten seconds.
    pub(super) fn per_second(&self, now: Instant) -> f64 {
        let (begin, before) = self.marks[0];
        let (last, done) = self.last();
        if now - last > WINDOW {
            return 0.0;
        }
        (done - before) as f64 / (last - begin).max(SPACING).as_secs_f64()
    }

    /// The time until `total` is reached; `None` if it already is, if nothing moves, or if that
    /// time has passed.
    pub(super) fn time_left(&self, total: u64, now: Instant) -> Option<Duration> {
        let left = total.checked_sub(self.done).filter(|left| *left > 0)?;
        let from_last = Duration::try_from_secs_f64(left as f64 / self.per_second(now)).ok()?;
        let left_by_now = from_last.checked_sub(now - self.last().0)?;
        (!left_by_now.is_zero()).then_some(left_by_now)
    }

    fn last(&self) -> (Instant, u64) {
        self.marks[self.marks.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn mib_per_second(pace: &Pace, now: Instant) -> f64 {
        pace.per_second(now) / MIB as f64
    }

    #[test]
    fn parts_that_finish_together_show_the_true_rate_and_time_left() {
        // 12 MiB/s, shared by eight parts of 8 MiB.
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut pace = Pace::since(start);
        let total = 12 * MIB * 120;
        for round in 1..=20 {
            let done = f64::from(round) * 64.0 / 12.0;
            for part in 0..8 {
                pace.advance(8 * MIB, at(done + f64::from(part) / 1000.0));
            }
            for later in [0.1, 2.0, 5.0] {
                let now = done + later;
                let rate = mib_per_second(&pace, at(now));
                assert!((11.9..12.1).contains(&rate), "{rate} MiB/s after {now} s");
                let left = pace.time_left(total, at(now)).map(|l| l.as_secs_f64());
                let wrong = left.unwrap_or(0.0) - (120.0 - now).max(0.0);
                assert!(wrong.abs() < 1.0, "{left:?} s left after {now} s");
            }
        }
        assert!(pace.marks.len() < 10);
    }

    #[test]
    fn a_new_rate_shows_after_ten_seconds() {
        let start = Instant::now();
        let mut pace = Pace::since(start);
        let mut now = start;
        for per_second in [40, 5, 20] {
            for _ in 0..11_000 {
                now += Duration::from_millis(1);
                pace.advance(per_second * MIB / 1000, now);
            }
            let rate = mib_per_second(&pace, now);
            assert!((rate - per_second as f64).abs() < 0.1, "{rate}");
        }
        assert!(pace.marks.len() < 120, "{}", pace.marks.len());
    }

    #[test]
    fn a_stall_has_no_rate_or_time_left_until_work_moves_again() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::since(start);
        assert_eq!(pace.per_second(at(5)), 0.0);
        pace.advance(10 * MIB, at(5));
        assert_eq!(mib_per_second(&pace, at(14)), 2.0);
        assert_eq!(
            pace.time_left(30 * MIB, at(7)),
            Some(Duration::from_secs(8))
        );
        assert_eq!(pace.per_second(at(16)), 0.0);
        assert_eq!(pace.time_left(30 * MIB, at(16)), None);
        pace.advance(10 * MIB, at(300));
        assert_eq!(mib_per_second(&pace, at(300)), 1.0);
        assert_eq!(pace.time_left(20 * MIB, at(300)), None);
    }

    #[test]
    fn a_time_left_that_has_passed_is_not_shown() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::since(start);
        pace.advance(10 * MIB, at(5));
        assert_eq!(
            pace.time_left(20 * MIB, at(9)),
            Some(Duration::from_secs(1))
        );
        for late in [10, 12] {
            assert_eq!(pace.time_left(20 * MIB, at(late)), None);
        }
    }

    #[test]
    fn lost_work_is_subtracted_and_the_mean_ignores_skipped_work() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::since(start);
        pace.skip(1000);
        pace.advance(30, at(3));
        pace.lose(10);
        assert_eq!((pace.done(), pace.per_second(at(4))), (1020, 10.0));
        assert_eq!(pace.mean(Duration::from_secs(10)), 2.0);
        pace.lose(5000);
        assert_eq!(pace.done(), 0);
        pace.advance(40, at(8));
        assert!(pace.per_second(at(8)) > 0.0);
    }

    #[test]
    fn skipped_work_counts_as_done_but_not_towards_the_rate() {
        let start = Instant::now();
        let mut pace = Pace::since(start);
        pace.advance(4, start + Duration::from_secs(2));
        pace.skip(1000);
        let now = start + Duration::from_secs(4);
        assert_eq!((pace.done(), pace.per_second(now)), (1004, 2.0));
    }
}
