//! How far a command has come: it is told here what is to be done and what is done. How that is
//! shown is the command line's business (`cli`).

mod pace;
mod status;
mod tally;
mod told;

use std::fmt::Debug;

pub(crate) use self::status::{Moment, Status, Step};
pub(crate) use self::tally::Tally;
pub(crate) use self::told::Told;

/// What a command has to do, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Bytes to move.
    pub bytes: Option<u64>,
    /// Files or documents to move.
    pub items: Option<u64>,
    /// What the items are, such as `files`.
    pub unit: &'static str,
    /// Whether the number of items is an estimate, which ends with the work.
    pub is_estimate: bool,
    /// What says how much of the work is done.
    pub measure: Measure,
}

/// What says how much of a work is done: whatever its destination acknowledges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Measure {
    /// The bytes.
    #[default]
    Bytes,
    /// The items: bytes are only on their way, or nobody knows how many there will be.
    Items,
}

/// Is told how far a command has come.
pub trait Progress: Send + Sync + Debug {
    /// Something begins that is not counted, such as `reading the manifest`. It goes on until the
    /// next step or until the work begins.
    fn step(&self, what: &str);
    /// The work begins.
    fn begin(&self, work: Work);
    /// `bytes` more were acknowledged by the other side, and `items` more are done.
    fn advance(&self, bytes: u64, items: u64);
    /// `bytes` and `items` were there already, which says nothing about how fast the work goes.
    fn skip(&self, bytes: u64, items: u64);
    /// `bytes` and `items` that were reported are lost, and will be done again.
    fn lose(&self, bytes: u64, items: u64);
    /// The work is done: there is no more of it than was told.
    fn end(&self);
}

/// Remembers nothing.
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
