//! How long a download is waited for: bytes that arrive earn time, at the slowest rate.
//!
//! Only waiting for the server costs time, since the consumer of the bytes may be slow as well.

use std::time::Duration;

use super::SLOWEST_RATE;

/// Time to wait, which is used up and earned.
#[derive(Debug)]
pub(super) struct Patience {
    most: Duration,
    left: Duration,
}

impl Patience {
    /// All of it is left.
    pub(super) fn new(most: Duration) -> Self {
        Self { most, left: most }
    }

    /// No next byte is waited for any longer.
    pub(super) fn left(&self) -> Duration {
        self.left
    }

    /// Nothing arrived for this time.
    pub(super) fn waited(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    /// So many bytes arrived.
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
    fn a_download_below_the_slowest_rate_ends_and_any_other_does_not() {
        assert_eq!(seconds_at(0), 59);
        assert_eq!(seconds_at(1), 60);
        assert!((100..130).contains(&seconds_at(SLOWEST_RATE / 2)));
        assert_eq!(seconds_at(SLOWEST_RATE), 3600);
    }

    #[test]
    fn a_fast_minute_earns_no_hour_of_silence() {
        let mut patience = Patience::new(Duration::from_secs(60));
        patience.received(u64::MAX);
        assert_eq!(patience.left(), Duration::from_secs(60));
    }
}
