//! Which of a client's requests fail at random: a share of them, depending only on the seed and the
//! request's number.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Strikes a share of all requests.
#[derive(Clone, Copy)]
pub(crate) struct Fate {
    seed: u64,
    share: f64,
}

impl Fate {
    /// `share` is between 0 and 1.
    pub(crate) fn new(seed: u64, share: f64) -> Self {
        let share = share.clamp(0.0, 1.0);
        Self { seed, share }
    }

    /// If it strikes this request, what to choose the fault by.
    pub(crate) fn strikes(&self, number: u64) -> Option<StdRng> {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&number.to_le_bytes());
        let mut random = StdRng::from_seed(seed);
        random.random_bool(self.share).then_some(random)
    }
}
