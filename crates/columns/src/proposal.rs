//! Proposes columns from a sample of documents.
//!
//! Each field gets the type that most of its values have (on a tie, the one seen first), and the
//! defaults that most of its values follow. Documents whose names are data become maps, and so do
//! the many rare fields of a sparse top level: a column costs per row, not per value.

mod chooser;
mod decimal_scale;
mod evolution;
mod number_stats;
mod stats;

use self::{
    chooser::{Chooser, Natures},
    stats::FieldStats,
};
use crate::{
    column_counts::ColumnCounts,
    columns::Columns,
    limits::{MAX_COLUMNS, MAX_ELEMENTS, MAX_PATH_BYTES},
    raw::MalformedBson,
};

/// Gathers what it takes to choose the columns of a split.
#[derive(Debug)]
pub struct ColumnsProposal {
    root: FieldStats,
    /// How many more fields may be recorded: no sample of documents whose names are data may fill
    /// the memory.
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

    /// Makes the documents at these paths MAP or STRUCT columns, whatever the sample says. Paths
    /// are written as in the counts: `books.bids`, `legs[].prices`.
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

    /// Observes a document of an even sample.
    ///
    /// # Errors
    /// The bytes are not a BSON document.
    pub fn observe(&mut self, document: &[u8]) -> Result<(), MalformedBson> {
        self.root.observe(document, 0, true, &mut self.room)
    }

    /// Observes a document that is not part of an even sample, such as the first few: records its
    /// types, but not how frequent its fields are.
    ///
    /// # Errors
    /// The bytes are not a BSON document.
    pub fn observe_uneven(&mut self, document: &[u8]) -> Result<(), MalformedBson> {
        self.root.observe(document, 0, false, &mut self.room)
    }

    /// The columns for everything observed; no columns if there were no documents.
    pub fn finish(self) -> Columns {
        let mut chooser = Chooser {
            columns: MAX_COLUMNS,
            elements: MAX_ELEMENTS,
            path_bytes: MAX_PATH_BYTES,
            natures: self.natures,
        };
        // Whatever the checks would reject has been left out.
        let columns = Columns::new(chooser.top_level(self.root));
        debug_assert!(columns.is_ok(), "{columns:?}");
        columns.unwrap_or_default()
    }

    /// The columns of an earlier run plus what the observed documents require: new fields at the
    /// end, and doubles in integer columns where that run's `counts` have doubles and every integer
    /// has an exact double. Everything else stays as it was, so that all runs read alike, except
    /// for paths set to MAP or STRUCT. Returned along with the columns that would be chosen from
    /// scratch.
    pub fn finish_after(self, earlier: &Columns, counts: &ColumnCounts) -> (Columns, Columns) {
        let natures = self.natures.clone();
        let proposed = self.finish();
        let evolved = evolution::evolve(earlier, &proposed, counts, &natures);
        (evolved, proposed)
    }
}
