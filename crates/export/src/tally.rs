//! Counts what one process has exported.

/// Counts of what one process has exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) ranges: u64,
    pub(crate) files: u64,
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    pub(crate) fn add_file(&mut self, documents: u64, bytes: u64) {
        self.files += 1;
        self.documents += documents;
        self.bytes += bytes;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.ranges += other.ranges;
        self.files += other.files;
        self.documents += other.documents;
        self.bytes += other.bytes;
    }
}
