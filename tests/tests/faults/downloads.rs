//! Replies to an import that break, stall or lie: the documents are right, or no target is there.

use lob_testkit::fault_fired;
use lob_testkit::proxy::{Act, Place, Rule};
use lob_tests::servers::Gates;

use crate::Bed;

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_downloads_break_anywhere_has_the_right_documents() {
    let bed = Bed::small(Gates::default()).await;
    bed.run("lob-export", &[], &[]).await.with_status(0);
    let keys = bed.servers.keys().await;
    let key = keys.iter().find(|key| key.ends_with(".parquet")).unwrap();
    let size = bed.servers.object(key).await.len() as u64;
    let request = format!("GET /{}/{key}", bed.servers.bucket);
    for (case, after, act) in [
        ("B6", Place::Body(size / 2), Act::Reset),
        ("B7", Place::Body(size / 2), Act::Close),
        ("B7", Place::Body(size - 1), Act::Close),
        ("B9", Place::Body(size), Act::Pad(1000)),
        ("B10", Place::Start(0), Act::Stall),
        ("B10", Place::Body(size / 2), Act::Stall),
        ("B10", Place::Body(size - 1), Act::Stall),
        ("B15", Place::Body(size / 2), Act::Flip),
    ] {
        let networks = bed.proxies();
        networks[0].apply(Rule::down(&request, after, act));
        let variables = Bed::through(&networks);
        let ended = bed
            .run("lob-import", &["--attempt-timeout", "1s"], &variables)
            .await;
        ended.with_status(0);
        assert_eq!(networks[0].struck(), 1, "{after:?} {act:?}");
        bed.assert_whole("lob-import").await;
        fault_fired(case);
    }
}
