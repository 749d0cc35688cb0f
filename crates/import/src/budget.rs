//! A number of bytes that many share: whoever needs some waits until others have given theirs back.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in pages, and everything takes at least one.
const PAGE: u64 = 4096;

/// Bytes of memory or disk; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    pages: Arc<Semaphore>,
    capacity: u32,
}

/// Bytes of a budget, until they are dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    _permit: OwnedSemaphorePermit,
}

impl Budget {
    pub(crate) fn of(bytes: u64) -> Self {
        let capacity = pages(bytes);
        let pages = Arc::new(Semaphore::new(capacity as usize));
        Self { pages, capacity }
    }

    /// Waits for `bytes`; what needs more than there are takes all of them.
    pub(crate) async fn take(&self, bytes: u64) -> Taken {
        let needed = pages(bytes).min(self.capacity);
        // The semaphore is never closed.
        match Arc::clone(&self.pages).acquire_many_owned(needed).await {
            Ok(_permit) => Taken { _permit },
            Err(closed) => unreachable!("{closed}"),
        }
    }
}

fn pages(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(PAGE).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn bytes_are_never_taken_twice_and_what_is_too_large_waits_for_all() {
        let budget = Budget::of(3 * PAGE);
        let small = budget.take(1).await;
        let two = budget.take(2 * PAGE).await;
        assert!(budget.take(1).now_or_never().is_none());
        drop(two);
        assert!(budget.take(100 * PAGE).now_or_never().is_none());
        drop(small);
        let all = budget.take(100 * PAGE).await;
        assert!(budget.take(1).now_or_never().is_none());
        drop(all);
        budget.take(3 * PAGE).await;
    }
}
