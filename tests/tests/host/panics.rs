//! A panic in any task is an error of the run: never a hang, and never a success with less.

use std::time::Duration;

use lob_testkit::preload::{FAULT, SystemFault};
use lob_tests::tool::Ended;

use crate::{Host, TOOLS, preload};

/// The error after which no thread starts, and whatever needs one panics.
const EPERM: i32 = 1;
/// Longer than any run takes: it hangs.
const HANGS: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_cannot_start_fails_the_run_wherever_it_is_needed() {
    let Some(preload) = preload() else {
        return;
    };
    let mut host = Host::new().await;
    for tool in TOOLS {
        let mut panics = 0;
        let workers = std::thread::available_parallelism().unwrap().get() as u32;
        // A tool first tries whether it may have its workers and four more, and ends the threads
        // again, so a limit on them strikes there. The workers themselves start.
        let tried = workers + 4;
        for after in (0..tried).chain(tried + workers..) {
            host.turn += 1;
            let limited = SystemFault {
                call: "pthread_create",
                errno: EPERM,
                after,
                ..FAULT
            };
            let mut command = host.tool(tool);
            let output = command.envs(preload.environment(limited)).output();
            // It panics if the run hangs.
            let output = tokio::time::timeout(HANGS, output).await.unwrap();
            let ended = Ended::from(output.unwrap());
            if ended.status == Some(0) {
                host.assert_right(tool).await;
                if preload.faults() == 0 {
                    break;
                }
                continue;
            }
            assert!(preload.faults() > 0, "{}", ended.stderr);
            assert!(ended.status.is_some(), "{after}: {}", ended.stderr);
            let is_told = ended.stderr.contains("the system does not allow the");
            assert_eq!(is_told, after < tried, "{after}: {}", ended.stderr);
            panics += usize::from(ended.stderr.contains("panicked"));
            println!("{tool} {after}: {:?}\n{}", ended.status, ended.stderr);
            host.assert_can_be_done(tool).await;
        }
        assert!(panics > 0, "nothing of {tool} panicked");
    }
    lob_testkit::fault_fired("C12");
}
