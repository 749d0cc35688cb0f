//! Out of MongoDB and back in, byte for byte, and readable by others on the way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "round_trip/definition.rs"]
mod definition;
#[path = "round_trip/ids.rs"]
mod ids;
#[path = "round_trip/integrity.rs"]
mod integrity;

use bson::RawDocumentBuf;
use lob_testkit::bson_samples;
use lob_testkit::s3::Operation;
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::servers::Servers;

const EXPORT: [&str; 2] = ["--run-id", "r1"];
const IMPORT: [&str; 4] = ["--run-id", "r1", "--collection-pattern", "back_{N}"];

/// The requested number of generated documents.
fn split_documents(count: usize, features: usize) -> Vec<RawDocumentBuf> {
    SplitDocuments::new(7, features).take(count).collect()
}

/// Exports the test's database as run `r1` and imports it as `back_{N}`.
async fn out_and_back(servers: &Servers) {
    servers.run("lob-export", &EXPORT).await.with_status(0);
    servers.run("lob-import", &IMPORT).await.with_status(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn split_collections_come_back_byte_for_byte_and_no_data_file_is_read_back() {
    let servers = Servers::start().await;
    for split in 0..2 {
        let documents = split_documents(300 + split, 40);
        servers
            .insert(&format!("split_{split}_input"), &documents)
            .await;
    }
    servers.run("lob-export", &EXPORT).await.with_status(0);
    if let Some(doubles) = &servers.doubles {
        let requests = doubles.s3.requests().into_iter();
        let reads = requests.filter(|request| {
            request.operation == Operation::GetObject && request.key.ends_with(".parquet")
        });
        assert_eq!(reads.count(), 0);
        // The scans that plan the export ask for a few documents, or only for `_id`s.
        let scans = doubles.mongo.commands().into_iter().filter(|command| {
            let has = |name| command.arguments.get(name).unwrap().is_some();
            let by_id = has("filter") && {
                let filter = command.arguments.get_document("filter").unwrap();
                filter.iter().next().is_some()
            };
            command.name == "find" && !has("limit") && !has("projection") && !by_id
        });
        assert_eq!(scans.count(), 2, "one scan per collection");
    }
    servers.run("lob-import", &IMPORT).await.with_status(0);
    for split in 0..2 {
        let source = servers
            .documents(&servers.database, &format!("split_{split}_input"))
            .await;
        assert_eq!(source.len(), 300 + split);
        assert_eq!(
            servers
                .documents(&servers.database, &format!("back_{split}"))
                .await,
            source
        );
    }
    let names = servers.collections(&servers.database).await;
    assert_eq!(
        names,
        ["back_0", "back_1", "split_0_input", "split_1_input"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bson_type_and_oddity_comes_back_byte_for_byte() {
    let servers = Servers::start().await;
    let samples = servers.kept(bson_samples::samples());
    servers.insert("split_0_input", &samples).await;
    let ids = servers.kept(bson_samples::one_of_each_id_type());
    servers.insert("split_1_input", &ids).await;
    out_and_back(&servers).await;
    for (split, sent) in [(0, samples), (1, ids)] {
        let source = servers
            .documents(&servers.database, &format!("split_{split}_input"))
            .await;
        assert_eq!(source, sent, "the server keeps the documents as they are");
        let back = servers
            .documents(&servers.database, &format!("back_{split}"))
            .await;
        assert_eq!(back, source);
    }
    lob_testkit::fault_fired("F3");
    lob_testkit::fault_fired("F4");
    lob_testkit::fault_fired("F5");
    lob_testkit::fault_fired("F6");
    lob_testkit::fault_fired("F7");
}

/// Takes each sample that some version of MongoDB does not keep from a source that keeps them all.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_the_target_would_change_is_refused() {
    let servers = Servers::start().await;
    let source = Servers::doubles(<_>::default()).await;
    let samples = bson_samples::samples().into_iter();
    let disputed =
        samples.filter(|s| ["name with a dollar", "zero timestamp at the top"].contains(&s.name));
    for (number, sample) in disputed.enumerate() {
        let (run, split) = (format!("r{number}"), format!("split_{number}_input"));
        source.insert(&split, &[&sample.document]).await;
        let export = [
            ["--run-id", &run],
            ["--split", &number.to_string()],
            ["--database", &source.database],
            ["--mongodb-uri", &source.mongodb_uri],
        ];
        let exported = servers.run("lob-export", export.as_flattened()).await;
        exported.with_status(0);

        let import = ["--run-id", &run, "--collection-pattern", "back_{N}"];
        let imported = servers.run("lob-import", &import).await;
        let target = format!("back_{number}");
        let back = servers.documents(&servers.database, &target).await;
        if servers.version.keeps(&sample.document) {
            imported.with_status(0);
            assert_eq!(back, [sample.document]);
        } else {
            let stderr = imported.with_status(1).stderr;
            assert!(stderr.contains(&target), "{stderr}");
            assert_eq!(back, [] as [RawDocumentBuf; 0], "{}", sample.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_data_files_and_row_groups_of_one_split_come_back_in_order() {
    let servers = Servers::start().await;
    let documents = split_documents(2000, 100);
    servers.insert("split_3_input", &documents).await;
    let small = [
        "--run-id",
        "r1",
        "--file-size",
        "200KiB",
        "--row-group-size",
        "50KiB",
    ];
    servers.run("lob-export", &small).await.with_status(0);
    let manifest = servers.manifest("r1").await;
    assert!(
        manifest["splits"][0]["files"].as_array().unwrap().len() > 3,
        "{manifest}"
    );
    servers.run("lob-import", &IMPORT).await.with_status(0);
    assert_eq!(
        servers.documents(&servers.database, "back_3").await,
        documents
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_split_comes_back_empty() {
    let servers = Servers::start().await;
    servers
        .mongo
        .database(&servers.database)
        .create_collection("split_0_input")
        .await
        .unwrap();
    out_and_back(&servers).await;
    let split = &servers.manifest("r1").await["splits"][0];
    assert_eq!(
        (&split["num_documents"], &split["files"]),
        (&0.into(), &serde_json::json!([]))
    );
    assert_eq!(
        servers.collections(&servers.database).await,
        ["back_0", "split_0_input"]
    );
    lob_testkit::fault_fired("F8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_target_holds_the_new_documents_and_no_replace_keeps_the_old() {
    let servers = Servers::start().await;
    servers
        .insert("split_0_input", &split_documents(20, 4))
        .await;
    let old = [bson::rawdoc! { "_id": 1, "old": true }];
    servers.insert("back_0", &old).await;
    servers.run("lob-export", &EXPORT).await.with_status(0);

    let kept = [&IMPORT[..], &["--no-replace"]].concat();
    let refused = servers.run("lob-import", &kept).await.with_status(1);
    assert!(refused.stderr.contains("back_0"), "{}", refused.stderr);
    assert_eq!(servers.documents(&servers.database, "back_0").await, old);

    servers.run("lob-import", &IMPORT).await.with_status(0);
    assert_eq!(
        servers.documents(&servers.database, "back_0").await,
        split_documents(20, 4)
    );
    lob_testkit::fault_fired("E17");
}
