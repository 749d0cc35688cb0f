//! Into how many ranges a split is cut if nobody says.

use bson::spec::BinarySubtype;
use bson::{Binary, rawdoc};
use lob_testkit::mongo::MongoOptions;

use crate::bed::{BUCKET, Bed};

#[tokio::test]
async fn a_split_is_cut_for_the_jobs_of_one_command_but_not_for_those_of_workers() {
    let bed = Bed::with(MongoOptions::default()).await;
    let document = |id: i32| {
        let subtype = BinarySubtype::Generic;
        let bytes = vec![id as u8; 1 << 20];
        rawdoc! { "_id": id, "bytes": Binary { subtype, bytes } }
    };
    // Enough for two ranges, not for three.
    let documents = (0..272).map(document);
    bed.mongo.load("raw", "split_0_input", documents).unwrap();
    for (run, args, ranges) in [
        ("for-jobs", &[][..], 2),
        ("by-size", &["--range-size", "1GiB"], 1),
        ("for-workers", &["plan"], 1),
    ] {
        let args = [args, &["--run-id", run]].concat();
        let ended = bed.run_with(&args, &[("LOB_EXPORT_JOBS", "3")]).await;
        ended.expect(0);
        let plan = format!("processed-splits/{run}/_progress/plan.json");
        let plan = bed.s3.object(BUCKET, &plan).unwrap().bytes;
        let plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
        let planned = plan["work"]["splits"][0]["ranges"].as_array().unwrap();
        assert_eq!(planned.len(), ranges, "{run}");
    }
}
