//! What a failed command means to the person or script that ran it: one exit status and one hint.
//!
//! Libraries have error types of their own; one that decides the exit status travels as a
//! [`Failure`] inside the error chain, where [`ExitStatus::of`] finds it.

mod disagreement;
mod exit_status;
mod proxy;
mod store_error;
mod store_error_kind;

pub use disagreement::Disagreement;
pub use exit_status::ExitStatus;
pub(crate) use proxy::{UnusableProxy, Via};
pub use store_error::StoreError;
pub use store_error_kind::StoreErrorKind;

use std::cmp::Reverse;
use std::error::Error;

impl ExitStatus {
    /// The status of the outermost [`Failure`] or [`StoreError`] in the chain of `error`, else
    /// [`ExitStatus::Failed`].
    pub fn of(error: &anyhow::Error) -> Self {
        let status = |cause: &(dyn Error + 'static)| {
            let failure = cause
                .downcast_ref::<Failure>()
                .map(|failure| failure.status);
            failure.or_else(|| Some(cause.downcast_ref::<StoreError>()?.kind.exit_status()))
        };
        error.chain().find_map(status).unwrap_or(Self::Failed)
    }
}

/// Fails with the worst failure of concurrent work, if there is one, and logs the others as
/// warnings. Work that was merely stopped has not failed.
///
/// # Errors
/// The worst failure.
pub fn worst(mut failures: Vec<anyhow::Error>) -> anyhow::Result<()> {
    failures.retain(|failure| !ExitStatus::of(failure).is_interrupt());
    failures.sort_by_key(|failure| Reverse(ExitStatus::of(failure).gravity()));
    let mut failures = failures.into_iter();
    match failures.next() {
        None => Ok(()),
        Some(worst) => {
            failures.for_each(|further| tracing::warn!("{further:#}"));
            Err(worst)
        }
    }
}

/// The hint when retrying cannot help.
pub const FAILS_AGAIN: &str = "the same command would fail again";

/// An error that knows its exit status and, if possible, what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit status of the process if nothing recovers from this failure.
    pub status: ExitStatus,
    /// What to do about it, as one sentence without a full stop.
    pub hint: Option<String>,
    is_lasting: bool,
    message: String,
    details: Vec<String>,
    settings: Vec<String>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure with the given status; `message` names the object.
    pub fn new(status: ExitStatus, message: impl Into<String>) -> Self {
        Self {
            status,
            hint: None,
            is_lasting: false,
            message: message.into(),
            details: Vec::new(),
            settings: Vec::new(),
            source: None,
        }
    }

    /// Details of the message, one per line.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// Adds details, such as every object that is not as it should be.
    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// The keys of the settings whose values are rejected or may be wrong.
    pub fn settings(&self) -> &[String] {
        &self.settings
    }

    /// Names the settings whose values are rejected or may be wrong, by key; the report then says
    /// where each value came from.
    #[must_use]
    pub fn about(mut self, settings: &[&str]) -> Self {
        self.settings = settings.iter().map(|&key| key.to_owned()).collect();
        self
    }

    /// Bytes, counts or digests differ: [`ExitStatus::Integrity`].
    pub fn integrity(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Integrity, message)
    }

    /// The command line or a setting is wrong: [`ExitStatus::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, message)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a further thing to do about it.
    #[must_use]
    pub fn and_hint(self, further: &str) -> Self {
        let hint = match &self.hint {
            Some(hint) => format!("{hint}; {further}"),
            None => further.to_owned(),
        };
        self.with_hint(hint)
    }

    /// Marks that the same command would fail again.
    #[must_use]
    pub fn lasting(mut self) -> Self {
        self.is_lasting = true;
        self
    }

    /// The failure of work that is not complete: `what` names it, and `way_on` says how to resume,
    /// unless that would fail again. `error` keeps its type in the chain.
    pub fn incomplete(
        error: anyhow::Error,
        what: impl Into<String>,
        way_on: impl Into<String>,
    ) -> Self {
        let hint = if Self::is_lasting_in(&error) {
            Some(FAILS_AGAIN.to_owned())
        } else if StoreError::ends_the_run(&error) {
            // Its own hint says what to do instead.
            None
        } else {
            Some(way_on.into())
        };
        let status = ExitStatus::of(&error);
        let incomplete = Self {
            hint,
            ..Self::new(status, format!("{} is not complete", what.into()))
        };
        // Any other conversion would hide the type of the error, and its own hint with it.
        incomplete.caused_by(error.reallocate_into_boxed_dyn_error_without_backtrace())
    }

    /// Whether the same command may succeed with nothing changed: yes if it was stopped or the
    /// failure is transient; no if it would fail again; `None` if something has to be fixed first,
    /// or nobody knows.
    pub(crate) fn retry_helps(error: &anyhow::Error) -> Option<bool> {
        let status = ExitStatus::of(error);
        let fails_again = matches!(status, ExitStatus::Usage | ExitStatus::Integrity)
            || Self::is_lasting_in(error)
            || StoreError::ends_the_run(error);
        if fails_again {
            return Some(false);
        }
        let mut causes = error.chain();
        let store = causes.find_map(|cause| cause.downcast_ref::<StoreError>());
        let passes = store.is_some_and(|error| error.kind.passes_by_itself())
            || status.is_interrupt()
            || status == ExitStatus::Unknown;
        passes.then_some(true)
    }

    /// Whether any failure in the chain of `error` is lasting.
    fn is_lasting_in(error: &anyhow::Error) -> bool {
        let mut failures = error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<Self>());
        failures.any(|failure| failure.is_lasting)
    }

    /// Adds the error that caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_lasting_failure_is_found_under_any_context() {
        let error = anyhow::Error::from(Failure::integrity("a record is damaged").lasting());
        let hint = |error| Failure::incomplete(error, "the run", "go on").hint.unwrap();
        assert!(hint(error.context("at the end")).contains("would fail again"));
        assert_eq!(hint(Failure::integrity("late").into()), "go on");
    }

    #[test]
    fn the_status_is_found_under_any_context() {
        let error = anyhow::Error::from(Failure::integrity("`a` has another hash"))
            .context("failed to import split 0");
        assert_eq!(ExitStatus::of(&error), ExitStatus::Integrity);
        let plain = Err::<(), _>(std::io::Error::other("no"))
            .context("failed")
            .unwrap_err();
        assert_eq!(ExitStatus::of(&plain), ExitStatus::Failed);
    }
}
