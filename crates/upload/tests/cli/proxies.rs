//! Proxies from the environment: S3 is reached through them, and whatever stands in the way is
//! named.

use lob_testkit::fault_fired;
use lob_testkit::http_proxy::HttpProxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::bed::{Bed, Finished};

/// No resolver knows it.
const NAME: &str = "s3.nowhere.invalid";

/// An upload to [`NAME`] with these variables.
async fn upload(bed: &Bed, scheme: &str, variables: &[(&str, &str)]) -> Finished {
    let endpoint = format!("{scheme}://{NAME}:9000");
    let args = ["--run-id", "run-1", "--json", "--endpoint-url", &endpoint];
    bed.run_with(&args, variables).await
}

async fn proxy(bed: &Bed, port: u16, login: Option<&str>) -> HttpProxy {
    let authority = format!("{NAME}:{port}");
    let started = HttpProxy::start(&authority, &bed.s3.endpoint(), login).await;
    started.unwrap()
}

#[tokio::test]
async fn an_endpoint_that_only_the_proxy_can_resolve_works() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let proxy = proxy(&bed, 9000, Some("user:pass word")).await;
    let url = format!("http://user:pass%20word@{}", proxy.address());
    let variables = [("HTTP_PROXY", url.as_str()), ("NO_PROXY", "example.com")];
    let finished = upload(&bed, "http", &variables).await.expect(0);
    assert!(!finished.stderr.contains("pass"), "{}", finished.stderr);
    bed.assert_whole(&feeds);
    assert_eq!(proxy.seen().len(), bed.s3.requests().len());
}

#[tokio::test]
async fn https_goes_through_a_proxy_tunnel() {
    let bed = Bed::new().await;
    bed.feeds();
    let proxy = proxy(&bed, 9000, None).await;
    let url = proxy.address().to_string();
    // The server does not speak TLS: the tunnel works, but the handshake inside it fails.
    let finished = upload(&bed, "https", &[("https_proxy", &url)]).await;
    let finished = finished.expect(1);
    assert_eq!(proxy.seen()[0], format!("CONNECT {NAME}:9000"));
    assert!(!finished.stderr.contains("tunnel"), "{}", finished.stderr);
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_is_named() {
    for (scheme, variable) in [("http", "HTTP_PROXY"), ("https", "ALL_PROXY")] {
        let bed = Bed::new().await;
        bed.feeds();
        let proxy = proxy(&bed, 9000, Some("user:pass")).await;
        let url = format!("http://user:wrong@{}", proxy.address());
        let finished = upload(&bed, scheme, &[(variable, &url)]).await.expect(1);
        for told in ["proxy", "user and password into its URL"] {
            assert!(finished.stderr.contains(told), "{}", finished.stderr);
        }
        assert!(!finished.stderr.contains("wrong"), "{}", finished.stderr);
        assert_eq!(proxy.seen().len(), 1, "{}", finished.stderr);
    }
    fault_fired("B18");
}

#[tokio::test]
async fn a_proxy_that_refuses_a_tunnel_is_named_after_a_few_attempts() {
    let bed = Bed::new().await;
    bed.feeds();
    let proxy = proxy(&bed, 9001, None).await;
    let url = format!("http://{}", proxy.address());
    let finished = upload(&bed, "https", &[("HTTPS_PROXY", &url)]).await;
    let finished = finished.expect(1);
    for told in ["could not connect through the proxy", "NO_PROXY"] {
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
    }
    assert_eq!(proxy.seen().len(), 4);
}

#[tokio::test]
async fn a_broken_proxy_is_blamed_instead_of_the_server() {
    let refused =
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>no</p>";
    for reply in [
        None,
        Some(""),
        Some("SSH-2.0-OpenSSH_9.2\r\n"),
        Some(refused),
    ] {
        for (scheme, variable) in [("http", "HTTP_PROXY"), ("https", "ALL_PROXY")] {
            let bed = Bed::new().await;
            bed.feeds();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let proxy = tokio::spawn(async move {
                while let (Some(reply), Ok((mut client, _))) = (reply, listener.accept().await) {
                    let _ = client.read(&mut [0; 4096]).await;
                    let _ = client.write_all(reply.as_bytes()).await;
                }
            });
            let url = format!("http://user:opensesame@{address}");
            let finished = upload(&bed, scheme, &[(variable, &url)]).await.expect(1);
            proxy.abort();
            let stderr = &finished.stderr;
            let named = format!("the proxy {address} from `{variable}`");
            for told in [&named, &format!("hint: check {named}")] {
                assert!(stderr.contains(told), "{scheme} {reply:?}: {stderr}");
            }
            assert!(!stderr.contains("check that the server"), "{stderr}");
            assert_eq!(bed.operations(), []);
        }
    }
}

#[tokio::test]
async fn no_proxy_hosts_and_this_machine_are_reached_directly() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let proxy = proxy(&bed, 9000, None).await;
    let url = format!("http://{}", proxy.address());
    let args = ["--run-id", "run-1"];
    bed.run_with(&args, &[("ALL_PROXY", &url)]).await.expect(0);
    bed.assert_whole(&feeds);
    let variables = [("ALL_PROXY", url.as_str()), ("NO_PROXY", ".invalid")];
    upload(&bed, "http", &variables).await.expect(1);
    assert_eq!(proxy.seen(), [""; 0]);
}

#[tokio::test]
async fn an_invalid_proxy_is_a_usage_error_that_names_its_variable() {
    let bed = Bed::new().await;
    bed.feeds();
    for (variable, value, scheme) in [
        (
            "all_proxy",
            "socks5://user:opensesame@127.0.0.1:1080",
            "http",
        ),
        (
            "HTTP_PROXY",
            "\"http://user:opensesame@127.0.0.1:3128\"",
            "http",
        ),
        (
            "HTTPS_PROXY",
            "http://user:open\nsesame@127.0.0.1:3128",
            "https",
        ),
        ("NO_PROXY", "'opensesame.example.com,.example.com'", "http"),
    ] {
        let finished = upload(&bed, scheme, &[(variable, value)]).await.expect(2);
        let stderr = &finished.stderr;
        assert!(stderr.contains(&format!("`{variable}`")), "{stderr}");
        assert!(!stderr.contains("sesame"), "{stderr}");
    }
}

#[tokio::test]
async fn proxy_variables_mean_the_same_for_every_request() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let proxy = proxy(&bed, 9000, None).await;
    let url = format!("http://{}", proxy.address());
    let through = [
        ("HTTP_PROXY", ""),
        ("http_proxy", &url),
        ("HTTPS_PROXY", "socks5://127.0.0.1:1"),
        ("REQUEST_METHOD", "GET"),
        ("NO_PROXY", ""),
    ];
    upload(&bed, "http", &through).await.expect(0);
    bed.assert_whole(&feeds);

    // This machine needs no proxy, whatever the variables say.
    let socks = [("ALL_PROXY", "socks5://127.0.0.1:1")];
    let near = bed.run_with(&["verify", "run-1"], &socks).await;
    near.expect(0);

    let seen = proxy.seen().len();
    for exceptions in ["a.example .invalid.", "example.com\ts3.nowhere.invalid"] {
        let around = [("http_proxy", url.as_str()), ("no_proxy", exceptions)];
        upload(&bed, "http", &around).await.expect(1);
    }
    assert_eq!(proxy.seen().len(), seen);
}
