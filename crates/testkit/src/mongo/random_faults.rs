//! A gate that makes a share of some commands fail, for soak tests.
//!
//! The fate of a command depends only on the seed and the command's number, so a failed run can be
//! reproduced as long as the client sends its commands in the same order.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rand::RngExt as _;
use rand::seq::IndexedRandom;

use super::gate::{Command, Gate, Moment, Verdict};
use crate::fate::Fate;

/// The commands that carry data.
const DATA_COMMANDS: [&str; 3] = ["find", "getMore", "insert"];
/// Errors of a server that is shutting down or changing roles; the command may or may not have been
/// executed.
const INTERRUPTIONS: [i32; 4] = [91, 189, 11600, 11602];
/// Error of a server that is not the primary and has executed nothing.
const NOT_PRIMARY: i32 = 10107;
const CURSOR_NOT_FOUND: i32 = 43;

/// Makes a share of the chosen commands fail; all kinds of fault are equally likely.
pub struct RandomFaults {
    fate: Fate,
    commands: Vec<String>,
    counts: Mutex<FaultCounts>,
}

/// How often [`RandomFaults`] caused each kind of fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// All chosen commands that arrived, including those left alone.
    pub commands: u64,
    /// Answered with a transient error instead of being executed.
    pub refusals: u64,
    /// Executed, then answered with a transient error.
    pub interruptions: u64,
    /// Connections closed before the command was executed.
    pub disconnects: u64,
    /// Executed, then the connection closed without a reply.
    pub lost_replies: u64,
}

impl FaultCounts {
    /// The total number of faults.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.refusals + self.interruptions + self.disconnects + self.lost_replies
    }
}

#[derive(Clone, Copy)]
enum Fault {
    Refusal { code: i32 },
    Interruption { code: i32 },
    Disconnect,
    LostReply,
}

impl RandomFaults {
    /// Faults for a `share` (0 to 1) of all `find`, `getMore` and `insert` commands.
    #[must_use]
    pub fn new(seed: u64, share: f64) -> Self {
        Self {
            fate: Fate::new(seed, share),
            commands: DATA_COMMANDS.map(str::to_owned).into(),
            counts: Mutex::default(),
        }
    }

    /// Affects these commands instead.
    #[must_use]
    pub fn on(mut self, commands: &[&str]) -> Self {
        self.commands = commands.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> FaultCounts {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, FaultCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, command: &Command) -> Option<Fault> {
        let mut random = self.fate.strikes(command.number)?;
        let code = INTERRUPTIONS.choose(&mut random).copied().unwrap_or(91);
        Some(match random.random_range(0..4) {
            0 => Fault::Refusal {
                code: match random.random_range(0..3) {
                    0 => NOT_PRIMARY,
                    1 if command.name == "getMore" => CURSOR_NOT_FOUND,
                    _ => code,
                },
            },
            1 => Fault::Interruption { code },
            2 => Fault::Disconnect,
            _ => Fault::LostReply,
        })
    }
}

#[async_trait]
impl Gate for RandomFaults {
    async fn decide(&self, moment: Moment, command: &Command) -> Verdict {
        if !self.commands.contains(&command.name) {
            return Verdict::Pass;
        }
        let mut counts = self.lock();
        if moment == Moment::Arrived {
            counts.commands += 1;
        }
        let (count, verdict) = match (moment, self.fault(command)) {
            (Moment::Arrived, Some(Fault::Refusal { code })) => {
                (&mut counts.refusals, Verdict::Answer { code })
            }
            (Moment::Executed, Some(Fault::Interruption { code })) => {
                (&mut counts.interruptions, Verdict::Answer { code })
            }
            (Moment::Arrived, Some(Fault::Disconnect)) => {
                (&mut counts.disconnects, Verdict::Disconnect)
            }
            (Moment::Executed, Some(Fault::LostReply)) => {
                (&mut counts.lost_replies, Verdict::Disconnect)
            }
            _ => return Verdict::Pass,
        };
        *count += 1;
        verdict
    }
}
