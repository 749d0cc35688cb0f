//! A gate that makes a share of all requests fail, for soak tests.
//!
//! The fate of a request depends only on the seed and the request's number, so a failed run can be
//! reproduced as long as the client sends its requests in the same order.

use std::sync::Mutex;

use async_trait::async_trait;
use rand::RngExt as _;

use super::gate::{Gate, Moment, Verdict};
use super::lock::lock;
use super::request::Request;
use crate::fate::Fate;

/// Makes a share of all requests fail; all kinds of fault are equally likely.
pub struct RandomFaults {
    fate: Fate,
    counts: Mutex<FaultCounts>,
}

/// How often [`RandomFaults`] caused each kind of fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// All requests that arrived, including those left alone.
    pub requests: u64,
    /// Answered with 503 `SlowDown` instead of being executed.
    pub slow_downs: u64,
    /// Connections reset before the request was executed.
    pub resets: u64,
    /// Executed, then the connection closed without a reply.
    pub lost_replies: u64,
    /// Held forever before the request was executed.
    pub stalls: u64,
    /// Held forever after the request was executed.
    pub stalls_after: u64,
}

impl FaultCounts {
    /// The total number of faults.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.slow_downs + self.resets + self.lost_replies + self.stalls + self.stalls_after
    }
}

#[derive(Clone, Copy)]
enum Fault {
    SlowDown,
    Reset,
    LostReply,
    Stall,
    StallAfter,
}

impl RandomFaults {
    /// Faults for a `share` (0 to 1) of all requests.
    #[must_use]
    pub fn new(seed: u64, share: f64) -> Self {
        Self {
            fate: Fate::new(seed, share),
            counts: Mutex::default(),
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> FaultCounts {
        *lock(&self.counts)
    }

    fn fault(&self, number: u64) -> Option<Fault> {
        let mut random = self.fate.strikes(number)?;
        Some(match random.random_range(0..8) {
            0 | 1 => Fault::SlowDown,
            2 | 3 => Fault::Reset,
            4 | 5 => Fault::LostReply,
            6 => Fault::Stall,
            _ => Fault::StallAfter,
        })
    }
}

#[async_trait]
impl Gate for RandomFaults {
    async fn decide(&self, moment: Moment, request: &Request) -> Verdict {
        let mut counts = lock(&self.counts);
        if moment == Moment::Arrived {
            counts.requests += 1;
        }
        let (count, verdict) = match (moment, self.fault(request.number)) {
            (Moment::Arrived, Some(Fault::SlowDown)) => {
                let (status, code) = (503, "SlowDown");
                (&mut counts.slow_downs, Verdict::Answer { status, code })
            }
            (Moment::Arrived, Some(Fault::Reset)) => (&mut counts.resets, Verdict::Reset),
            (Moment::Executed, Some(Fault::LostReply)) => {
                (&mut counts.lost_replies, Verdict::Disconnect)
            }
            (Moment::Arrived, Some(Fault::Stall)) => (&mut counts.stalls, Verdict::Hold),
            (Moment::Executed, Some(Fault::StallAfter)) => {
                (&mut counts.stalls_after, Verdict::Hold)
            }
            _ => return Verdict::Pass,
        };
        *count += 1;
        verdict
    }

    /// None of a few requests may be struck.
    fn must_strike(&self) -> bool {
        false
    }
}
