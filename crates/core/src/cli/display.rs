//! Shows progress at a steady pace, whether or not anything moves: a stall is something to see as
//! well. A thread of its own does it, since those of the runtime may be busy.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::bars::Bars;
use super::output::write_stderr;
use crate::progress::{Status, Tally};

/// What progress is shown as.
#[derive(Debug)]
pub(super) enum Shown {
    /// Redrawn in place.
    Bars(Bars),
    /// Lines of the log.
    Log,
    /// JSON objects on stderr.
    Json,
}

impl Shown {
    /// Time from one picture or line to the next.
    fn period(&self) -> Duration {
        match self {
            Self::Bars(_) => Duration::from_millis(200),
            Self::Log | Self::Json => Duration::from_secs(10),
        }
    }

    fn show(&mut self, status: &Status) {
        match self {
            Self::Bars(bars) => bars.draw(status),
            Self::Log => tracing::info!("{}", status.line()),
            Self::Json => write_stderr(&status.json().to_string()),
        }
    }

    fn end(&mut self, status: &Status) {
        match self {
            Self::Bars(bars) => bars.clear(),
            Self::Log | Self::Json => self.show(status),
        }
    }
}

/// Progress that is being shown.
#[derive(Debug)]
pub(super) struct Display {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl Display {
    /// # Errors
    /// A thread that cannot be started.
    pub(super) fn start(mut shown: Shown, tally: Arc<Tally>) -> io::Result<Self> {
        let (end, ended) = mpsc::channel();
        let thread = thread::Builder::new().name("progress".to_owned());
        let thread = thread.spawn(move || {
            while ended.recv_timeout(shown.period()) == Err(RecvTimeoutError::Timeout) {
                if let Some(status) = tally.status() {
                    shown.show(&status);
                }
            }
            // A command that failed before it had work to do has nothing to say about it.
            if let Some(status) = tally.status() {
                shown.end(&status);
            }
        })?;
        Ok(Self { end, thread })
    }

    /// Shows how it ended, and no more.
    pub(super) fn end(self) {
        drop(self.end);
        // A display that panicked has said so, and is no failure of the command.
        let _ = self.thread.join();
    }
}
