//! Waits for Ctrl-C or SIGTERM, or for Ctrl-Break on Windows; from then on they no longer end the
//! process by themselves.

/// Returns when asked to stop, with the exit status for the signal.
#[cfg(unix)]
pub(crate) async fn stop() -> u8 {
    use tokio::signal::unix::SignalKind;
    tokio::select! {
        () = received(SignalKind::interrupt()) => 130,
        () = received(SignalKind::terminate()) => 143,
    }
}

#[cfg(unix)]
async fn received(kind: tokio::signal::unix::SignalKind) {
    match tokio::signal::unix::signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        // Without a handler, the signal ends the process as usual.
        Err(_) => std::future::pending().await,
    }
}

/// Returns when asked to stop, with the exit status.
#[cfg(windows)]
pub(crate) async fn stop() -> u8 {
    use tokio::signal::windows::{ctrl_break, ctrl_c};
    match (ctrl_c(), ctrl_break()) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        },
        // Without a handler, the keys end the process as usual.
        _ => std::future::pending().await,
    }
}
