//! Redirects to another host: nothing is sent there.

use std::io::ErrorKind;
use std::net::TcpListener;

use lob_testkit::fault_fired;
use lob_testkit::s3::{Moment, Request, Verdict};

use crate::bed::Bed;

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("http://{}/", elsewhere.local_addr().unwrap());
    for (status, code) in [(301, "PermanentRedirect"), (307, "TemporaryRedirect")] {
        let header = ("location", location.clone());
        let bed = Bed::gated(move |_: Moment, _: &Request| Verdict::AnswerWith {
            status,
            code,
            header: header.clone(),
        })
        .await;
        bed.feeds();
        let finished = bed.upload(&[]).await.expect(1);
        let told = &finished.stderr;
        assert!(told.contains("--region"), "{told}");
        let refused = bed.s3.requests();
        assert!(refused.iter().all(|request| request.status == Some(status)));
        assert!(!refused.is_empty() && bed.s3.keys("lob-test").is_empty());
    }
    let error = elsewhere.accept().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    fault_fired("A19");
}
