//! The threads of a tool, and whether the system allows them: the runtime panics if it cannot start
//! its workers, or waits for one forever.

use std::io;
use std::sync::Mutex;
use std::thread::{self, Builder};

use crate::failure::{ExitStatus, Failure};

/// Sets the number of workers, as in every program with this runtime.
const WORKERS: &str = "TOKIO_WORKER_THREADS";
/// Threads beside the workers at least: files are read and names are looked up on them.
const BESIDE: usize = 4;
const SMALLEST_STACK: usize = 64 << 10;

/// How many workers the runtime gets.
pub(super) fn workers() -> usize {
    let set = std::env::var(WORKERS)
        .ok()
        .and_then(|text| text.parse().ok());
    let set = set.filter(|workers| *workers > 0);
    set.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
}

/// Starts as many threads as a tool with these workers needs, and ends them.
///
/// # Errors
/// The system allows fewer.
pub(super) fn check(workers: usize) -> Result<(), Failure> {
    let needed = workers.saturating_add(BESIDE);
    start(needed).map_err(|error| {
        let message = format!("the system does not allow the {needed} threads that are needed");
        let hint = "raise the limit: `ulimit -u`, or that of the container or job; fewer workers \
                    are set by TOKIO_WORKER_THREADS";
        Failure::new(ExitStatus::Failed, message)
            .with_hint(hint)
            .caused_by(error)
    })
}

/// Starts this many threads at once, and waits for their end.
fn start(count: usize) -> io::Result<()> {
    let held = Mutex::new(());
    thread::scope(|scope| {
        let hold = held.lock();
        let builder = || Builder::new().stack_size(SMALLEST_STACK);
        let threads: io::Result<Vec<_>> = (0..count)
            .map(|_| builder().spawn_scoped(scope, || drop(held.lock())))
            .collect();
        drop(hold);
        for thread in threads? {
            // It has nothing to panic for.
            let _ = thread.join();
        }
        Ok(())
    })
}
