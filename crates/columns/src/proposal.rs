//! Proposing columns from a sample of documents.
//!
//! Each field gets the type that most of its values have, the first one seen if two are equal, and
//! the defaults that most of its values follow. Documents whose names are data become maps, and so
//! do the many rare fields of a sparse top level: a column costs by the rows there are, not by the
//! values in it.

mod chooser;
mod evolution;
mod number_stats;
mod stats;

use self::{
    chooser::{Chooser, Natures},
    stats::FieldStats,
};
use crate::{
    column_counts::ColumnCounts,
    columns::{Columns, MAX_COLUMNS, MAX_PATH_BYTES},
    raw::MalformedBson,
};

/// Gathers what is needed to choose the columns of a split.
#[derive(Debug)]
pub struct ColumnsProposal {
    root: FieldStats,
    /// Fields that may still be taken note of: no sample of documents whose names are data may
    /// fill the memory.
    room: usize,
    natures: Natures,
}

impl Default for ColumnsProposal {
    fn default() -> Self {
        Self {
            root: FieldStats::default(),
            room: 4 * MAX_COLUMNS,
            natures: Natures::default(),
        }
    }
}

impl ColumnsProposal {
    /// Starts with no documents.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the documents at these paths MAP or STRUCT columns, whatever the sample says. A path
    /// is as the counts have it: `books.bids`, `legs[].prices`.
    pub fn with_natures(
        maps: impl IntoIterator<Item = String>,
        structs: impl IntoIterator<Item = String>,
    ) -> Self {
        let natures = Natures {
            maps: maps.into_iter().collect(),
            structs: structs.into_iter().collect(),
        };
        Self {
            natures,
            ..Self::default()
        }
    }

    /// Takes note of a document of an even sample.
    ///
    /// # Errors
    /// The bytes are not a BSON document.
    pub fn observe(&mut self, document: &[u8]) -> Result<(), MalformedBson> {
        self.root.observe(document, 0, true, &mut self.room)
    }

    /// Takes note of a document that is no part of an even sample, such as the first ones: of its
    /// types, but not of how frequent its fields are.
    ///
    /// # Errors
    /// The bytes are not a BSON document.
    pub fn observe_uneven(&mut self, document: &[u8]) -> Result<(), MalformedBson> {
        self.root.observe(document, 0, false, &mut self.room)
    }

    /// The columns of all that was observed; none without documents.
    pub fn finish(self) -> Columns {
        let mut chooser = Chooser {
            columns: MAX_COLUMNS,
            path_bytes: MAX_PATH_BYTES,
            natures: self.natures,
        };
        // What the checks would refuse has been left out.
        let columns = Columns::new(chooser.top_level(self.root));
        debug_assert!(columns.is_ok(), "{columns:?}");
        columns.unwrap_or_default()
    }

    /// The columns of an earlier run, with what has to be added for what was observed: new fields
    /// at the end, and doubles in columns of integers where `counts` of that run has them and all
    /// integers are doubles too. Everything else stays, that readers find all runs alike, unless
    /// it was said to be a MAP or a STRUCT. Beside them those that would be chosen by themselves.
    pub fn finish_after(self, earlier: &Columns, counts: &ColumnCounts) -> (Columns, Columns) {
        let natures = self.natures.clone();
        let proposed = self.finish();
        let evolved = evolution::evolve(earlier, &proposed, counts, &natures);
        (evolved, proposed)
    }
}
