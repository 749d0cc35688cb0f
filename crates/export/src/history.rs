//! The committed runs of a database, latest first, as far as the next plan needs them: which runs
//! there are, and how many documents each collection had.
//!
//! Earlier runs are untrusted, and no reason to fail tonight's: whatever cannot be read is skipped
//! with a warning.

use std::collections::HashSet;
use std::io::Read;

use lob_core::manifest::{MAX_SPLITS, bounded, read_fields};
use lob_core::run::committed_runs;
use lob_core::settings::{Prefix, RunId};
use lob_core::store::Store;
use lob_mongo::CollectionPattern;
use serde::{Deserialize, Serialize};

/// The committed runs of one database, latest first.
#[derive(Debug, Default)]
pub(crate) struct History(Vec<(RunId, Head)>);

/// The parts of a manifest that tell whether its run counts.
#[derive(Debug, Deserialize)]
struct Head {
    export_timestamp: jiff::Timestamp,
    database: String,
    /// Manifests of earlier versions do not say it, and count as those of all splits.
    #[serde(default = "yes")]
    all_splits: bool,
    #[serde(deserialize_with = "bounded::list::<MAX_SPLITS, _, _>")]
    splits: Vec<SplitHead>,
}

#[derive(Debug, Deserialize)]
struct SplitHead {
    collection: String,
    num_documents: u64,
}

/// How many documents a collection had in an earlier run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DocumentsBefore {
    pub(crate) run: RunId,
    pub(crate) documents: u64,
}

impl History {
    /// The runs of `database` below `prefix`.
    pub(crate) async fn of(store: &Store, prefix: &Prefix, database: &str) -> Self {
        let read = |manifest: &mut dyn Read| read_fields::<Head>(manifest);
        let runs = committed_runs(store, prefix, read).await;
        let runs = runs.unwrap_or_else(|error| {
            tracing::warn!("neither columns nor counts of earlier runs are known: {error}");
            Vec::new()
        });
        let runs = runs.into_iter().filter_map(|(id, head)| {
            let head = head.inspect_err(|error| {
                tracing::warn!(run = %id, "this run is ignored when columns and counts are looked \
                                           up: {error}");
            });
            // Other tools' manifests are here too.
            let head = head.ok()?.ok()?;
            (head.database == database).then_some((id, head))
        });
        let mut runs: Vec<_> = runs.collect();
        runs.sort_by(|(a, one), (b, other)| {
            (other.export_timestamp, b).cmp(&(one.export_timestamp, a))
        });
        Self(runs)
    }

    /// The ids of the runs, latest first.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = &RunId> {
        self.0.iter().map(|(id, _)| id)
    }

    /// The number of documents of `collection` in the last run that has it.
    pub(crate) fn documents(&self, collection: &str) -> Option<DocumentsBefore> {
        self.0.iter().find_map(|(id, head)| {
            let split = head.splits.iter().find(|s| s.collection == collection)?;
            Some(DocumentsBefore {
                run: id.clone(),
                documents: split.num_documents,
            })
        })
    }

    /// The collections that match `pattern`, are not among `names`, and were there when all splits
    /// were last exported or in a run since.
    pub(crate) fn gone(&self, pattern: &CollectionPattern, names: &[&str]) -> Vec<Gone> {
        let mut known: HashSet<&str> = names.iter().copied().collect();
        let mut gone = Vec::new();
        for (id, head) in &self.0 {
            let matching = |split: &&SplitHead| pattern.split(&split.collection).is_some();
            let mut matching = head.splits.iter().filter(matching).peekable();
            let has_all = head.all_splits && matching.peek().is_some();
            for split in matching.filter(|split| known.insert(&split.collection)) {
                gone.push(Gone {
                    collection: split.collection.clone(),
                    before: DocumentsBefore {
                        run: id.clone(),
                        documents: split.num_documents,
                    },
                });
            }
            if has_all {
                break;
            }
        }
        gone
    }
}

fn yes() -> bool {
    true
}

/// A collection that was in an earlier run and no longer exists.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Gone {
    pub(crate) collection: String,
    pub(crate) before: DocumentsBefore,
}
