//! Whether the system allows the threads that a tool needs. The runtime panics if it cannot start
//! its workers, or waits for one forever.

use std::io;
use std::sync::Mutex;
use std::thread::{self, Builder};

use crate::failure::{ExitStatus, Failure};

/// Threads beside the workers at least: files are read and names are looked up on them.
const BESIDE: usize = 4;
const SMALLEST_STACK: usize = 64 << 10;

/// Starts as many threads as a tool needs, and ends them.
///
/// # Errors
/// The system allows fewer.
pub(super) fn check() -> Result<(), Failure> {
    let needed = thread::available_parallelism().map_or(1, usize::from) + BESIDE;
    start(needed).map_err(|error| {
        let message = format!("the system does not allow the {needed} threads that are needed");
        Failure::new(ExitStatus::Failed, message)
            .with_hint("raise the limit: `ulimit -u`, or that of the container or job")
            .caused_by(error)
    })
}

/// Starts this many threads at once.
fn start(count: usize) -> io::Result<()> {
    let held = Mutex::new(());
    thread::scope(|scope| {
        let hold = held.lock();
        let started = (0..count).try_for_each(|_| {
            let builder = Builder::new().stack_size(SMALLEST_STACK);
            builder.spawn_scoped(scope, || drop(held.lock())).map(drop)
        });
        drop(hold);
        started
    })
}
