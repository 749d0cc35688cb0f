//! What an export will do: its splits, each with the columns of all its data files.

use anyhow::Context as _;
use lob_columns::{Columns, ColumnsProposal};
use lob_core::byte_size::ByteSize;
use lob_core::failure::Failure;
use lob_mongo::{Collection, Database, SampleSize};
use serde::{Deserialize, Serialize};

use crate::settings::{ByteSettings, ExportSettings};

/// Bytes of documents of each kind, the first and the random, by which columns are chosen.
const SAMPLE_LIMIT: ByteSize = ByteSize::mib(16);

/// The export's own part of the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ExportPlan {
    pub(crate) database: String,
    pub(crate) settings: ByteSettings,
    pub(crate) splits: Vec<SplitPlan>,
}

/// One split of the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SplitPlan {
    pub(crate) split_id: u32,
    pub(crate) collection: String,
    /// The collection's UUID, where the server gives it one.
    pub(crate) uuid: Option<String>,
    /// The mean size of the sampled documents.
    pub(crate) mean_document_size: ByteSize,
    /// The columns of every data file.
    pub(crate) columns: Columns,
}

/// A split with the collection that holds it.
pub(crate) struct PlannedSplit {
    pub(crate) collection: Collection,
    pub(crate) plan: SplitPlan,
    /// Documents, as the server estimates: for the progress alone.
    pub(crate) estimated_documents: u64,
}

/// Finds the splits and chooses their columns.
pub(crate) async fn plan_splits(
    database: &Database,
    settings: &ExportSettings,
) -> anyhow::Result<Vec<PlannedSplit>> {
    let splits = database
        .splits(&settings.collection_pattern, settings.split.numbers())
        .await;
    let mut planned = Vec::new();
    for split in splits.map_err(Failure::from)? {
        let collection = split.collection;
        let size = SampleSize {
            first: settings.columns_sample,
            random: settings.columns_sample,
            limit: SAMPLE_LIMIT,
        };
        let sample = collection.sample(size).await.map_err(Failure::from)?;
        let mut proposal = ColumnsProposal::new();
        for document in &sample.documents {
            let namespace = || format!("a document of `{}` is malformed", collection.namespace());
            proposal
                .observe(document.as_bytes())
                .with_context(namespace)?;
        }
        let plan = SplitPlan {
            split_id: split.split,
            collection: collection.name().to_owned(),
            uuid: collection.uuid().map(|uuid| uuid.to_string()),
            mean_document_size: sample.mean_document_size(),
            columns: proposal.finish(),
        };
        let estimated_documents = collection.estimated_count().await.map_err(Failure::from)?;
        planned.push(PlannedSplit {
            collection,
            plan,
            estimated_documents,
        });
    }
    Ok(planned)
}
