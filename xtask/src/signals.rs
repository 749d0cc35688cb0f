//! Waits for Ctrl-C or SIGTERM, which from then on no longer end the process by themselves.

use std::future;

use tokio::signal::unix::{SignalKind, signal};

/// Returns when asked to stop, with the exit status for the signal.
pub(crate) async fn stop() -> u8 {
    tokio::select! {
        () = received(SignalKind::interrupt()) => 130,
        () = received(SignalKind::terminate()) => 143,
    }
}

async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        // Without a handler, the signal ends the process as usual.
        Err(_) => future::pending().await,
    }
}
