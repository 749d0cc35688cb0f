//! How long to try again when a server is away for a moment.
//!
//! The driver retries no command that it is given raw (it would when a server is overloaded, which
//! the connection's options forbid), so every command of this crate that may be repeated goes
//! through here. An election of a primary takes about twelve seconds, so the default
//! of `mongodb_retry_timeout` is longer than that.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder, Retryable as _};

use crate::error::{Error, Result};
use crate::server::Server;

impl Server {
    /// The pauses between attempts: doubling from a tenth of a second to eight seconds, each
    /// stretched at random so that several workers do not come back at once, until they add up to
    /// the retry time-out.
    pub(crate) fn pauses(&self) -> ExponentialBackoff {
        self.backoff().build()
    }

    /// Runs `attempt` until it succeeds, fails for a reason that will not go away, or the pauses
    /// are used up. Only for what may be done twice.
    pub(crate) async fn retry<T, F, Fut>(&self, attempt: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        attempt
            .retry(self.backoff())
            .when(Error::is_transient)
            .notify(report)
            .await
    }

    fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(8))
            .without_max_times()
            .with_total_delay(Some(self.retry_timeout))
            .with_jitter()
    }
}

/// Says aloud that something is tried again, and why.
pub(crate) fn report(error: &Error, pause: Duration) {
    let source = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::warn!(%error, source, pause_ms = pause.as_millis(), "trying MongoDB again");
}
