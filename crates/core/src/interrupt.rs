//! Ctrl-C and SIGTERM, or Ctrl-Break on Windows: the first asks the pipeline to shut down cleanly,
//! the second exits at once.
//! A file that hits a size limit (`ulimit -f`) fails its write instead of killing the process.

mod signals;

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use self::signals::Signals;
use crate::failure::{ExitStatus, Failure};

/// What an interrupted command leaves behind if it has only read.
pub const NOTHING_WRITTEN: &str = "nothing was written: the same command starts over";
/// What an interrupted command leaves behind if it can pick up its own work.
pub const RESUMES: &str = "the same command resumes where it stopped";

/// Adds what the interrupt left behind, unless the error says so already. Other errors stay as they
/// are.
pub fn leaving(error: anyhow::Error, left: impl Into<String>) -> anyhow::Error {
    match error.downcast_ref::<Failure>() {
        Some(failure) if failure.status.is_interrupt() && failure.hint.is_none() => {
            let interrupted = Failure::new(failure.status, failure.to_string());
            interrupted.with_hint(left).into()
        }
        _ => error,
    }
}

/// Tells a pipeline that it should stop; clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    raised: CancellationToken,
    status: Arc<OnceLock<ExitStatus>>,
}

impl Interrupt {
    /// Asks everything that watches this interrupt to stop.
    fn raise(&self, status: ExitStatus) {
        self.status.get_or_init(|| status);
        self.raised.cancel();
    }

    /// Stops only the work under this interrupt, for a failure that is reported elsewhere.
    pub fn stop(&self) {
        self.raised.cancel();
    }

    /// Whether everything should stop.
    pub fn is_raised(&self) -> bool {
        self.raised.is_cancelled()
    }

    /// An interrupt that is raised together with this one, or stopped alone: for concurrent work
    /// where one failure stops the rest.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            raised: self.raised.child_token(),
            status: Arc::clone(&self.status),
        }
    }

    /// Does nothing unless an interrupt came.
    ///
    /// # Errors
    /// A [`Failure`] with the status of the signal.
    pub fn check(&self) -> Result<(), Failure> {
        if self.raised.is_cancelled() {
            Err(self.failure())
        } else {
            Ok(())
        }
    }

    /// Runs `work` to its end, or drops it when an interrupt comes first.
    ///
    /// # Errors
    /// The error of `work`, or a [`Failure`] with the status of the signal.
    pub async fn or<T, E: Into<anyhow::Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            () = self.raised.cancelled() => Err(self.failure().into()),
            done = work => done.map_err(Into::into),
        }
    }

    fn failure(&self) -> Failure {
        let status = self
            .status
            .get()
            .copied()
            .unwrap_or(ExitStatus::Interrupted);
        Failure::new(status, "interrupted")
    }

    /// Listens for signals until the process ends.
    ///
    /// # Errors
    /// The system does not let us listen.
    pub(crate) fn listen(&self) -> std::io::Result<()> {
        let mut signals = Signals::listen()?;
        let this = self.clone();
        tokio::spawn(async move {
            loop {
                let status = signals.next().await;
                if this.raised.is_cancelled() {
                    std::process::exit(i32::from(status as u8));
                }
                tracing::warn!("stopping; a second signal stops at once");
                this.raise(status);
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_interrupt_says_what_it_left_behind_and_only_once() {
        let interrupt = Interrupt::default();
        interrupt.raise(ExitStatus::Terminated);
        let error = leaving(interrupt.failure().into(), RESUMES);
        let error = leaving(error, NOTHING_WRITTEN);
        assert_eq!(ExitStatus::of(&error), ExitStatus::Terminated);
        let failure = error.downcast_ref::<Failure>().unwrap();
        assert_eq!(failure.hint.as_deref(), Some(RESUMES));
        let other = leaving(Failure::usage("no").into(), RESUMES);
        assert_eq!(other.downcast_ref::<Failure>().unwrap().hint, None);
    }
}
