//! Legacy runs: what can be known about them before they are imported.
//!
//! A legacy manifest names no data files and has no hashes, so here, and only here, folders are
//! listed; the addresses in the manifest are never followed. The log says what little protects such
//! an import.

use lob_core::failure::Failure;
use lob_core::manifest::{LegacyManifest, LegacySplit, RecordedChecksum, split_folder};
use lob_core::run::RunLocation;
use lob_core::store::{Store, StoreError};
use lob_mongo::Definition;

use crate::splits::{DataFile, Split};

/// The names of data files written by Spark start with this.
const PART: &str = "part-";

/// The splits of a legacy run, with the data files that exist.
///
/// # Errors
/// A recorded checksum that does not match the statistics next to it (exit status 3), or a store
/// error.
pub(crate) async fn splits(
    store: &Store,
    run: &RunLocation,
    manifest: LegacyManifest,
) -> anyhow::Result<Vec<Split>> {
    tracing::warn!(
        "run `{}` is a legacy run: only its counts, its checksum over statistics and the CRCs of \
         Parquet pages protect it",
        run.id()
    );
    let mut splits = Vec::new();
    for split in manifest.splits {
        check(&split, &store.url(&run.manifest_key()))?;
        splits.push(Split {
            split_id: split.split_id,
            num_documents: split.num_documents,
            digest: None,
            definition: Definition::default(),
            files: data_files(store, run, split.split_id).await?,
        });
    }
    Ok(splits)
}

fn check(split: &LegacySplit, url: &str) -> Result<(), Failure> {
    let (id, recorded) = (split.split_id, split.checksum());
    match split.check() {
        RecordedChecksum::Same => Ok(()),
        RecordedChecksum::Incomparable => {
            tracing::warn!("split {id} has the checksum `{recorded}`, which proves nothing");
            Ok(())
        }
        RecordedChecksum::Other { computed } => {
            let message = format!(
                "`{url}` has the checksum `{recorded}` for split {id}, but its statistics have \
                 `{computed}`"
            );
            Err(Failure::integrity(message).with_hint(
                "if the legacy scripts computed it over something else, replace it with `unknown`",
            ))
        }
    }
}

async fn data_files(
    store: &Store,
    run: &RunLocation,
    split_id: u32,
) -> Result<Vec<DataFile>, StoreError> {
    let folder = split_folder(split_id);
    let start = run.key("");
    let listed = store
        .list(&run.key(&format!("{folder}{PART}")), None)
        .await?;
    let file = |(key, size_bytes): (String, u64)| {
        let key = key.strip_prefix(&start)?.to_owned();
        // Skip anything inside a folder with such a name.
        let is_file = key.strip_prefix(&folder)?.find('/').is_none();
        is_file.then_some(DataFile::Listed { key, size_bytes })
    };
    Ok(listed.into_iter().filter_map(file).collect())
}
