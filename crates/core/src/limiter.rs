//! How many transfers are under way at once, to or from a server: few at first, twice as many while
//! that moves more bytes, and half as many when the server asks to slow down.
//!
//! A fast link is full with a few connections, and more of them only take memory; over a distance,
//! or behind a proxy that limits each connection, a link is full only with many. Each round of
//! transfers shows which of the two it is. If twice as many are each about as fast as before, there
//! is room for more. If together they are hardly faster, the link is full, and the new ones go
//! again. Before the first round is over nothing is known: the limit grows with time, and once there
//! are rounds to compare, half as many are tried in the same way. That is spared where the rate shows
//! that the link was not full: it would have carried the first transfers before there were others.
//!
//! Once a server has asked to slow down, the limit grows by one after each round, until some minutes
//! have passed. The SDK also waits longer between the attempts of each request, but it never reduces
//! the number of requests in flight, which is what the server asks for.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long to wait for the first transfers before there may be more of them.
const PATIENCE: Duration = Duration::from_millis(150);
/// At most so many before the first of them has succeeded: what is not acknowledged when a process
/// stops is sent again.
const MOST_UNPROVEN: usize = 64;
/// A transfer of so many bytes says something about the link; a smaller one may be a probe.
const PROOF: u64 = 1 << 20;
/// How long a round is at least: a shorter one is too noisy to judge.
const SHORTEST_ROUND: Duration = Duration::from_millis(200);
/// How much more twice as many transfers must move to be kept.
const WORTHWHILE: f64 = 1.2;
/// How long a request to slow down counts.
const SLOWED: Duration = Duration::from_secs(300);
/// If transfers take longer than this, there are fewer of them.
const SLOW: Duration = Duration::from_secs(30);
/// How long to wait, after more transfers were of no use, before they are tried again: this long at
/// first, then twice as long each time.
const FIRST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(80);

/// Limits how many transfers are under way; clones share the limit.
#[derive(Debug, Clone)]
pub struct Limiter {
    permits: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    first: usize,
    most: usize,
    limit: usize,
    /// Permits still in use beyond the lowered limit.
    excess: usize,
    /// How many wait for a permit.
    waiting: usize,
    /// When the server last asked to slow down.
    slowed: Option<Instant>,
    round: Round,
    trial: Option<Trial>,
    rest: Duration,
    rests_until: Instant,
    /// Whether a transfer that says something has succeeded.
    is_proven: bool,
    /// When the limit last grew without proof.
    guessed: Instant,
    /// Whether so many transfers are a guess.
    is_guess: bool,
}

/// A change of the limit that the next round decides about.
#[derive(Debug, Clone, Copy)]
struct Trial {
    /// The bytes per second before, and the limit.
    rate: f64,
    limit: usize,
    /// Whether fewer are tried.
    is_fewer: bool,
}

/// The transfers that have succeeded since the limit last changed or was last judged.
#[derive(Debug)]
struct Round {
    began: Instant,
    count: usize,
    bytes: u64,
    /// The time that they took, each one's added up.
    time: Duration,
}

/// Permission to have one transfer under way, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    limiter: Limiter,
    since: Instant,
    inner: Option<OwnedSemaphorePermit>,
}

impl Round {
    fn begin(began: Instant) -> Self {
        Self {
            began,
            count: 0,
            bytes: 0,
            time: Duration::ZERO,
        }
    }
}

impl State {
    fn new(first: NonZeroUsize, most: NonZeroUsize) -> Self {
        let most = most.get().min(Semaphore::MAX_PERMITS);
        let (first, now) = (first.get().min(most), Instant::now());
        Self {
            first,
            most,
            limit: first,
            excess: 0,
            waiting: 0,
            slowed: None,
            round: Round::begin(now),
            trial: None,
            rest: FIRST_REST,
            rests_until: now,
            is_proven: false,
            guessed: now,
            is_guess: false,
        }
    }

    /// Changes the limit; permits that are in use beyond it are taken away as they return.
    fn set(&mut self, limit: usize, permits: &Semaphore) {
        if limit > self.limit {
            let more = limit - self.limit;
            let kept = more.min(self.excess);
            self.excess -= kept;
            permits.add_permits(more - kept);
        } else {
            let fewer = self.limit - limit;
            self.excess += fewer - permits.forget_permits(fewer);
        }
        self.limit = limit;
        tracing::debug!(limit, "transfers at once");
    }

