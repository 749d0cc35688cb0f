//! Random breakage of requests, before the server gets them or before the client gets the reply.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How a request is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    /// The server never sees it.
    Request,
    /// The server executes it, but the reply is lost.
    Reply,
}

/// Breaks a share of all requests; both ways are equally likely.
pub(super) struct Breaks {
    random: StdRng,
    share: f64,
    count: u64,
}

impl Breaks {
    /// `share` is between 0 and 1.
    pub(super) fn new(seed: u64, share: f64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            share: share.clamp(0.0, 1.0),
            count: 0,
        }
    }

    /// Decides the fate of the next request.
    pub(super) fn decide(&mut self) -> Option<Break> {
        if !self.random.random_bool(self.share) {
            return None;
        }
        self.count += 1;
        Some(match self.random.random_bool(0.5) {
            true => Break::Request,
            false => Break::Reply,
        })
    }

    /// How many requests were broken.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}
