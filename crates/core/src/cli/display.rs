//! Shows progress at a steady pace, whether or not anything moves: a stall is something to see as
//! well. A thread of its own does it, since those of the runtime may be busy.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::bars::Bars;
use super::output::write_stderr;
use crate::progress::{Moment, Status, Tally};

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
            // A command that ended before it had work to count has nothing to sum up.
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

    /// Shows how it ended, and no more.
    pub(super) fn end(self) {
        drop(self.end);
        // A display that panicked has said so, and is no failure of the command.
        let _ = self.thread.join();
    }
}