    /// Counts a transfer, and judges the limit if that ends the round.
    fn succeeded(&mut self, bytes: u64, time: Duration, now: Instant, permits: &Semaphore) {
        self.is_proven |= bytes >= PROOF;
        self.round.count += 1;
        self.round.bytes += bytes;
        self.round.time += time;
        self.slowed = self.slowed.filter(|at| now.duration_since(*at) < SLOWED);
        let is_short = now.duration_since(self.round.began) < SHORTEST_ROUND;
        if self.round.count < self.limit || (is_short && self.slowed.is_none()) {
            return;
        }
        self.is_proven = true;
        let round = std::mem::replace(&mut self.round, Round::begin(now));
        if self.slowed.is_some() {
            self.set((self.limit + 1).min(self.most), permits);
        } else {
            self.judge(&round, now, permits);
        }
    }

    /// Judges the last change of the limit, and tries more if there is demand for them.
    fn judge(&mut self, round: &Round, now: Instant, permits: &Semaphore) {
        let pace = round.bytes as f64 / round.time.as_secs_f64().max(f64::MIN_POSITIVE);
        let rate = pace * self.limit as f64;
        let was_guess = std::mem::take(&mut self.is_guess);
        let trial = self.trial.take();
        if let Some(before) = trial.filter(|trial| !trial.is_fewer)
            && rate < WORTHWHILE * before.rate
        {
            self.set(before.limit, permits);
            self.rests_until = now + self.rest;
            self.rest = (2 * self.rest).min(LONGEST_REST);
        } else if let Some(before) = trial.filter(|trial| trial.is_fewer)
            && WORTHWHILE * rate < before.rate
        {
            self.set(before.limit, permits);
        } else if round.time > SLOW * u32::try_from(round.count).unwrap_or(u32::MAX) {
            self.set((self.limit / 2).max(self.first.min(self.limit)), permits);
        } else if (trial.is_some_and(|trial| trial.is_fewer)
            || (was_guess && self.may_be_full(round, rate)))
            && self.limit / 2 >= self.first
        {
            self.try_limit(self.limit / 2, rate, permits);
        } else if self.waiting > 0 && self.limit < self.most && now >= self.rests_until {
            self.try_limit((2 * self.limit).min(self.most), rate, permits);
        }
    }

    /// Whether the link may have been full while the limit was guessed. The first transfers had it
    /// for themselves for a while: at this rate, that would have been enough to end them, and nobody
    /// would have guessed. A quarter of that while is allowed for connections to come up.
    fn may_be_full(&self, round: &Round, rate: f64) -> bool {
        let (first, limit) = (self.first as f64, self.limit as f64);
        let share = PATIENCE.as_secs_f64() * 2.0 * (1.0 / first - 1.0 / limit);
        rate * share * 0.75 <= round.bytes as f64 / round.count.max(1) as f64
    }

    fn try_limit(&mut self, limit: usize, rate: f64, permits: &Semaphore) {
        self.trial = Some(Trial {
            rate,
            limit: self.limit,
            is_fewer: limit < self.limit,
        });
        self.set(limit, permits);
    }

    /// Raises the limit although nothing has succeeded yet.
    fn guess(&mut self, now: Instant, permits: &Semaphore) {
        let most = self.most.min(MOST_UNPROVEN);
        let is_early = now.duration_since(self.guessed) < PATIENCE;
        if !self.is_proven && !is_early && self.slowed.is_none() && self.limit < most {
            (self.guessed, self.is_guess) = (now, true);
            self.set((2 * self.limit).min(most), permits);
        }
    }
}

impl Limiter {
    /// Allows `first` transfers at once, and later at most `most`.
    pub fn new(first: NonZeroUsize, most: NonZeroUsize) -> Self {
        Self::of(State::new(first, most))
    }

    /// Tries `limit` transfers at once, of at most `most`, because one alone moved only `pace`
    /// bytes per second. If together they are hardly faster, there are `first`.
    pub fn trying(limit: NonZeroUsize, first: NonZeroUsize, most: NonZeroUsize, pace: u64) -> Self {
        let state = State::new(first, most);
        Self::of(State {
            limit: limit.get().clamp(state.first, state.most),
            is_proven: true,
            trial: Some(Trial {
                rate: pace as f64,
                limit: state.first,
                is_fewer: false,
            }),
            ..state
        })
    }

