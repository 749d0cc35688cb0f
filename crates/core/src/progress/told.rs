//! The progress reported for one object. If the object is abandoned, its progress is taken back:
//! whoever makes it again reports it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Progress;

/// The progress reported for one object; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    progress: Arc<dyn Progress>,
    bytes: Arc<AtomicU64>,
    items: Arc<AtomicU64>,
}

impl Told {
    /// Starts with nothing reported.
    pub(crate) fn to(progress: Arc<dyn Progress>) -> Self {
        Self {
            progress,
            bytes: Arc::default(),
            items: Arc::default(),
        }
    }

    /// As [`Progress::advance`].
    pub(crate) fn advance(&self, bytes: u64, items: u64) {
        self.add(bytes, items);
        self.progress.advance(bytes, items);
    }

    /// As [`Progress::skip`].
    pub(crate) fn skip(&self, bytes: u64, items: u64) {
        self.add(bytes, items);
        self.progress.skip(bytes, items);
    }

    /// Takes back everything reported so far.
    pub(crate) fn take_back(&self) {
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        let items = self.items.swap(0, Ordering::Relaxed);
        self.progress.lose(bytes, items);
    }

    fn add(&self, bytes: u64, items: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.items.fetch_add(items, Ordering::Relaxed);
    }
}
