//! Whether a gate ever did anything: a test whose fault never happened proves nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the gate of one server has done so far; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Strikes {
    must_be: bool,
    there_were: Arc<AtomicBool>,
}

impl Strikes {
    /// Of a gate that must strike at least once, or need not.
    pub(crate) fn new(must_be: bool) -> Self {
        Self {
            must_be,
            ..Self::default()
        }
    }

    /// Notes that a request was not simply let pass.
    pub(crate) fn note(&self) {
        self.there_were.store(true, Ordering::Relaxed);
    }

    /// Called when the test is done with its `server`.
    ///
    /// # Panics
    /// If the gate had to strike and never did, unless the test fails already.
    pub(crate) fn assert_enough(&self, server: &str) {
        let is_idle = self.must_be && !self.there_were.load(Ordering::Relaxed);
        assert!(
            !is_idle || std::thread::panicking(),
            "the gate of the {server} server let everything pass: the test has tested no fault"
        );
    }
}