    fn of(state: State) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(state.limit)),
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit.
    pub async fn enter(&self) -> Permit {
        if let Some(permit) = self.enter_now() {
            return permit;
        }
        let _waiting = Waiting::begin(self);
        let mut acquired = pin!(Arc::clone(&self.permits).acquire_owned());
        loop {
            match timeout(PATIENCE, &mut acquired).await {
                // The semaphore is never closed.
                Ok(permit) => return self.permit(permit.ok()),
                Err(_) => self.state().guess(Instant::now(), &self.permits),
            }
        }
    }

    /// A permit, if nobody has to wait.
    fn enter_now(&self) -> Option<Permit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(self.permit(Some(permit)))
    }

    fn permit(&self, inner: Option<OwnedSemaphorePermit>) -> Permit {
        Permit {
            limiter: self.clone(),
            since: Instant::now(),
            inner,
        }
    }

    /// Halves the limit because the server refused an attempt that began at `begin`. An attempt
    /// from before the limit was last lowered tells nothing new.
    pub(crate) fn slow_down(&self, begin: Instant) {
        let mut state = self.state();
        if state.slowed.is_some_and(|slowed| begin <= slowed) {
            return;
        }
        let now = Instant::now();
        state.slowed = Some(now);
        state.round = Round::begin(now);
        // What was measured before says nothing about the time after.
        (state.trial, state.is_guess) = (None, false);
        let lower = (state.limit / 2).max(1);
        state.set(lower, &self.permits);
        tracing::info!(at_once = lower, "fewer transfers at once");
    }
}

/// Counts whoever waits for a permit, even if the wait is dropped.
struct Waiting<'a>(&'a Limiter);

