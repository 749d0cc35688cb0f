//! The wall clock jumps while a tool runs, as when a machine wakes up or finds a time server.

use lob_testkit::preload::{FAULT, SystemFault};
use lob_tests::tool::Ended;

use crate::{Host, TOOLS, preload};

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_disturbs_no_tool() {
    let Some(preload) = preload() else {
        return;
    };
    let mut host = Host::new().await;
    for seconds in [-3600, 24 * 3600] {
        host.turn += 1;
        for tool in TOOLS {
            let jump = SystemFault {
                call: "clock_gettime",
                seconds,
                after: 5,
                ..FAULT
            };
            let mut command = host.tool(tool);
            let output = command.envs(preload.environment(jump)).output().await;
            Ended::from(output.unwrap()).with_status(0);
            assert!(preload.faults() > 0, "{tool} did not look at the clock");
            host.assert_right(tool).await;
        }
    }
    lob_testkit::fault_fired("C8");
}
