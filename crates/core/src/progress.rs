//! How far a command has come: this module is told what there is to do and what is done. Showing it
//! is up to the command line (`cli`).

mod pace;
mod status;
mod tally;
mod told;

use std::fmt::Debug;

pub(crate) use self::status::{Moment, Status, Step};
pub(crate) use self::tally::Tally;
pub(crate) use self::told::Told;

/// What a command has to do, as far as known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Bytes to move.
    pub bytes: Option<u64>,
    /// Files or documents to move.
    pub items: Option<u64>,
    /// The name of the items, such as `files`.
    pub unit: &'static str,
    /// Whether the number of items is an estimate, valid only until the work ends.
    pub is_estimate: bool,
    /// What determines how much of the work is done.
    pub measure: Measure,
}

/// What determines how much of the work is done: whatever its destination acknowledges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Measure {
    /// The bytes.
    #[default]
    Bytes,
    /// The items: bytes have not arrived yet, or nobody knows how many there will be.
    Items,
}

/// Receives the progress of a command.
pub trait Progress: Send + Sync + Debug {
    /// A step begins in which nothing is counted, such as `reading the manifest`. It lasts until
    /// the next step, or until the work begins.
    fn step(&self, what: &str);
    /// The work begins.
    fn begin(&self, work: Work);
    /// The other side acknowledged `bytes` more, and `items` more are done.
    fn advance(&self, bytes: u64, items: u64);
    /// `bytes` and `items` were already there, so they do not count towards the rate.
    fn skip(&self, bytes: u64, items: u64);
    /// `bytes` and `items` reported earlier are lost and will be done again.
    fn lose(&self, bytes: u64, items: u64);
    /// The work is done: no more of it will be reported.
    fn end(&self);
}

/// Discards all progress.
#[derive(Debug, Clone, Copy)]
pub struct Hidden;

impl Progress for Hidden {
    fn step(&self, _: &str) {}
    fn begin(&self, _: Work) {}
    fn advance(&self, _: u64, _: u64) {}
    fn skip(&self, _: u64, _: u64) {}
    fn lose(&self, _: u64, _: u64) {}
    fn end(&self) {}
}