impl<'a> Waiting<'a> {
    fn begin(limiter: &'a Limiter) -> Self {
        limiter.state().waiting += 1;
        Self(limiter)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

impl Permit {
    /// Returns the permit after `bytes` were moved and acknowledged.
    pub fn succeeded(self, bytes: u64) {
        let (now, time) = (Instant::now(), self.since.elapsed());
        let permits = &self.limiter.permits;
        self.limiter.state().succeeded(bytes, time, now, permits);
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
    use proptest::prelude::*;

    use super::*;
    use crate::settings::FIRST_IN_FLIGHT;

    const BYTES: u64 = 8 << 20;

    fn limiter(most: usize) -> Limiter {
        Limiter::new(FIRST_IN_FLIGHT, NonZeroUsize::new(most).unwrap())
    }

    /// As many permits as are available now.
    fn fill(limiter: &Limiter) -> Vec<Permit> {
        std::iter::from_fn(|| limiter.enter_now()).collect()
    }

    /// Ends a transfer whose pace nobody judges.
    fn succeed(permit: Permit) {
        permit.succeeded(0);
    }

    /// Ends rounds while somebody waits for a permit, in which each transfer takes the seconds that
    /// `time` gives for their number; returns the limits.
    fn limits(limiter: &Limiter, rounds: usize, time: impl Fn(usize) -> f64) -> Vec<usize> {
        let mut now = Instant::now() + LONGEST_REST;
        let mut after = || {
            let mut state = limiter.state();
            state.waiting = 1;
            state.round = Round::begin(now);
            let count = state.limit;
            let time = Duration::from_secs_f64(time(count));
            now += time.max(SHORTEST_ROUND);
            for _ in 0..count {
                state.succeeded(BYTES, time, now, &limiter.permits);
            }
            state.waiting = 0;
            state.limit
        };
        (0..rounds).map(|_| after()).collect()
    }

    #[test]
    fn transfers_that_do_not_slow_each_other_down_become_as_many_as_allowed() {
        assert_eq!(limits(&limiter(50), 5, |_| 2.0), [8, 16, 32, 50, 50]);
    }

    #[test]
    fn a_full_link_keeps_as_few_transfers_as_fill_it() {
        let full = |count| 0.1 * count as f64;
        let limiter = limiter(50);
        // More are tried once and then not again for a while.
        assert_eq!(limits(&limiter, 5, full), [8, 4, 4, 4, 4]);
        assert_eq!(fill(&limiter).len(), 4);
    }

    #[test]
    fn transfers_are_added_until_the_link_is_full() {
        let full_with_ten = |count: usize| 0.1 * count.max(10) as f64;
        let limits = limits(&limiter(50), 5, full_with_ten);
        assert_eq!(limits, [8, 16, 32, 16, 16]);
    }

    /// A limiter that has guessed its way up to 64.
    fn guessing() -> Limiter {
        let limiter = limiter(64);
        let mut now = Instant::now();
        for _ in 0..4 {
            now += PATIENCE;
            limiter.state().guess(now, &limiter.permits);
        }
        limiter
    }

    #[test]
    fn a_guess_is_taken_back_on_a_full_link_and_kept_on_any_other() {
        let full = |count| 0.1 * count as f64;
        assert_eq!(limits(&guessing(), 5, full), [32, 16, 8, 4, 8]);
        assert_eq!(limits(&guessing(), 3, |_| 10.0), [32, 64, 64]);
        // 8 MiB in 2 s each: a full link as fast as 64 of these ends the first ones at once.
        assert_eq!(limits(&guessing(), 3, |_| 2.0), [64, 64, 64]);
    }

    #[test]
    fn as_many_as_a_slow_transfer_suggests_are_kept_only_if_they_are_faster() {
        let trying = |pace| {
            let [limit, first, most] = [8, 2, 50].map(|count| NonZeroUsize::new(count).unwrap());
            Limiter::trying(limit, first, most, pace)
        };
        assert_eq!(fill(&trying(BYTES / 2)).len(), 8);
        assert_eq!(limits(&trying(BYTES / 2), 3, |_| 2.0), [16, 32, 50]);
        let full = |count| 0.1 * count as f64;
        assert_eq!(limits(&trying(10 * BYTES), 3, full), [2, 2, 2]);
    }

    #[test]
    fn a_request_to_slow_down_counts_for_some_minutes() {
        let limiter = limiter(64);
        limiter.slow_down(Instant::now());
        assert_eq!(limiter.state().limit, 2);
        limiter.state().slowed = Instant::now().checked_sub(SLOWED);
        assert_eq!(limits(&limiter, 2, |_| 2.0), [4, 8]);
    }

    #[test]
    fn slow_transfers_become_fewer_but_not_fewer_than_at_first() {
        let limiter = limiter(50);
        assert_eq!(limits(&limiter, 3, |_| 1.0), [8, 16, 32]);
        limiter.state().trial = None;
        assert_eq!(limits(&limiter, 4, |_| 60.0), [16, 8, 4, 4]);
    }

    #[test]
    fn nobody_waiting_means_no_more_transfers() {
        let limiter = limiter(50);
        for _ in 0..10 {
            limiter.state().round.began -= SHORTEST_ROUND;
            fill(&limiter).into_iter().for_each(succeed);
        }
        assert_eq!(fill(&limiter).len(), 4);
    }

    #[test]
    fn the_limit_grows_a_little_before_anything_has_succeeded() {
        let limiter = limiter(100);
        let (mut now, mut limits) = (Instant::now(), Vec::new());
        for _ in 0..6 {
            now += PATIENCE;
            limiter.state().guess(now, &limiter.permits);
            // Whoever else waits has as much patience.
            limiter.state().guess(now, &limiter.permits);
            limits.push(limiter.state().limit);
        }
        assert_eq!(limits, [8, 16, 32, 64, 64, 64]);
        let limiter = self::limiter(100);
        fill(&limiter).pop().unwrap().succeeded(PROOF);
        limiter.state().guess(now, &limiter.permits);
        assert_eq!(limiter.state().limit, 4);
    }

    #[test]
    fn the_limit_is_halved_by_a_request_to_slow_down_and_grows_back_one_by_one() {
        let limiter = limiter(8);
        assert_eq!(limits(&limiter, 1, |_| 1.0), [8]);
        let began = Instant::now();
        let all = fill(&limiter);
        assert_eq!(all.len(), 8);
        limiter.slow_down(Instant::now());
        // The others of the same batch were refused too, but that is a single request to slow down.
        limiter.slow_down(began);
        drop(all);
        let half = fill(&limiter);
        assert_eq!(half.len(), 4);
        half.into_iter().for_each(succeed);
        assert_eq!(fill(&limiter).len(), 5);
        for _ in 0..100 {
            fill(&limiter).into_iter().for_each(succeed);
        }
        assert_eq!(fill(&limiter).len(), 8);
    }

    #[test]
    fn the_limit_never_drops_below_one_part() {
        let limiter = limiter(3);
        for _ in 0..5 {
            limiter.slow_down(Instant::now());
        }
        assert_eq!(fill(&limiter).len(), 1);
    }

    proptest! {
        /// 0 acquires a permit, 1 drops it, 2 succeeds, 3 is refused, 4 and 5 end a round on a link
        /// that is full and one that is not.
        #[test]
        fn permits_are_never_lost_and_never_exceed_the_limit(
            most in 1_usize..10,
            steps in proptest::collection::vec(0..6, 0..200),
        ) {
            let limiter = limiter(most);
            let mut permits = Vec::new();
            for step in steps {
                match step {
                    0 => permits.extend(limiter.enter_now()),
                    1 => drop(permits.pop()),
                    2 => permits.pop().into_iter().for_each(succeed),
                    3 => limiter.slow_down(Instant::now()),
                    4 => drop(limits(&limiter, 1, |count| 0.1 * count as f64)),
                    _ => drop(limits(&limiter, 1, |_| 1.0)),
                }
                prop_assert!(permits.len() <= most);
            }
            permits.clear();
            let limit = limiter.state().limit;
            prop_assert!((1..=most).contains(&limit));
            prop_assert_eq!(fill(&limiter).len(), limit);
        }
    }
}
