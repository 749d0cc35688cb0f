//! Shows progress at a steady pace, whether or not anything moves: a stall should be visible too.
//! It has its own thread because those of the runtime may be busy.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::bars::Bars;
use super::output::write_stderr;
use crate::progress::{Moment, Status, Tally};

/// How progress is shown.
#[derive(Debug)]
pub(super) enum Shown {
    /// Redrawn in place.
    Bars(Bars),
    /// Lines in the log.
    Log,
    /// JSON objects on stderr.
    Json,
}

impl Shown {
    /// Time between two updates.
    fn period(&self) -> Duration {
        match self {
            Self::Bars(_) => Duration::from_millis(200),
            Self::Log | Self::Json => Duration::from_secs(10),
        }
    }

    fn show(&mut self, moment: &Moment) {
        match self {
            Self::Bars(bars) => bars.draw(moment),
            Self::Log => tracing::info!("{}", moment.line()),
            Self::Json => write_stderr(&moment.json().to_string()),
        }
    }

    fn end(&mut self, moment: &Moment) {
        match (self, moment) {
            (Self::Bars(bars), _) => bars.clear(),
            // A command that ended before it had any work to count has nothing to sum up.
            (_, Moment::Step(_)) => {}
            (shown, Moment::Work(status)) => {
                let step = None;
                shown.show(&Moment::Work(Status {
                    step,
                    ..status.clone()
                }));
            }
        }
    }
}

/// A running progress display.
#[derive(Debug)]
pub(super) struct Display {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl Display {
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(mut shown: Shown, tally: Arc<Tally>) -> io::Result<Self> {
        let (end, ended) = mpsc::channel();
        let thread = thread::Builder::new().name("progress".to_owned());
        let thread = thread.spawn(move || {
            while ended.recv_timeout(shown.period()) == Err(RecvTimeoutError::Timeout) {
                if let Some(moment) = tally.moment() {
                    shown.show(&moment);
                }
            }
            if let Some(moment) = tally.moment() {
                shown.end(&moment);
            }
        })?;
        Ok(Self { end, thread })
    }

    /// Shows the final state, then stops.
    pub(super) fn end(self) {
        drop(self.end);
        // A display that panicked has already said so, and does not fail the command.
        let _ = self.thread.join();
    }
}
