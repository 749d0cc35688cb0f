//! Workers that share a run, one too many and one killed, export what a single process exports.

use std::os::unix::process::ExitStatusExt as _;

use lob_tests::kills::{assert_in_time, moments, undisturbed};
use lob_tests::servers::Servers;
use lob_tests::tool::Ended;

use crate::export::{arguments, assert_is_whole, manifest};
use crate::{assert_imports, fill};

#[tokio::test(flavor = "multi_thread")]
async fn colliding_and_killed_workers_export_what_one_process_does() {
    let servers = Servers::start().await;
    let splits = fill(&servers).await;
    let time = undisturbed(&servers, "lob-export", &arguments("whole")).await;
    let whole = manifest(&servers, "whole").await;

    let mut killed = 0;
    for (number, moment) in moments(time).into_iter().enumerate() {
        let run = format!("shared-{number}");
        let plan = [&arguments(&run)[..], &["plan"]].concat();
        servers.run("lob-export", &plan).await.with_status(0);
        // The third gets the same number as the first.
        let work = ["0/2", "1/2", "0/2"].map(|worker| {
            let work = ["work", "--worker", worker];
            [&arguments(&run)[..], &work].concat()
        });
        let mut workers = work
            .each_ref()
            .map(|work| servers.spawn("lob-export", work));
        tokio::time::sleep(moment).await;
        let _ = workers[number % 3].start_kill().is_ok();
        for (place, worker) in workers.into_iter().enumerate() {
            let ended = worker.wait_with_output().await.unwrap();
            if place == number % 3 {
                killed += u32::from(ended.status.signal().is_some());
                let again = servers.run("lob-export", &work[place]).await;
                again.with_status(0);
            } else {
                Ended::from(ended).with_status(0);
            }
        }
        let commit = [&arguments(&run)[..], &["commit"]].concat();
        servers.run("lob-export", &commit).await.with_status(0);
        assert_eq!(manifest(&servers, &run).await, whole, "{run}, {moment:?}");
        assert_is_whole(&servers, &run).await;
        assert_imports(&servers, &run, &splits).await;
    }
    assert_in_time(killed);
}
