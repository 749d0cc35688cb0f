//! Other services that answer in place of S3, and stores that leave out what S3 returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lob_testkit::s3::{Moment, Operation, Request, Verdict};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::bed::Bed;

#[tokio::test]
async fn anything_that_answers_200_to_everything_is_not_taken_for_s3() {
    for (reply, told) in [
        (
            "200 OK\r\nContent-Type: text/html\r\nContent-Length: 9",
            "HTML",
        ),
        ("200 OK\r\nContent-Length: 0", "without an ETag"),
        ("204 No Content", "without an ETag"),
    ] {
        let bed = Bed::new().await;
        bed.feeds();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let text = format!("HTTP/1.1 {reply}\r\nConnection: close\r\n\r\n");
        let portal = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let count = client.read(&mut request).await.unwrap_or(0);
                let body = match request[..count].starts_with(b"HEAD") {
                    false if text.contains("html") => "<p>hi</p>",
                    _ => "",
                };
                let _ = client.write_all(format!("{text}{body}").as_bytes()).await;
            }
        });
        for args in [&[][..], &["--run-id", "run-1"], &["verify", "run-1"]] {
            let variables = [
                ("AWS_ENDPOINT_URL", "http://s3.nowhere.invalid:9000"),
                ("HTTP_PROXY", &format!("http://{address}")),
            ];
            let finished = bed.run_with(args, &variables).await;
            let stderr = finished.expect(1).stderr;
            for told in ["not an S3 server", told, "`HTTP_PROXY`"] {
                assert!(stderr.contains(told), "{reply} {args:?}: {stderr}");
            }
        }
        portal.abort();
    }
}

#[tokio::test]
async fn a_server_that_expects_tls_is_told_from_s3_after_a_few_attempts() {
    // As Go's servers do it: without any header.
    const REPLY: &str = "HTTP/1.0 400 Bad Request\r\n\r\n";
    const WHY: &str = "Client sent an HTTP request to an HTTPS server.\n";
    let bed = Bed::new().await;
    bed.feeds();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let server = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let _ = client.read(&mut [0; 4096]).await;
            let _ = client.write_all(format!("{REPLY}{WHY}").as_bytes()).await;
        }
    });
    let variables = [("AWS_ENDPOINT_URL", &*endpoint)];
    let stderr = bed.run_with(&[], &variables).await.expect(1).stderr;
    for told in ["not an S3 server", "status 400", "https://"] {
        assert!(stderr.contains(told), "{stderr}");
    }
    server.abort();
    let requests = requests.load(Ordering::Relaxed);
    assert!((2..=8).contains(&requests), "{requests} requests");
}

#[tokio::test]
async fn a_redirect_or_a_page_that_is_not_from_s3_blames_neither_region_nor_rights() {
    for (reply, told) in [
        (
            "301 Moved Permanently\r\nLocation: https://minio.example.org/lob?token=x",
            "it redirects to `https://minio.example.org/lob` (status 301)",
        ),
        ("302 Found\r\nLocation: /login", "it redirects to `/login`"),
        (
            "403 Forbidden\r\nContent-Type: text/html",
            "it answers with an HTML page",
        ),
    ] {
        let bed = Bed::new().await;
        bed.feeds();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let text = format!("HTTP/1.1 {reply}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let server = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let _ = client.read(&mut [0; 4096]).await;
                let _ = client.write_all(text.as_bytes()).await;
            }
        });
        let variables = [("AWS_ENDPOINT_URL", &*endpoint)];
        let stderr = bed.run_with(&[], &variables).await.expect(1).stderr;
        for told in ["not an S3 server", told, "check --endpoint-url"] {
            assert!(stderr.contains(told), "{reply}: {stderr}");
        }
        server.abort();
    }
}

#[tokio::test]
async fn a_proxy_that_limits_the_size_of_requests_is_named_by_what_to_raise() {
    let too_large = Verdict::Reply {
        status: 413,
        body: "<html><h1>413 Request Entity Too Large</h1></html>".into(),
    };
    let sends = |request: &Request| request.operation == Operation::UploadPart;
    let bed = replying(sends, too_large).await;
    let stderr = bed
        .run(&["--multipart-threshold", "5MiB"])
        .await
        .expect(1)
        .stderr;
    assert!(stderr.contains("client_max_body_size"), "{stderr}");
}

/// A bed whose server gives this verdict on the chosen requests once they are executed.
async fn replying(chosen: fn(&Request) -> bool, verdict: Verdict) -> Bed {
    let bed = Bed::gated(move |moment, request: &Request| {
        match moment == Moment::Executed && chosen(request) {
            true => verdict.clone(),
            false => Verdict::Pass,
        }
    })
    .await;
    bed.feeds();
    bed
}

#[tokio::test]
async fn a_truncated_list_without_a_continuation_is_an_error() {
    let cut = Verdict::Reply {
        status: 200,
        body: "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>".into(),
    };
    let bed = replying(|request| request.operation == Operation::ListObjectsV2, cut).await;
    let told = bed.run(&["latest"]).await.expect(3).stderr;
    assert!(told.contains("the list is cut off"), "{told}");

    let again = Verdict::Reply {
        status: 200,
        body: "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>\
               <NextKeyMarker>a</NextKeyMarker></ListMultipartUploadsResult>"
            .into(),
    };
    let listing = |request: &Request| request.operation == Operation::ListMultipartUploads;
    let bed = replying(listing, again).await;
    let told = bed.upload(&[]).await.expect(3).stderr;
    assert!(told.contains("the list is cut off"), "{told}");
}

#[tokio::test]
async fn a_404_without_a_code_means_that_the_upload_is_gone() {
    let gone = Verdict::Reply {
        status: 404,
        body: "".into(),
    };
    let listing = |request: &Request| request.operation == Operation::ListParts;
    let bed = replying(listing, gone).await;
    bed.upload(&[]).await.expect(0);
}

#[tokio::test]
async fn a_store_that_rejects_the_checksum_header_on_head_is_asked_without_it() {
    let refused = Verdict::Answer {
        status: 501,
        code: "NotImplemented",
    };
    let asks = |request: &Request| {
        request.operation == Operation::HeadObject
            && request.header("x-amz-checksum-mode").is_some()
    };
    let bed = replying(asks, refused).await;
    let told = bed.run(&["--run-id", "run-1"]).await.expect(0).stderr;
    assert!(told.contains("reports no CRC64NVME"), "{told}");
}

#[tokio::test]
async fn whatever_a_store_leaves_out_is_named() {
    let head: fn(&Request) -> bool =
        |request| request.operation == Operation::HeadObject && request.status == Some(200);
    let part: fn(&Request) -> bool = |request| request.operation == Operation::UploadPart;
    for (chosen, header, told) in [
        (
            head,
            "content-length",
            "does not say how large the object is",
        ),
        (
            head,
            "x-amz-meta-lob-token",
            "does not keep object metadata",
        ),
        (part, "etag", "without an ETag"),
    ] {
        let bed = replying(chosen, Verdict::Without(header)).await;
        let stderr = bed.upload(&[]).await.expect(1).stderr;
        assert!(stderr.contains(told), "{header}: {stderr}");
    }
}
