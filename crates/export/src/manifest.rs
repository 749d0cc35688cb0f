//! The manifest of an export, with the types it uses for a split's columns: written in full, and
//! read back only as far as the summary needs. What it cannot hold is known from the plan.

use lob_columns::{ColumnCounts, Columns};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{
    ExportManifest, ExportedSplit, MAX_FILES, PublishedExport, PublishedSplit, check_definition,
};
use lob_core::settings::ByteSize;
use serde::de::IgnoredAny;

use crate::plan::SplitPlan;

/// The manifest as written.
pub(crate) type Manifest = ExportManifest<Columns, ColumnCounts>;
/// A split of the manifest as written.
pub(crate) type Split = ExportedSplit<Columns, ColumnCounts>;
/// The manifest as read back.
pub(crate) type Published = PublishedExport<IgnoredAny, ColumnCounts>;
/// A split of the manifest as read back.
pub(crate) type SplitAsRead = PublishedSplit<IgnoredAny, ColumnCounts>;

/// Refuses splits that no manifest can hold, given data files of `file_size`. As many data files as
/// a manifest can hold also fit into its size in bytes, since a plan takes up at most a quarter of
/// it.
///
/// # Errors
/// More data files than a manifest may have, going by the server's estimate of documents and
/// assuming nothing compresses; an index or options that it may not have.
pub(crate) fn check_limits(splits: &[SplitPlan], file_size: ByteSize) -> Result<(), Failure> {
    let files_of = |split: &SplitPlan| {
        let documents = split.estimated_documents;
        let bytes = documents.saturating_mul(split.mean_document_size.0);
        // Each range ends with a file of its own.
        (bytes / file_size.0.max(1)).saturating_add(split.range_count().into())
    };
    let files = splits.iter().map(files_of).fold(0, u64::saturating_add);
    if files > MAX_FILES as u64 {
        let message = format!(
            "the run would have about {files} data files, and a manifest holds {MAX_FILES}"
        );
        return Err(Failure::new(ExitStatus::Failed, message).with_hint(
            "raise --file-size or --range-size, lower --ranges, or make several runs with --split",
        ));
    }
    for split in splits {
        check_definition(&split.indexes, split.options.as_deref()).map_err(|error| {
            let message = format!("the manifest could not hold `{}`", split.collection);
            Failure::new(ExitStatus::Failed, message).caused_by(error)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lob_columns::ColumnsProposal;
    use lob_mongo::{Choice, IdRange};

    use super::*;

    fn split(ranges: usize, indexes: usize) -> SplitPlan {
        SplitPlan {
            split_id: 0,
            collection: "split_0_input".to_owned(),
            uuid: None,
            estimated_documents: 1 << 30,
            documents_before: None,
            mean_document_size: ByteSize::kib(1),
            columns: ColumnsProposal::new().finish(),
            indexes: vec!["{}".to_owned(); indexes],
            options: None,
            is_divisible: true,
            sample_choice: Choice::None,
            ranges_choice: Choice::None,
            ranges: vec![IdRange::default(); ranges],
        }
    }

    #[test]
    fn the_plan_refuses_what_a_manifest_cannot_hold() {
        let check = |split, file_size| check_limits(&[split], file_size);
        let told = |split, file_size| check(split, file_size).unwrap_err().to_string();
        check(split(10_000, 64), ByteSize::mib(256)).unwrap();
        assert!(told(split(1, 1), ByteSize::mib(1)).contains("1048577 data files"));
        assert!(told(split(MAX_FILES, 1), ByteSize::mib(256)).contains("data files"));
        assert!(told(split(1, 65), ByteSize::mib(256)).contains("`split_0_input`"));
    }
}
