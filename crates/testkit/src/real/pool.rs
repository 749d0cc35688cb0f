//! Real servers that tests take and give back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

/// Longer than any test needs a server.
const PATIENCE: Duration = Duration::from_secs(600);

/// The addresses of servers of one kind.
pub(crate) struct Pool {
    idle: Mutex<Vec<String>>,
    /// A permit for each idle server.
    permits: Semaphore,
}

/// A server that no other test uses until this is dropped.
pub(crate) struct Lease {
    pool: &'static Pool,
    address: String,
}

impl Pool {
    /// The servers that a variable names; `None` if it is not set.
    pub(crate) fn named(variable: &str) -> Option<Self> {
        let addresses = std::env::var(variable).ok()?;
        let idle: Vec<_> = addresses.split_whitespace().map(str::to_owned).collect();
        assert!(!idle.is_empty(), "{variable} names no server");
        Some(Self {
            permits: Semaphore::new(idle.len()),
            idle: Mutex::new(idle),
        })
    }

    /// Waits for an idle server.
    pub(crate) async fn take(&'static self) -> Lease {
        let taken = tokio::time::timeout(PATIENCE, self.permits.acquire()).await;
        let taken = taken.unwrap_or_else(|_| panic!("no real server became idle"));
        taken.unwrap().forget();
        let address = self.idle().pop().unwrap();
        let pool = self;
        Lease { pool, address }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<String>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.idle().push(std::mem::take(&mut self.address));
        self.pool.permits.add_permits(1);
    }
}
