//! The proxy passes bytes unchanged, and breaks, holds, slows and damages them on request.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use lob_testkit::proxy::{Act, Place, Proxy, Rule};
use lob_testkit::s3::{S3Options, S3Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A server that echoes what it gets, behind a proxy.
async fn echo() -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                // The proxy may reset the connection at any time.
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    Proxy::start(&format!("http://{address}/")).unwrap()
}

async fn connect(proxy: &Proxy) -> TcpStream {
    let endpoint = proxy.endpoint();
    TcpStream::connect(endpoint.strip_prefix("http://").unwrap())
        .await
        .unwrap()
}

async fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(bytes).await?;
    let mut reply = vec![0; bytes.len()];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

#[tokio::test]
async fn bytes_and_the_end_of_the_stream_pass_unchanged() {
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    let sent: Vec<u8> = (0..200_000).map(|i| (i % 251) as u8).collect();
    let (mut from, mut to) = stream.split();
    let mut got = Vec::new();
    let (sending, receiving) = tokio::join!(
        async {
            to.write_all(&sent).await?;
            to.shutdown().await
        },
        from.read_to_end(&mut got)
    );
    sending.unwrap();
    receiving.unwrap();
    assert!(got == sent);
}

#[tokio::test]
async fn refusing_resets_all_connections_until_the_proxy_passes_again() {
    let proxy = echo().await;
    let mut old = connect(&proxy).await;
    assert_eq!(exchange(&mut old, b"one").await.unwrap(), b"one");
    proxy.refuse();
    let error = old.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let mut new = connect(&proxy).await;
    let error = new.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    proxy.pass();
    let mut again = connect(&proxy).await;
    assert_eq!(exchange(&mut again, b"two").await.unwrap(), b"two");
}

#[tokio::test]
async fn even_a_momentary_refusal_resets_connections() {
    let proxy = echo().await;
    let mut old = connect(&proxy).await;
    exchange(&mut old, b"one").await.unwrap();
    proxy.refuse();
    proxy.pass();
    let error = old.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn bytes_are_held_while_dropping_and_delivered_once_the_proxy_passes() {
    let proxy = echo().await;
    let mut old = connect(&proxy).await;
    exchange(&mut old, b"one").await.unwrap();
    proxy.drop_all();
    let mut new = connect(&proxy).await;
    let patience = Duration::from_millis(100);
    for stream in [&mut old, &mut new] {
        stream.write_all(b"held").await.unwrap();
        timeout(patience, stream.read_u8()).await.unwrap_err();
    }
    // More than fits into the kernel's buffers is never accepted.
    let many = vec![0; 32 << 20];
    timeout(patience, connect(&proxy).await.write_all(&many))
        .await
        .unwrap_err();
    proxy.pass();
    for stream in [&mut old, &mut new] {
        let mut reply = [0; 4];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"held");
    }
}

#[tokio::test]
async fn the_uplink_limit_covers_all_connections_together() {
    let proxy = echo().await;
    proxy.limit_uplink(Some(200_000));
    let began = Instant::now();
    let (mut one, mut two) = (connect(&proxy).await, connect(&proxy).await);
    let bytes = vec![1; 30_000];
    let (first, second) = tokio::join!(exchange(&mut one, &bytes), exchange(&mut two, &bytes));
    assert!(first.unwrap() == bytes && second.unwrap() == bytes);
    assert!(began.elapsed() >= Duration::from_millis(300));
    proxy.limit_uplink(None);
    let many = vec![1; 60_000];
    assert!(exchange(&mut one, &many).await.unwrap() == many);
}

#[tokio::test]
async fn the_downlink_keeps_to_its_limit() {
    let proxy = echo().await;
    proxy.limit_downlink(Some(200_000));
    let began = Instant::now();
    let mut stream = connect(&proxy).await;
    let bytes = vec![1; 60_000];
    assert!(exchange(&mut stream, &bytes).await.unwrap() == bytes);
    assert!(began.elapsed() >= Duration::from_millis(300));
    proxy.limit_downlink(None);
    assert!(exchange(&mut stream, &bytes).await.unwrap() == bytes);
}

#[tokio::test]
async fn exactly_one_bit_of_the_next_request_is_flipped() {
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(exchange(&mut stream, b"first").await.unwrap(), b"first");
    proxy.apply(Rule::up("", Place::Start(20_000), Act::Flip));
    let sent = vec![0; 40_000];
    let mut damaged = sent.clone();
    damaged[20_000] = 1;
    // The echo answers while the request is still being sent; this must not confuse the proxy.
    assert!(exchange(&mut stream, &sent).await.unwrap() == damaged);
    assert!(exchange(&mut stream, &sent).await.unwrap() == sent);
}

