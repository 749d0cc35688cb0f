//! Networks that are slow in every way but work: nothing fails, and every byte is right.

use std::time::{Duration, Instant};

use lob_testkit::fault_fired;
use lob_testkit::proxy::Proxy;
use lob_tests::servers::Gates;

use crate::Bed;

impl Bed {
    /// Networks in front of S3 and MongoDB.
    pub(crate) fn proxies(&self) -> [Proxy; 2] {
        let mongodb = self.servers.mongodb_uri.split('/').nth(2).unwrap();
        [self.servers.s3_endpoint.as_str(), mongodb].map(|upstream| Proxy::start(upstream).unwrap())
    }

    /// The variables that lead a tool through these networks.
    pub(crate) fn through([s3, mongodb]: &[Proxy; 2]) -> [(&'static str, String); 2] {
        let mongodb = mongodb.endpoint().replace("http://", "");
        // A connection to one server only, even if it names others.
        let mongodb = format!("mongodb://{mongodb}/?directConnection=true");
        [
            ("AWS_ENDPOINT_URL", s3.endpoint()),
            ("MONGODB_URI", mongodb),
        ]
    }
}

/// Uploads, exports and imports over networks that are slow in this way, with the time of an attempt
/// scaled down.
async fn out_and_back(slow: impl Fn(&Proxy)) -> Duration {
    let bed = Bed::small(Gates::default()).await;
    let networks = bed.proxies();
    networks.iter().for_each(slow);
    let begin = Instant::now();
    for tool in ["lob-upload", "lob-export", "lob-import"] {
        let attempts = ["--attempt-timeout", "2s"];
        let ended = bed.run(tool, &attempts, &Bed::through(&networks)).await;
        let log = ended.with_status(0).stderr;
        assert!(!log.contains("s3 request failed"), "{tool}: {log}");
        bed.assert_whole(tool).await;
    }
    for network in &networks {
        assert!(network.hindered() >= 20, "{}", network.hindered());
    }
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_latency_that_varies_makes_nothing_fail() {
    // A tenth of 2 s, give or take 1 s.
    let (least, most) = (Duration::from_millis(100), Duration::from_millis(300));
    let time = out_and_back(|proxy| proxy.delay(least..most, 5)).await;
    assert!(time >= 20 * least, "{time:?}");
    fault_fired("B12");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_64_kib_per_second_makes_nothing_fail() {
    const RATE: u64 = 64 << 10;
    let time = out_and_back(|proxy| {
        proxy.limit_uplink(Some(RATE));
        proxy.limit_downlink(Some(RATE));
    })
    .await;
    assert!(time >= Duration::from_secs(2), "{time:?}");
    fault_fired("B13");
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_of_one_byte_make_nothing_fail() {
    out_and_back(Proxy::slice).await;
    fault_fired("B14");
}
