//! How long to wait for a download: arriving bytes earn time, at the slowest rate.
//!
//! Only waiting for the server costs time, since the consumer of the bytes may be slow too.

use std::time::Duration;

use super::SLOWEST_RATE;

/// Time to wait, which is spent and earned.
#[derive(Debug)]
pub(super) struct Patience {
    most: Duration,
    left: Duration,
}

impl Patience {
    /// Starts with all of the time left.
    pub(super) fn new(most: Duration) -> Self {
        Self { most, left: most }
    }

    /// The longest time to wait for the next byte.
    pub(super) fn left(&self) -> Duration {
        self.left
    }

    /// Spends the time in which nothing arrived.
    pub(super) fn waited(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    /// Earns time for bytes that arrived.
    pub(super) fn received(&mut self, bytes: u64) {
        let earned = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / SLOWEST_RATE);
        self.left = self.left.saturating_add(earned).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many seconds a download at this rate lasts, up to an hour.
    fn seconds_at(bytes_per_second: u64) -> usize {
        let mut patience = Patience::new(Duration::from_secs(60));
        let lasts = (0..3600).take_while(|_| {
            patience.waited(Duration::from_secs(1));
            let is_left = !patience.left().is_zero();
            patience.received(bytes_per_second);
            is_left
        });
        lasts.count()
    }

    #[test]
    fn only_a_download_below_the_slowest_rate_times_out() {
        assert_eq!(seconds_at(0), 59);
        assert_eq!(seconds_at(1), 60);
        assert!((100..130).contains(&seconds_at(SLOWEST_RATE / 2)));
        assert_eq!(seconds_at(SLOWEST_RATE), 3600);
    }

    #[test]
    fn a_fast_minute_does_not_earn_an_hour_of_silence() {
        let mut patience = Patience::new(Duration::from_secs(60));
        patience.received(u64::MAX);
        assert_eq!(patience.left(), Duration::from_secs(60));
    }
}
