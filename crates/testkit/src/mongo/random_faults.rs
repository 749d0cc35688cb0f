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
/// The labels of a server that has too much to do.
const OVERLOADED: [&str; 2] = ["SystemOverloadedError", "RetryableError"];
const RATE_LIMIT_EXCEEDED: i32 = 462;

/// Makes a share of the chosen commands fail; all kinds of fault are equally likely.
pub struct RandomFaults {
    fate: Fate,
    /// Those that fail; all of them if there is no list.
    commands: Option<Vec<String>>,
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
            commands: Some(DATA_COMMANDS.map(str::to_owned).into()),
            counts: Mutex::default(),
        }
    }

    /// Affects these commands instead.
    #[must_use]
    pub fn on(mut self, commands: &[&str]) -> Self {
        let commands = commands.iter().map(|&name| name.to_owned());
        self.commands = Some(commands.collect());
        self
    }

    /// Affects every command instead.
    #[must_use]
    pub fn on_everything(mut self) -> Self {
        self.commands = None;
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
                code: match random.random_range(0..4) {
                    0 => NOT_PRIMARY,
                    3 => RATE_LIMIT_EXCEEDED,
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
        let listed = self.commands.as_ref();
        if listed.is_some_and(|listed| !listed.contains(&command.name)) {
            return Verdict::Pass;
        }
        let mut counts = self.lock();
        if moment == Moment::Arrived {
            counts.commands += 1;
        }
        let (count, verdict) = match (moment, self.fault(command)) {
            (Moment::Arrived, Some(Fault::Refusal { code })) => {
                let verdict = match code {
                    RATE_LIMIT_EXCEEDED => Verdict::Labelled {
                        code,
                        labels: &OVERLOADED,
                    },
                    _ => Verdict::Answer { code },
                };
                (&mut counts.refusals, verdict)
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

    /// None of a few requests may be struck.
    fn must_strike(&self) -> bool {
        false
    }
}
