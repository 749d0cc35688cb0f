//! What an export will do: its splits, each with the columns of all its data files and the ranges
//! it is cut into.

use std::collections::BTreeSet;

use lob_columns::Columns;
use lob_core::failure::Failure;
use lob_core::manifest::{MAX_INDEXES, MAX_SPLITS, bounded};
use lob_core::settings::ByteSize;
use lob_mongo::{Choice, ClusterTime, IdRange, MAX_RANGES};
use serde::{Deserialize, Serialize};

use crate::history::{DocumentsBefore, Gone};
use crate::settings::{PlannedSettings, check_row_group_size};

/// The tool's name in plans and manifests.
pub(crate) const TOOL: &str = "lob-export";

/// The export's own part of the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ExportPlan {
    pub(crate) settings: PlannedSettings,
    /// The moment at which all documents are read; `None` if each is read at its own moment.
    pub(crate) snapshot: Option<ClusterTime>,
    /// The primary's time when the run was planned: no worker reads anything older. `None` if the
    /// server is not a replica set.
    pub(crate) newest: Option<ClusterTime>,
    #[serde(deserialize_with = "bounded::list::<MAX_SPLITS, _, _>")]
    pub(crate) splits: Vec<SplitPlan>,
    /// Collections of the last run that no longer exist, if all splits are exported.
    #[serde(default, deserialize_with = "bounded::list::<MAX_SPLITS, _, _>")]
    pub(crate) gone: Vec<Gone>,
}

/// One split of the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SplitPlan {
    pub(crate) split_id: u32,
    pub(crate) collection: String,
    /// The collection's UUID, if the server assigns one.
    pub(crate) uuid: Option<String>,
    /// The server's estimate of the document count; only used for progress.
    pub(crate) estimated_documents: u64,
    /// Documents in the last run that has the collection, if there is one.
    #[serde(default)]
    pub(crate) documents_before: Option<DocumentsBefore>,
    /// The mean size of the sampled documents.
    pub(crate) mean_document_size: ByteSize,
    /// The columns of every data file.
    pub(crate) columns: Columns,
    /// Indexes and options of the collection, as in the manifest.
    #[serde(deserialize_with = "bounded::list::<MAX_INDEXES, _, _>")]
    pub(crate) indexes: Vec<String>,
    pub(crate) options: Option<String>,
    /// Whether part of it can be scanned on its own.
    pub(crate) is_divisible: bool,
    /// How documents from across the collection were chosen for the sample.
    pub(crate) sample_choice: Choice,
    /// How the bounds of the ranges were chosen.
    pub(crate) ranges_choice: Choice,
    /// Without gaps, from unbounded to unbounded.
    #[serde(deserialize_with = "bounded::list::<{ MAX_RANGES as usize }, _, _>")]
    pub(crate) ranges: Vec<IdRange>,
}

impl ExportPlan {
    /// Checks a plan read from a bucket, because a commit only proves that all of the plan was
    /// exported.
    ///
    /// # Errors
    /// A split occurs twice, or its ranges do not reach from unbounded to unbounded without a gap;
    /// or row groups are of an impossible size.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let size = self.settings.bytes.row_group_size;
        check_row_group_size(size)
            .map_err(|error| Failure::integrity(format!("in the plan, {error}")))?;
        let mut numbers = BTreeSet::new();
        let broken = self
            .splits
            .iter()
            .find(|split| !numbers.insert(split.split_id) || !split.is_gapless());
        match broken {
            None => Ok(()),
            Some(split) => Err(Failure::integrity(format!(
                "the ranges of split {} in the plan do not cover every document exactly once",
                split.split_id
            ))),
        }
    }
}

impl SplitPlan {
    fn is_gapless(&self) -> bool {
        let (first, last) = (self.ranges.first(), self.ranges.last());
        let follows = |two: &[IdRange]| matches!(two, [a, b] if a.to.is_some() && a.to == b.from);
        first.is_some_and(|first| first.from.is_none())
            && last.is_some_and(|last| last.to.is_none())
            && self.ranges.windows(2).all(follows)
    }

    /// The number of ranges; they are numbered from 0.
    pub(crate) fn range_count(&self) -> u32 {
        u32::try_from(self.ranges.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use lob_columns::ColumnsProposal;
    use lob_mongo::DocumentId;

    use super::*;

    fn plan(splits: Vec<SplitPlan>) -> ExportPlan {
        ExportPlan {
            settings: crate::settings::defaults().planned().unwrap(),
            snapshot: None,
            newest: None,
            splits,
            gone: Vec::new(),
        }
    }

    #[test]
    fn a_plan_with_row_groups_of_an_impossible_size_is_refused() {
        let mut plan = plan(Vec::new());
        plan.check().unwrap();
        for size in [0, 128 << 20 | 1, u64::MAX] {
            plan.settings.bytes.row_group_size = ByteSize::b(size);
            plan.check().unwrap_err();
        }
    }

    #[test]
    fn a_plan_whose_ranges_leave_a_gap_is_refused() {
        let id = |id: i32| Some(DocumentId::of(&rawdoc! { "_id": id }).unwrap());
        let split = |split_id, bounds: &[(Option<i32>, Option<i32>)]| SplitPlan {
            split_id,
            collection: format!("split_{split_id}_input"),
            uuid: None,
            estimated_documents: 0,
            documents_before: None,
            mean_document_size: ByteSize::b(0),
            columns: ColumnsProposal::new().finish(),
            indexes: Vec::new(),
            options: None,
            is_divisible: true,
            sample_choice: Choice::None,
            ranges_choice: Choice::None,
            ranges: bounds
                .iter()
                .map(|(from, to)| IdRange {
                    from: from.and_then(id),
                    to: to.and_then(id),
                })
                .collect(),
        };
        let check = |splits| plan(splits).check();
        let whole = [(None, Some(1)), (Some(1), Some(2)), (Some(2), None)];
        check(vec![split(0, &whole), split(1, &[(None, None)])]).unwrap();
        check(vec![split(0, &whole), split(0, &whole)]).unwrap_err();
        for broken in [
            &[][..],
            &whole[1..],
            &whole[..2],
            &[whole[0], whole[2]],
            &[(None, None), (None, None)],
        ] {
            check(vec![split(0, broken)]).unwrap_err();
        }
    }
}
