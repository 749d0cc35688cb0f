//! The split collections: generated and loaded before the export, compared after the import.
//!
//! Documents are only ever bytes here: nothing decodes them, so nothing can repair them on the way.

use anyhow::{Context as _, ensure};
use bson::raw::{RawArrayBuf, RawDocumentBuf, cstr};
use bson::{doc, rawdoc};
use lob_testkit::bson_samples::samples;
use lob_testkit::split_documents::SplitDocuments;
use mongodb::Database;

/// Documents per insert command.
const BATCH: usize = 500;
const FEATURES: usize = 128;

/// A collection as it was before the export, in `_id` order.
pub(super) struct Loaded {
    name: String,
    documents: Vec<Vec<u8>>,
}

pub(super) async fn load(database: &Database) -> anyhow::Result<Vec<Loaded>> {
    let splits = [
        (
            "made up",
            SplitDocuments::new(1, FEATURES).take(4000).collect(),
        ),
        (
            "made up",
            SplitDocuments::new(2, FEATURES).take(1000).collect(),
        ),
        (
            "every BSON type there is",
            samples()
                .into_iter()
                .map(|sample| sample.document)
                .collect::<Vec<_>>(),
        ),
    ];
    let mut loaded = Vec::new();
    for (number, (what, documents)) in splits.iter().enumerate() {
        let name = format!("split_{number}_input");
        for batch in documents.chunks(BATCH) {
            insert(database, &name, batch).await?;
        }
        let documents = read(database, &name).await?;
        println!("{:>12} documents  {name}, {what}", documents.len());
        loaded.push(Loaded { name, documents });
    }
    Ok(loaded)
}

/// Compares the database with the loaded collections.
pub(super) async fn verify(database: &Database, loaded: &[Loaded]) -> anyhow::Result<()> {
    for Loaded { name, documents } in loaded {
        let restored = read(database, name).await?;
        ensure!(
            restored.len() == documents.len(),
            "`{name}` had {} documents and has {} after the import",
            documents.len(),
            restored.len()
        );
        let differing = documents
            .iter()
            .zip(&restored)
            .position(|(old, new)| old != new);
        if let Some(index) = differing {
            anyhow::bail!("document {index} of `{name}` is not what it was");
        }
        println!(
            "{name}: all {} documents are equal byte for byte",
            documents.len()
        );
    }
    Ok(())
}

async fn insert(
    database: &Database,
    collection: &str,
    documents: &[RawDocumentBuf],
) -> anyhow::Result<()> {
    let mut array = RawArrayBuf::new();
    documents
        .iter()
        .for_each(|document| array.push(document.clone()));
    let mut command = rawdoc! { "insert": collection };
    command.append(cstr!("documents"), array);
    let reply = database.run_raw_command(command).await;
    let reply = reply.with_context(|| format!("`{collection}` cannot be loaded"))?;
    ensure!(
        reply.get_i32("n")? as usize == documents.len(),
        "the server refuses documents of `{collection}`: {reply}"
    );
    Ok(())
}

async fn read(database: &Database, collection: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let collection = database.collection::<RawDocumentBuf>(collection);
    let mut cursor = collection.find(doc! {}).sort(doc! { "_id": 1 }).await?;
    let mut documents = Vec::new();
    while cursor.advance().await? {
        documents.push(cursor.current().as_bytes().to_vec());
    }
    Ok(documents)
}
