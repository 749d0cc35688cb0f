//! State shared by all connections of a proxy: what happens to them, and how fast bytes pass.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::breaks::Breaks;
use super::rule::Rules;

/// The most bytes forwarded in one go.
pub(super) const CHUNK: usize = 16 << 10;

/// What happens to connections and bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Pass,
    Refuse,
    Drop,
}

#[derive(Clone, Copy)]
pub(super) struct State {
    pub(super) mode: Mode,
    /// How often all connections were reset; older connections must end.
    pub(super) resets: u64,
}

pub(super) type Control = watch::Receiver<State>;

/// What every connection needs from the proxy.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) upstream: Arc<str>,
    pub(super) control: Control,
    pub(super) uplink: Arc<Mutex<Uplink>>,
    pub(super) downlink: Arc<Mutex<Rate>>,
    pub(super) rules: Arc<Mutex<Rules>>,
    pub(super) delay: Arc<Mutex<Option<Delay>>>,
    /// Whether every byte is sent on its own.
    pub(super) slices: Arc<AtomicBool>,
    pub(super) hindered: Arc<AtomicU64>,
}

impl Link {
    /// Counts that bytes were held back or cut into pieces, or a connection was refused or reset.
    pub(super) fn hinder(&self) {
        self.hindered.fetch_add(1, Ordering::Relaxed);
    }

    /// Sleeps, and counts that unless the moment has passed.
    pub(super) async fn hold_until(&self, moment: Instant) {
        if moment > Instant::now() {
            self.hinder();
            sleep_until(moment).await;
        }
    }
}

/// How long replies are held back, each for a random time.
pub(super) struct Delay {
    range: Range<Duration>,
    random: StdRng,
}

impl Delay {
    pub(super) fn new(range: Range<Duration>, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { range, random }
    }

    pub(super) fn next(&mut self) -> Duration {
        self.random.random_range(self.range.clone())
    }
}

/// How fast bytes pass in one direction, over all connections.
pub(super) struct Rate {
    bytes_per_second: Option<u64>,
    /// When the bytes let through so far will have passed at that rate.
    free_at: Instant,
}

/// What all connections share on the way from clients to the server.
pub(super) struct Uplink {
    pub(super) rate: Rate,
    /// Which requests are broken.
    pub(super) breaks: Option<Breaks>,
}

impl Uplink {
    pub(super) fn new() -> Self {
        Self {
            rate: Rate::unlimited(),
            breaks: None,
        }
    }
}

impl Rate {
    pub(super) fn unlimited() -> Self {
        Self {
            bytes_per_second: None,
            free_at: Instant::now(),
        }
    }

    pub(super) fn limit(&mut self, bytes_per_second: Option<u64>) {
        self.bytes_per_second = bytes_per_second.map(|rate| rate.max(1));
        self.free_at = Instant::now();
    }

    /// How many bytes to take at once: a tenth of a second's worth, so that a slow link is evenly
    /// slow.
    pub(super) fn chunk(&self) -> usize {
        let tenth = self.bytes_per_second.map(|rate| rate.div_ceil(10));
        tenth
            .and_then(|bytes| usize::try_from(bytes).ok())
            .map_or(CHUNK, |bytes| bytes.min(CHUNK))
    }

    /// Accounts for these bytes; returns when they will have passed.
    pub(super) fn pay(&mut self, bytes: usize) -> Instant {
        let now = Instant::now();
        if let Some(rate) = self.bytes_per_second {
            let seconds = bytes as f64 / rate as f64;
            self.free_at = self.free_at.max(now) + Duration::from_secs_f64(seconds);
            return self.free_at;
        }
        now
    }
}

/// Waits for a state; also returns once the proxy is gone.
pub(super) async fn until(control: &mut Control, mut reached: impl FnMut(&State) -> bool) {
    let _ = control.wait_for(|state| reached(state)).await.is_ok();
}

/// A test that panicked elsewhere must not make every connection panic too.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
