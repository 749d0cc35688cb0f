//! Imports: at every request a target is the old collection or the new one, and a rerun after a
//! kill ends with the new one; a lost reply changes nothing.

use std::sync::Arc;

use bson::{RawDocumentBuf, rawdoc};
use bytes::Bytes;
use lob_core::checksum::Sha256;
use lob_tests::servers::Servers;

use crate::cut::{At, Fate, at_every_request, killed};
use crate::export::{SPLITS, exported};
use crate::{collections, doubles, load};

/// Small batches, so that each data file takes several inserts.
pub(crate) const IMPORT: [&str; 4] = ["--run-id", "r1", "--insert-batch-documents", "40"];
const TARGETS: [&str; 2] = ["split_0_input", "split_1_input"];
const MANIFEST: &str = "processed-splits/r1/manifest.json";

/// A committed export that can be put on any server.
pub(crate) struct Exported(Vec<(String, Bytes)>);

impl Exported {
    pub(crate) async fn new() -> Self {
        let (servers, files) = exported().await;
        let mut objects: Vec<_> = files
            .into_iter()
            .map(|(name, bytes)| (format!("processed-splits/r1/{name}"), bytes))
            .collect();
        let manifest = servers.object(MANIFEST).await;
        objects.push((MANIFEST.to_owned(), manifest.into()));
        Self(objects)
    }

    /// Puts the export on the S3 server, and old collections in place of the targets.
    pub(crate) fn put(&self, servers: &Servers) {
        for (key, bytes) in &self.0 {
            doubles(servers)
                .s3
                .put_raw(&servers.bucket, key, bytes.clone());
        }
        for target in TARGETS {
            load(servers, target, &[old()]);
        }
    }

    /// The name of split 0's staging collection.
    fn staging(&self) -> String {
        let manifest = self.0.iter().find(|(key, _)| key == MANIFEST);
        let hash = Sha256::of(&manifest.unwrap().1).to_string();
        format!("{}__lob_{}", TARGETS[0], &hash[..8])
    }
}

fn old() -> RawDocumentBuf {
    rawdoc! { "_id": 1, "old": true }
}

/// Whether each target is the new collection; an error if one is neither the old nor the new.
pub(crate) fn swapped(servers: &Servers) -> Result<Vec<bool>, String> {
    let state = |(target, new): (&str, &Vec<RawDocumentBuf>)| {
        let found = doubles(servers).mongo.documents(&servers.database, target);
        let found = found.ok_or_else(|| format!("`{target}` does not exist"))?;
        let is = |documents: &[RawDocumentBuf]| {
            found.len() == documents.len()
                && found.iter().zip(documents).all(|(a, b)| a == b.as_bytes())
        };
        match (is(&[old()]), is(new)) {
            (false, false) => Err(format!("`{target}` is neither the old nor the new one")),
            (_, new) => Ok(new),
        }
    };
    TARGETS.into_iter().zip(SPLITS.iter()).map(state).collect()
}

/// Asserts that the targets are unchanged.
pub(crate) fn assert_untouched(servers: &Servers) {
    assert_eq!(swapped(servers), Ok(vec![false, false]));
}

/// Asserts that the targets are the new collections, and that there are no others.
pub(crate) fn assert_imported(servers: &Servers) {
    assert_eq!(swapped(servers), Ok(vec![true, true]));
    assert_eq!(collections(servers), TARGETS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_the_old_or_the_new_collection_at_every_request() {
    let exported = &Exported::new().await;
    let moments = [At::Arrived, At::Executed];
    at_every_request(&moments, Fate::Hold, async |cut, mut reaches, servers| {
        let servers = &Arc::new(servers);
        exported.put(servers);
        let watched = Arc::downgrade(servers);
        cut.watch(move || {
            let servers = watched.upgrade();
            servers.map_or(Ok(()), |servers| swapped(&servers).map(drop))
        });
        let child = servers.spawn("lob-import", &IMPORT);
        if killed(child, &cut, &mut reaches).await.is_some() {
            swapped(servers).unwrap();
            servers.run("lob-import", &IMPORT).await.with_status(0);
        }
        assert_imported(servers);
    })
    .await;
    lob_testkit::fault_fired("C1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_loses_any_one_reply_is_whole() {
    let exported = &Exported::new().await;
    at_every_request(
        &[At::Executed],
        Fate::Disconnect,
        async |_, mut reaches, servers| {
            exported.put(&servers);
            // An import first drops what an earlier one left behind.
            load(&servers, &exported.staging(), &[old()]);
            let ended = servers.run("lob-import", &IMPORT).await;
            let lost = reaches.try_recv();
            assert_eq!(ended.status, Some(0), "{lost:?}\n{}", ended.stderr);
            assert_imported(&servers);
        },
    )
    .await;
    lob_testkit::fault_fired("E3");
}
