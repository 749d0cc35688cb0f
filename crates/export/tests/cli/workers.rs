//! Several processes that share a run: whoever does what, each document is exported once and the
//! manifest is the same as that of a single process.

use lob_testkit::s3::{Moment, Operation, Verdict, first};
use serde_json::Value;

use crate::bed::{BUCKET, Bed, RUN, SMALL, assert_shown, is};

/// The manifest of one undisturbed process.
pub(crate) async fn undisturbed() -> Value {
    let bed = Bed::new().await;
    bed.export(&SMALL).await.expect(0);
    let manifest = bed.manifest();
    for split in manifest["splits"].as_array().unwrap() {
        assert_eq!(split["ranges"], 3);
        assert!(split["files"].as_array().unwrap().len() > 3, "{split:#}");
    }
    manifest
}

pub(crate) async fn planned() -> Bed {
    let bed = Bed::new().await;
    bed.export(&[&SMALL[..], &["plan"]].concat())
        .await
        .expect(0);
    bed
}

#[tokio::test]
async fn a_plan_prints_the_commands_of_its_workers() {
    let bed = Bed::new().await;
    let plan = [&SMALL[..], &["plan"]].concat();
    bed.export(&plan).await.expect(0);
    // Planning again does no harm.
    assert_shown!(bed.export(&plan).await, @r"
    exit status: 0
    ----- stdout -----
    run       run-1
    splits    2
      split_0_input: about 30 documents in 3 ranges
      split_1_input: about 20 documents in 3 ranges
    ranges    6
    work      lob-export work --run-id run-1 --worker K/N, for each K from 0 to N-1
    commit    lob-export commit --run-id run-1
    ----- stderr -----
    ");
    assert_eq!(bed.s3.keys(BUCKET), [format!("{RUN}/_progress/plan.json")]);
}

#[tokio::test]
async fn a_commit_refuses_an_object_that_is_not_the_one_of_its_record() {
    let bed = planned().await;
    bed.export(&["work"]).await.expect(0);
    let object = format!("{RUN}/split_0.parquet/part-00000-00000.parquet");
    bed.s3.put_raw(BUCKET, &object, "another");
    let told = bed.export(&["commit"]).await.expect(3).stderr;
    let reason = "does not match its record: its size, CRC64NVME or write token is different";
    assert!(told.contains(reason), "{told}");
    bed.assert_no_manifest();
}

#[tokio::test]
async fn splits_are_planned_together() {
    let bed = planned().await;
    let of_split = |split: u32| {
        let name = format!("split_{split}_input");
        let commands = bed.mongo.commands().into_iter();
        let commands = commands.filter(move |c| c.collection.as_deref() == Some(&name));
        commands.map(|command| command.number).collect::<Vec<_>>()
    };
    assert!(of_split(1).first() < of_split(0).last());
}

#[tokio::test]
async fn a_worker_reads_nothing_older_than_the_plan() {
    let bed = planned().await;
    let plan: Value = serde_json::from_slice(&bed.object("_progress/plan.json").bytes).unwrap();
    let newest = &plan["work"]["newest"];
    // A later write makes no difference to the run.
    bed.mongo
        .run(&bson::rawdoc! { "create": "later", "$db": "raw" });
    let before = bed.mongo.commands().len();
    bed.export(&["work"]).await.expect(0);
    let commands = bed.mongo.commands().into_iter().skip(before);
    let finds: Vec<_> = commands.filter(|command| command.name == "find").collect();
    assert!(finds.len() >= 6);
    for find in finds {
        let concern = find.arguments.get_document("readConcern").unwrap();
        let time = concern.get_timestamp("afterClusterTime").unwrap();
        assert_eq!(newest["seconds"], time.time);
        assert_eq!(newest["increment"], time.increment);
    }
}

#[tokio::test]
async fn two_workers_make_the_same_manifest_as_one_process() {
    let whole = undisturbed().await;
    let bed = planned().await;
    let (one, two) = tokio::join!(
        bed.export(&["work", "--worker", "0/2"]),
        bed.export(&["work", "--worker", "1/2"]),
    );
    for worker in [one, two] {
        let worker = worker.expect(0);
        assert!(worker.stdout.contains("ranges    3\n"));
    }
    bed.export(&["commit"]).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn workers_sharing_a_range_by_mistake_export_each_document_once() {
    let whole = undisturbed().await;
    let bed = planned().await;
    let workers = ["0/2", "1/2", "1/2"].map(async |worker| {
        let args = ["work", "--worker", worker, "--jobs", "3"];
        bed.export(&args).await.expect(0)
    });
    futures::future::join_all(workers).await;
    bed.export(&["commit"]).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn a_worker_killed_midway_can_be_restarted() {
    let whole = undisturbed().await;
    let bed = planned().await;
    bed.export(&["work", "--worker", "0/2"]).await.expect(0);
    let mut records = 0;
    let killed = bed.kill_at(&["work", "--worker", "1/2"], move |moment, request| {
        let is_record = request.operation == Operation::PutObject && request.key.ends_with(".json");
        records += usize::from(is_record && moment == Moment::Executed);
        records == 2
    });
    assert!(killed.await.is_some());
    assert_shown!(bed.export(&["commit"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: ranges are not exported yet: `split_0_input`: 1 of 3; `split_1_input`: 0, 2 of 3
    hint: `lob-export work --run-id run-1` exports them
    "#);
    bed.export(&["work", "--worker", "1/2"]).await.expect(0);
    bed.export(&["commit"]).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn the_tasks_of_an_array_job_share_a_run() {
    let whole = undisturbed().await;
    let bed = planned().await;
    for number in ["1", "2", "3"] {
        let task = [
            ("SLURM_ARRAY_TASK_ID", number),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
        ];
        let work = ["work", "--run-id", "run-1", "--json"];
        let output = bed.run_with(&work, &task).await.expect(0);
        let said: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(said["ranges"], 2);
    }
    bed.export(&["commit"]).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn resubmitted_single_tasks_export_what_is_left() {
    let whole = undisturbed().await;
    let bed = planned().await;
    bed.export(&["work", "--worker", "0/4"]).await.expect(0);
    for number in ["3", "7"] {
        let task = [
            ("SLURM_ARRAY_TASK_ID", number),
            ("SLURM_ARRAY_TASK_COUNT", "2"),
            ("SLURM_ARRAY_TASK_MIN", "3"),
            ("SLURM_ARRAY_TASK_MAX", "7"),
            ("SLURM_ARRAY_TASK_STEP", "1"),
        ];
        let work = ["work", "--run-id", "run-1"];
        bed.run_with(&work, &task).await.expect(0);
    }
    bed.export(&["commit"]).await.expect(0);
    bed.assert_whole(&whole);
}

#[tokio::test]
async fn workers_and_commits_need_a_plan() {
    let bed = Bed::new().await;
    assert_shown!(bed.export(&["work"]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: run `run-1` has no plan: `s3://lob-test/processed-splits/run-1/_progress/plan.json` does not exist
    hint: check --prefix, or plan it: `lob-export plan --run-id run-1`
    "#);
    assert_shown!(bed.run(&["commit"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: no run id is set
    hint: set --run-id or LOB_RUN_ID to the planned run
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn workers_that_probe_the_endpoint_simultaneously_do_not_fail() {
    let (status, code) = (409, "ConditionalRequestConflict");
    let refused = Verdict::Answer { status, code };
    let gate = first(2, Moment::Arrived, refused, |request| {
        is(
            request,
            Operation::CompleteMultipartUpload,
            "_progress/plan.json",
        )
    });
    let bed = Bed::gated(gate).await;
    bed.export(&SMALL).await.expect(0);
    bed.assert_whole(&undisturbed().await);
}
