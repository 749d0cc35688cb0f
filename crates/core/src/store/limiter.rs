//! How many parts are sent at once: as many as configured, half as many when the server asks to
//! slow down, and one more after each round of successes.
//!
//! The SDK slows down by waiting longer between the attempts of each request. It never reduces the
//! number of requests in flight, which is what the server asks for.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Limits how many parts are in flight; clones share the limit.
#[derive(Debug, Clone)]
pub(super) struct Limiter {
    permits: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    most: usize,
    limit: usize,
    /// Permits still in use beyond the lowered limit.
    excess: usize,
    /// Successes since the limit last changed.
    successes: usize,
    lowered: Option<Instant>,
}

/// Permission to have one part in flight, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    limiter: Limiter,
    inner: Option<OwnedSemaphorePermit>,
}

impl Limiter {
    /// Allows at most `most` parts at once.
    pub(super) fn new(most: NonZeroUsize) -> Self {
        let most = most.get().min(Semaphore::MAX_PERMITS);
        let state = State {
            most,
            limit: most,
            excess: 0,
            successes: 0,
            lowered: None,
        };
        Self {
            permits: Arc::new(Semaphore::new(most)),
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit.
    pub(super) async fn enter(&self) -> Permit {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        Permit {
            limiter: self.clone(),
            inner: permit,
        }
    }

    /// Halves the limit because the server refused an attempt that began at `begin`. An attempt
    /// from before the limit was last lowered tells nothing new.
    pub(super) fn slow_down(&self, begin: Instant) {
        let mut state = self.state();
        if state.lowered.is_some_and(|lowered| begin <= lowered) {
            return;
        }
        state.lowered = Some(Instant::now());
        state.successes = 0;
        let lower = (state.limit / 2).max(1);
        let fewer = state.limit - lower;
        state.limit = lower;
        state.excess += fewer - self.permits.forget_permits(fewer);
        tracing::info!(at_once = lower, "sending fewer parts at once");
    }
}

impl Permit {
    /// Returns the permit after a success: a whole round of successes makes room for one more.
    pub(super) fn succeeded(self) {
        let mut state = self.limiter.state();
        state.successes += 1;
        if state.successes < state.limit || state.limit == state.most {
            return;
        }
        state.successes = 0;
        state.limit += 1;
        if state.excess > 0 {
            state.excess -= 1;
        } else {
            self.limiter.permits.add_permits(1);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        if state.excess > 0
            && let Some(permit) = self.inner.take()
        {
            state.excess -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    fn flow(most: usize) -> Limiter {
        Limiter::new(NonZeroUsize::new(most).unwrap())
    }

    /// As many permits as are available now.
    fn fill(flow: &Limiter) -> Vec<Permit> {
        std::iter::from_fn(|| flow.enter().now_or_never()).collect()
    }

    #[test]
    fn the_limit_of_parts_in_flight_is_halved_and_grows_back_one_by_one() {
        let flow = flow(8);
        let began = Instant::now();
        let all = fill(&flow);
        assert_eq!(all.len(), 8);
        flow.slow_down(Instant::now());
        // The others of the same batch were refused too, but that is a single request to slow down.
        flow.slow_down(began);
        drop(all);
        let half = fill(&flow);
        assert_eq!(half.len(), 4);
        half.into_iter().for_each(Permit::succeeded);
        assert_eq!(fill(&flow).len(), 5);
        for _ in 0..100 {
            fill(&flow).into_iter().for_each(Permit::succeeded);
        }
        assert_eq!(fill(&flow).len(), 8);
    }

    #[test]
    fn the_limit_never_drops_below_one_part() {
        let flow = flow(3);
        for _ in 0..5 {
            flow.slow_down(Instant::now());
        }
        assert_eq!(fill(&flow).len(), 1);
    }

    proptest! {
        /// 0 acquires a permit, 1 drops it, 2 succeeds, 3 is refused.
        #[test]
        fn permits_are_never_lost_and_never_exceed_the_limit(
            most in 1_usize..10,
            steps in proptest::collection::vec(0..4, 0..200),
        ) {
            let flow = flow(most);
            let mut slots = Vec::new();
            for step in steps {
                match step {
                    0 => slots.extend(flow.enter().now_or_never()),
                    1 => drop(slots.pop()),
                    2 => slots.pop().into_iter().for_each(Permit::succeeded),
                    _ => flow.slow_down(Instant::now()),
                }
                prop_assert!(slots.len() <= most);
            }
            slots.clear();
            let limit = flow.state().limit;
            prop_assert!((1..=most).contains(&limit));
            prop_assert_eq!(fill(&flow).len(), limit);
        }
    }
}
