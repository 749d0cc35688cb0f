//! How long to try again when a server is away, busy or overloaded.
//!
//! The driver retries no command that it is given raw (it would when a server is overloaded, which
//! the connection's options forbid), so every command of this crate that may be repeated goes
//! through here. What ends the attempts is a time, as with S3: with any number of them that ends in
//! reasonable time when nobody answers, an outage of minutes would lose every open file.

use std::future::Future;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use lob_core::metrics::Commands;

use super::handle::Server;
use crate::error::{Error, Result};

/// The pauses between attempts: doubling from a tenth of a second to eight seconds, each stretched
/// at random so that several workers do not come back at once.
#[derive(Debug)]
pub(crate) struct Pauses {
    growing: ExponentialBackoff,
    /// From the first failure to the last attempt.
    patience: Duration,
    first_failure: Option<Instant>,
    /// Counts what is repeated.
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

    /// Waits until the next attempt, and says why. Gives the error back when the patience is over.
    pub(crate) async fn wait(&mut self, error: Error) -> Result<()> {
        let Some(pause) = self.after_failure_at(Instant::now()) else {
            return Err(error);
        };
        let source = std::error::Error::source(&error)
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::warn!(%error, source, pause_ms = pause.as_millis(), "trying MongoDB again");
        tokio::time::sleep(pause).await;
        if let Some(command) = error.command() {
            self.commands.repeated(command);
        }
        Ok(())
    }

    /// How long to wait after an attempt that failed at this moment. The last attempt is made when
    /// the patience ends.
    fn after_failure_at(&mut self, now: Instant) -> Option<Duration> {
        let waited = now.duration_since(*self.first_failure.get_or_insert(now));
        let left = self.patience.checked_sub(waited);
        let left = left.filter(|left| !left.is_zero())?;
        self.growing.next().map(|pause| pause.min(left))
    }
}

impl Server {
    /// The pauses of one thing that is tried again until the retry time-out.
    pub(crate) fn pauses(&self) -> Pauses {
        Pauses::new(self.retry_timeout, self.commands.clone())
    }

    /// Runs `attempt` until it succeeds, fails for a reason that will not go away, or the retry
    /// time-out is over. Only for what may be done twice.
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
    fn attempts_end_by_the_time_since_the_first_failure() {
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
