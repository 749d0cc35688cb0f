//! The records of one range, each continuing where the previous one ended.

use lob_core::failure::Failure;
use lob_core::run::OpenRun;
use lob_mongo::DocumentId;

use crate::place::Place;
use crate::record::{Record, StandingRecord};

/// How far a range has come, according to its records.
#[derive(Debug)]
pub(crate) struct Chain {
    /// The place of the next record.
    pub(crate) next: Place,
    /// The last id recorded; `None` if nothing is recorded yet.
    pub(crate) after: Option<DocumentId>,
    /// Whether the whole range is recorded.
    pub(crate) is_complete: bool,
}

impl Chain {
    /// The chain of a range before its first record.
    pub(crate) fn of(split_id: u32, range: u32) -> Self {
        Self {
            next: Place::first(split_id, range),
            after: None,
            is_complete: false,
        }
    }

    /// Whether it has a record, and more are to come.
    pub(crate) fn is_begun(&self) -> bool {
        self.next.sequence > 0 && !self.is_complete
    }

    /// The places of all records, in order.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        let first = Place {
            sequence: 0,
            ..self.next
        };
        std::iter::successors(Some(first), |place| Some(place.next()))
            .take(self.next.sequence as usize)
    }

    /// The places after the records where a process may have opened an upload: it fills one file
    /// while it settles another.
    pub(crate) fn ahead(&self) -> [Place; 2] {
        [self.next, self.next.next()]
    }

    /// Reads the next record, if the chain continues.
    ///
    /// # Errors
    /// A record that leaves a gap (exit status 3), or a store error.
    pub(crate) async fn read_on(
        &mut self,
        run: &OpenRun,
    ) -> anyhow::Result<Option<StandingRecord>> {
        if self.is_complete {
            return Ok(None);
        }
        let Some(standing) = Record::read(run, self.next).await? else {
            return Ok(None);
        };
        self.add(&standing.record)?;
        Ok(Some(standing))
    }

    /// Appends a record that was read or written at the end of the chain.
    ///
    /// # Errors
    /// A record that leaves a gap (exit status 3).
    pub(crate) fn add(&mut self, record: &Record) -> Result<(), Failure> {
        let interval = &record.interval;
        if self.is_complete || record.place != self.next || interval.after != self.after {
            return Err(Failure::integrity(format!(
                "the record of `{}` does not start where the one before it ends",
                record.place.file_name()
            )));
        }
        // A record that does not end its range must have made progress.
        if !interval.range_ends && interval.last.is_none() {
            return Err(Failure::integrity(format!(
                "the record of `{}` covers nothing",
                record.place.file_name()
            )));
        }
        self.next = self.next.next();
        self.is_complete = interval.range_ends;
        if interval.last.is_some() {
            self.after.clone_from(&interval.last);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;
    use crate::record::Interval;

    fn id(id: i32) -> Option<DocumentId> {
        Some(DocumentId::of(&rawdoc! { "_id": id }).unwrap())
    }

    fn record(sequence: u32, after: Option<i32>, last: Option<i32>, range_ends: bool) -> Record {
        let place = Place {
            split_id: 7,
            range: 1,
            sequence,
        };
        let interval = Interval {
            after: after.and_then(id),
            last: last.and_then(id),
            range_ends,
        };
        Record::new(place, interval, None)
    }

    #[test]
    fn records_of_a_range_leave_no_gaps() {
        let mut chain = Chain::of(7, 1);
        chain.add(&record(0, None, Some(3), false)).unwrap();
        for gap in [
            record(2, Some(3), Some(4), false),
            record(1, Some(2), Some(4), false),
            record(1, None, Some(4), false),
            record(1, Some(3), None, false),
        ] {
            assert!(chain.add(&gap).is_err(), "{gap:?}");
        }
        chain.add(&record(1, Some(3), None, true)).unwrap();
        assert!(chain.is_complete);
        assert!(chain.add(&record(2, Some(3), Some(4), true)).is_err());
    }
}
