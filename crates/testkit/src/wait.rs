//! Waits for what must happen soon, and says what it was if it does not.

use std::time::{Duration, Instant};

/// Longer than any machine takes, however busy.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(2);

/// Waits until `is_so`.
///
/// # Panics
/// If it is not so within two minutes.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
