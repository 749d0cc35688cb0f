//! Too few file descriptors: a tool does its work with what it gets, or says what it lacks.

use lob_tests::tool::Ended;

use crate::Host;

#[tokio::test(flavor = "multi_thread")]
async fn exports_and_imports_without_descriptors_say_so_and_publish_nothing() {
    let mut host = Host::new().await;
    for tool in ["lob-export", "lob-import"] {
        let mut refused = 0;
        for limit in 9..20 {
            host.turn += 1;
            let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
            let mut command = host.through_shell(&script, tool);
            command.args(["--retry-timeout", "200ms"]);
            command.args(["--mongodb-retry-timeout", "200ms"]);
            command.args(["--mongodb-server-selection-timeout", "1s"]);
            let ended = Ended::from(command.output().await.unwrap());
            if ended.status == Some(0) {
                host.assert_right(tool).await;
                continue;
            }
            refused += 1;
            let told = &ended.stderr;
            assert!(matches!(ended.status, Some(1 | 4)), "{limit}: {told}");
            assert!(told.contains("(os error 24)"), "{limit}: {told}");
            assert!(told.contains("ulimit -n"), "{limit}: {told}");
            host.assert_can_be_done(tool).await;
        }
        assert!(refused > 0, "{tool} needs no descriptor");
    }
    lob_testkit::fault_fired("C6");
}
