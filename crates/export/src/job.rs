//! A place among the ranges that are read and encoded at the same time.
//!
//! It is given back once the range's last data file is filled: over a distance, acknowledging the last
//! parts, recording the file and completing it take as long as reading many documents, and hardly any
//! memory.

use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places; clones share them.
#[derive(Clone)]
pub(crate) struct Jobs(Arc<Semaphore>);

/// A range's place, while it holds it.
pub(crate) struct Job {
    jobs: Jobs,
    place: Option<OwnedSemaphorePermit>,
}

impl Jobs {
    pub(crate) fn new(count: NonZeroUsize) -> Self {
        Self(Arc::new(Semaphore::new(count.get())))
    }

    /// A range that has no place yet.
    pub(crate) fn job(&self) -> Job {
        Job {
            jobs: self.clone(),
            place: None,
        }
    }
}

impl Job {
    /// Waits for a place, if it holds none.
    pub(crate) async fn take_place(&mut self) -> anyhow::Result<()> {
        if self.place.is_none() {
            let place = Arc::clone(&self.jobs.0).acquire_owned().await;
            self.place = Some(place.context("the export has ended")?);
        }
        Ok(())
    }

    pub(crate) fn give_place_back(&mut self) {
        self.place = None;
    }
}
