//! Damage and lies: an import that meets them exits with 3 and leaves the target unchanged.

use super::{EXPORT, IMPORT, split_documents};
use lob_tests::servers::Servers;

const MANIFEST: &str = "processed-splits/r1/manifest.json";

/// A committed export of one split, and a target that an import would replace.
async fn exported() -> Servers {
    let servers = Servers::start().await;
    servers
        .insert("split_0_input", &split_documents(200, 10))
        .await;
    servers
        .insert("back_0", &[bson::rawdoc! { "_id": 1, "old": true }])
        .await;
    servers.run("lob-export", &EXPORT).await.with_status(0);
    servers
}

/// Asserts that the import exits with 3 and that nothing in the database has changed.
async fn refused(servers: &Servers, what: &str) {
    let ended = servers.run("lob-import", &IMPORT).await;
    assert_eq!(ended.status, Some(3), "{what}: {}", ended.stderr);
    let old = servers.documents(&servers.database, "back_0").await;
    assert_eq!(old, [bson::rawdoc! { "_id": 1, "old": true }], "{what}");
    let names = servers.collections(&servers.database).await;
    assert_eq!(names, ["back_0", "split_0_input"], "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_bit_in_a_data_file_stops_the_import_before_the_target_is_touched() {
    let servers = exported().await;
    let key = servers
        .keys()
        .await
        .into_iter()
        .find(|key| key.ends_with(".parquet"))
        .unwrap();
    let bytes = servers.object(&key).await;
    // Spread over data pages, metadata and the last byte.
    for step in 0..8 {
        let mut damaged = bytes.clone();
        let position = (bytes.len() - 1) * step / 7;
        damaged[position] ^= 1 << step;
        servers.overwrite(&key, damaged).await;
        refused(&servers, &format!("bit {step} of byte {position}")).await;
    }
    servers
        .overwrite(&key, bytes[..bytes.len() - 1].to_vec())
        .await;
    refused(&servers, "a byte too few").await;
    servers.overwrite(&key, bytes).await;
    servers.run("lob-import", &IMPORT).await.with_status(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_lies_stops_the_import_before_the_target_is_touched() {
    let servers = exported().await;
    let manifest = servers.manifest("r1").await;
    let zeros = "0".repeat(64);
    let lies: [(&str, serde_json::Value); 9] = [
        ("/splits/0/files/0/sha256", zeros.as_str().into()),
        ("/splits/0/files/0/size_bytes", 1.into()),
        ("/splits/0/files/0/rows", 199.into()),
        ("/splits/0/files/0/digest", zeros[..32].into()),
        ("/splits/0/files/0/key", "../r2/split_0.parquet/a".into()),
        ("/splits/0/digest", zeros[..32].into()),
        ("/splits/0/num_documents", 201.into()),
        ("/total_documents", 201.into()),
        ("/run_id", "r2".into()),
    ];
    for (place, lie) in lies {
        let mut lying = manifest.clone();
        *lying.pointer_mut(place).unwrap() = lie;
        servers
            .overwrite(MANIFEST, serde_json::to_vec(&lying).unwrap())
            .await;
        refused(&servers, place).await;
    }
    // A count that is wrong everywhere in the manifest shows only when documents are counted.
    let mut lying = manifest.clone();
    for place in [
        "/splits/0/files/0/rows",
        "/splits/0/num_documents",
        "/total_documents",
    ] {
        *lying.pointer_mut(place).unwrap() = 201.into();
    }
    let roles = lying
        .pointer_mut("/splits/0/role_distribution")
        .unwrap()
        .as_object_mut()
        .unwrap();
    let train = roles["train"].as_u64().unwrap();
    roles.insert("train".to_owned(), (train + 1).into());
    servers
        .overwrite(MANIFEST, serde_json::to_vec(&lying).unwrap())
        .await;
    refused(&servers, "all counts").await;
}
