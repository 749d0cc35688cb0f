//! How long to retry when a server is down, busy or overloaded.
//!
//! The driver never retries a raw command (it would if a server is overloaded, but the connection
//! options forbid that), so every repeatable command of this crate goes through here. Retries are
//! limited by time, as with S3: any number of attempts that ends in reasonable time when nobody
//! answers would lose every open file in an outage of a few minutes.

use std::future::Future;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use lob_core::metrics::Commands;

use super::handle::Server;
use crate::error::{Error, Result};

/// The pauses between attempts: they double from a tenth of a second to eight seconds, with random
/// jitter so that workers do not all return at once.
#[derive(Debug)]
pub(crate) struct Pauses {
    growing: ExponentialBackoff,
    /// From the first failure to the last attempt.
    patience: Duration,
    first_failure: Option<Instant>,
    /// Counts the retries.
    commands: Commands,
}

impl Pauses {
    fn new(patience: Duration, commands: Commands) -> Self {
        let growing = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(8))
            .without_max_times()
            .with_jitter();
        Self {
            growing: growing.build(),
            patience,
            first_failure: None,
            commands,
        }
    }

    /// Waits for the next attempt and logs why. Returns the error once the patience is exhausted.
    pub(crate) async fn wait(&mut self, error: Error) -> Result<()> {
        let Some(pause) = self.after_failure_at(Instant::now()) else {
            return Err(error);
        };
        let source = std::error::Error::source(&error)
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::warn!(%error, source, pause_ms = pause.as_millis(), "retrying MongoDB");
        tokio::time::sleep(pause).await;
        if let Some(command) = error.command() {
            self.commands.repeated(command);
        }
        Ok(())
    }

    /// How long to wait after an attempt that failed at `now`. The last attempt is made when the
    /// patience ends.
    fn after_failure_at(&mut self, now: Instant) -> Option<Duration> {
        let waited = now.duration_since(*self.first_failure.get_or_insert(now));
        let left = self.patience.checked_sub(waited);
        let left = left.filter(|left| !left.is_zero())?;
        self.growing.next().map(|pause| pause.min(left))
    }
}

impl Server {
    /// The pauses of one operation that is retried until the retry timeout.
    pub(crate) fn pauses(&self) -> Pauses {
        Pauses::new(self.retry_timeout, self.commands.clone())
    }

    /// Runs `attempt` until it succeeds, fails for a permanent reason, or the retry timeout
    /// expires. Only for operations that may safely run twice.
    pub(crate) async fn retry<T, F, Fut>(&self, mut attempt: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let mut pauses = self.pauses();
        loop {
            match attempt().await {
                Err(error) if error.is_transient() => pauses.wait(error).await?,
                done => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_since_the_first_failure_ends_the_retries() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let mut pauses = Pauses::new(minutes(20), Commands::default());
        let start = Instant::now();
        let at = |pauses: &mut Pauses, time| pauses.after_failure_at(start + time);
        assert!(at(&mut pauses, Duration::ZERO).unwrap() < Duration::from_millis(300));
        // However long the attempts take, and however many there are.
        for second in 1..1199 {
            let pause = at(&mut pauses, Duration::from_secs(second)).unwrap();
            assert!(pause <= Duration::from_secs(16), "{pause:?}");
        }
        let last = at(&mut pauses, minutes(20) - Duration::from_millis(5));
        assert_eq!(last, Some(Duration::from_millis(5)));
        assert_eq!(at(&mut pauses, minutes(20)), None);
        assert_eq!(
            Pauses::new(Duration::ZERO, Commands::default()).after_failure_at(start),
            None
        );
    }
}
