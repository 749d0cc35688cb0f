//! What a real server is executing: it ends, whatever becomes of the client that asked for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How many requests a real server is executing; clones share one count.
#[derive(Clone, Default)]
pub(crate) struct InFlight(Arc<Count>);

#[derive(Default)]
struct Count {
    count: Mutex<usize>,
    none: Condvar,
}

/// One request that is being executed until this is dropped.
pub(crate) struct Flight(Arc<Count>);

impl InFlight {
    pub(crate) fn begin(&self) -> Flight {
        *self.0.lock() += 1;
        Flight(Arc::clone(&self.0))
    }

    /// Waits until nothing is being executed.
    pub(crate) fn wait_for_none(&self) {
        let count = self.0.lock();
        let is_some = |count: &mut usize| *count > 0;
        drop(self.0.none.wait_while(count, is_some));
    }
}

impl Count {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.none.notify_all();
    }
}
