//! How often and how long to try again when a server is away for a moment.
//!
//! The driver retries no command that it is given raw, so every command of this crate that may be
//! repeated goes through here. An election of a primary takes about twelve seconds; the pauses add
//! up to more than that.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder, Retryable as _};

use crate::error::{Error, Result};

/// The pauses between attempts: at most six, doubling from a quarter of a second to eight seconds,
/// each stretched at random so that several workers do not come back at once.
pub(crate) fn pauses() -> ExponentialBackoff {
    builder().build()
}

/// Runs `attempt` until it succeeds, fails for a reason that will not go away, or the pauses are
/// used up. Only for what may be done twice.
pub(crate) async fn retry<T, F, Fut>(attempt: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    attempt
        .retry(builder())
        .when(Error::is_transient)
        .notify(report)
        .await
}

/// Says aloud that something is tried again, and why.
pub(crate) fn report(error: &Error, pause: Duration) {
    let source = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::warn!(%error, source, pause_ms = pause.as_millis(), "trying MongoDB again");
}

fn builder() -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(8))
        .with_max_times(6)
        .with_jitter()
}