#[tokio::test]
async fn a_reply_ends_stalls_or_grows_after_exactly_the_bytes_that_pass() {
    let proxy = echo().await;
    for (act, expected) in [
        (Act::Close, "abc"),
        (Act::Pad(2), "abcxxdef"),
        (Act::Stall, "abc"),
        (Act::Reset, "abc"),
    ] {
        let mut stream = connect(&proxy).await;
        proxy.apply(Rule::down("", Place::Start(3), act));
        stream.write_all(b"abcdef").await.unwrap();
        let mut reply = vec![0; expected.len()];
        if act != Act::Reset {
            stream.read_exact(&mut reply).await.unwrap();
            assert_eq!(reply, expected.as_bytes(), "{act:?}");
        }
        let next = timeout(Duration::from_millis(200), stream.read_u8()).await;
        match act {
            Act::Close => {
                let error = next.unwrap().unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            }
            Act::Reset => {
                let read = stream.read_to_end(&mut reply).await;
                let kind = next.unwrap().err().or(read.err()).map(|error| error.kind());
                assert_eq!(kind, Some(io::ErrorKind::ConnectionReset));
            }
            Act::Stall | Act::Pad(_) | Act::Flip => assert!(next.is_err(), "{act:?}"),
        }
    }
    assert_eq!(proxy.struck(), 4);
}

#[tokio::test]
async fn a_rule_waits_for_the_request_that_it_names() {
    let proxy = echo().await;
    proxy.apply(Rule::down("GET /b", Place::Body(1), Act::Flip));
    let mut stream = connect(&proxy).await;
    let other = b"GET /a HTTP/1.1\r\n\r\n00";
    assert_eq!(exchange(&mut stream, other).await.unwrap(), other);
    let named = b"GET /b HTTP/1.1\r\n\r\n00";
    let reply = exchange(&mut stream, named).await.unwrap();
    assert_eq!(reply, b"GET /b HTTP/1.1\r\n\r\n01");
    assert_eq!(exchange(&mut stream, named).await.unwrap(), named);
    assert_eq!(proxy.struck(), 1);
}

#[tokio::test]
async fn sliced_and_delayed_replies_arrive_unchanged() {
    let proxy = echo().await;
    proxy.slice();
    let delay = Duration::from_millis(50);
    proxy.delay(delay..2 * delay, 7);
    let begin = Instant::now();
    let mut stream = connect(&proxy).await;
    let sent: Vec<u8> = (0..1000).map(|i| (i % 251) as u8).collect();
    assert!(exchange(&mut stream, &sent).await.unwrap() == sent);
    assert!(begin.elapsed() >= delay);
}

#[tokio::test]
async fn requests_or_their_replies_get_lost_until_the_network_is_mended() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    proxy.break_requests(1, 1.0);
    let mut arrived = 0;
    for _ in 0..20 {
        let mut client = connect(&proxy).await;
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"request").await.unwrap();
        if server.read_exact(&mut [0; 7]).await.is_ok() {
            arrived += 1;
            server.write_all(b"reply").await.unwrap();
        }
        let error = client.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    assert!((1..20).contains(&arrived), "{arrived}");
    assert_eq!(proxy.mend(), 20);
    let mut client = connect(&proxy).await;
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"request").await.unwrap();
    server.read_exact(&mut [0; 7]).await.unwrap();
    server.write_all(b"reply").await.unwrap();
    client.read_exact(&mut [0; 5]).await.unwrap();
}

#[tokio::test]
async fn signed_requests_pass_and_the_server_refuses_damaged_ones() {
    let options = S3Options {
        buckets: vec!["lob-data".to_owned()],
        ..S3Options::default()
    };
    let server = S3Server::start(options).await.unwrap();
    let proxy = Proxy::start(&server.endpoint()).unwrap();
    let keys = Credentials::new(server.access_key(), server.secret_key(), None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(lob_testkit::http_client())
        .endpoint_url(proxy.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(keys)
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build();
    let client = Client::from_conf(config);
    let put = |key: &str| {
        let put = client.put_object().bucket("lob-data").key(key);
        put.body(vec![0; 100_000].into()).send()
    };
    put("whole").await.unwrap();
    proxy.apply(Rule::up("", Place::Start(50_000), Act::Flip));
    let refused = put("damaged").await.unwrap_err();
    assert_eq!(refused.code(), Some("XAmzContentSHA256Mismatch"));
    assert_eq!(server.keys("lob-data"), ["whole"]);
}
