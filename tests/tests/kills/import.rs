//! At every moment of an import that is killed and rerun, a target is the old collection or the new
//! one.

use bson::{RawDocumentBuf, rawdoc};
use lob_tests::kills::{assert_in_time, kill, moments, repeat, undisturbed};
use lob_tests::servers::Servers;

use crate::watch::{Target, Watch};
use crate::{EXPORT, IMPORT, SPLITS, assert_holds, fill};

#[tokio::test(flavor = "multi_thread")]
async fn an_import_killed_at_random_moments_leaves_the_old_or_new_collection() {
    let servers = Servers::start().await;
    let splits = fill(&servers).await;
    let export = [&["--run-id", "r1"][..], &EXPORT].concat();
    servers.run("lob-export", &export).await.with_status(0);
    let old: Vec<_> = (0..30).map(old).collect();
    put_in_place(&servers, "whole", &old).await;
    let time = undisturbed(&servers, "lob-import", &arguments("whole_{N}")).await;
    let collections = ["split_0_input", "split_1_input", "whole_0", "whole_1"];

    let mut killed = 0;
    for (number, moment) in moments(time).into_iter().enumerate() {
        let name = format!("killed_{number}");
        put_in_place(&servers, &name, &old).await;
        let targets = splits.iter().enumerate().map(|(split, new)| Target {
            name: format!("{name}_{split}"),
            old: old.clone(),
            new: new.clone(),
        });
        let watch = Watch::start(&servers, targets.collect()).await;
        let pattern = format!("{name}_{{N}}");
        killed += kill(&servers, "lob-import", &arguments(&pattern), moment).await;
        repeat(&servers, "lob-import", &arguments(&pattern), moment).await;
        watch.end().await;
        assert_holds(&servers, &name, &splits).await;
        for split in 0..SPLITS {
            let target = format!("{name}_{split}");
            let database = servers.mongo.database(&servers.database);
            let collection = database.collection::<RawDocumentBuf>(&target);
            collection.drop().await.unwrap();
        }
        let left = servers.collections(&servers.database).await;
        assert_eq!(left, collections, "killed after {moment:?}");
    }
    assert_in_time(killed);
    lob_testkit::fault_fired("C1");
}

fn arguments(pattern: &str) -> Vec<&str> {
    let run = ["--run-id", "r1", "--collection-pattern", pattern];
    [&run[..], &IMPORT].concat()
}

fn old(id: i32) -> RawDocumentBuf {
    rawdoc! { "_id": id, "old": true }
}

/// Puts old collections in place of the targets.
async fn put_in_place(servers: &Servers, name: &str, old: &[RawDocumentBuf]) {
    for split in 0..SPLITS {
        servers.insert(&format!("{name}_{split}"), old).await;
    }
}
