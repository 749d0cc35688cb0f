//! Access to what the threads of a test share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A test that panicked elsewhere must not make every later access to the server panic too.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
