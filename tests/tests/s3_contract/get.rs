//! Reads of objects, and of objects that do not exist.

use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use lob_testkit::s3::crc64nvme;

use crate::server::{Server, body, outcome};

#[tokio::test]
async fn an_object_comes_back_with_its_bytes_metadata_and_checksum() {
    let server = Server::start().await;
    for (key, bytes) in [("run/a b/ü+.parquet", &b"hello"[..]), ("empty", b"")] {
        let put = server.put_object(key).body(body(bytes));
        let put = put
            .metadata("token", "t1")
            .checksum_crc64_nvme(crc64nvme(bytes));
        let sent = put.send().await.unwrap();
        let got = server.get_object(key).send().await.unwrap();
        let head = server.head_object(key);
        let head = head
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();

        assert_eq!(sent.e_tag, head.e_tag);
        assert_eq!(sent.e_tag, got.e_tag);
        assert_eq!(head.content_length, Some(bytes.len() as i64));
        assert_eq!(head.checksum_crc64_nvme, Some(crc64nvme(bytes)));
        assert_eq!(head.checksum_type, Some(ChecksumType::FullObject));
        assert_eq!(head.metadata.unwrap()["token"], "t1");
        assert_eq!(got.body.collect().await.unwrap().to_vec(), bytes);
    }
    let head = server.head_object("run/a b/ü+.parquet");
    let head = head.send().await.unwrap();
    assert_eq!(
        head.e_tag.as_deref(),
        Some("\"5d41402abc4b2a76b9719d911017c592\"")
    );
    assert_eq!(head.checksum_crc64_nvme, None);
}

#[tokio::test]
async fn reads_return_ranges_and_notice_a_replaced_object() {
    let server = Server::start().await;
    server.put("k", b"0123456789").await;
    let get = || server.get_object("k");
    for (range, bytes, shown) in [
        ("bytes=2-4", &b"234"[..], "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=7-99", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
    ] {
        let reply = get().range(range).send().await.unwrap();
        assert_eq!(reply.content_range.as_deref(), Some(shown));
        assert_eq!(reply.content_length, Some(bytes.len() as i64));
        assert_eq!(reply.body.collect().await.unwrap().to_vec(), bytes);
    }
    assert_eq!(
        outcome(get().range("bytes=10-").send().await),
        "416 InvalidRange"
    );
    let etag = get().send().await.unwrap().e_tag.unwrap();
    assert_eq!(
        outcome(get().if_match(&etag).range("bytes=5-").send().await),
        "ok"
    );
    server.put("k", b"other").await;
    assert_eq!(
        outcome(get().if_match(etag).send().await),
        "412 PreconditionFailed"
    );
}

#[tokio::test]
async fn errors_name_what_is_missing() {
    let server = Server::start().await;
    let client = &server.client;
    let (bucket, id) = (&server.bucket, "00000000-not-an-upload");
    let get = client.get_object().bucket(bucket).key("k").send().await;
    assert_eq!(outcome(get), "404 NoSuchKey");
    let get = client
        .get_object()
        .bucket("no-such-bucket")
        .key("k")
        .send()
        .await;
    assert_eq!(outcome(get), "404 NoSuchBucket");
    let put = client
        .put_object()
        .bucket("no-such-bucket")
        .key("k")
        .send()
        .await;
    assert_eq!(outcome(put), "404 NoSuchBucket");
    let list = client
        .list_objects_v2()
        .bucket("no-such-bucket")
        .send()
        .await;
    assert_eq!(outcome(list), "404 NoSuchBucket");
    let head = client.head_bucket().bucket("no-such-bucket").send().await;
    assert_eq!(outcome(head), "404 NotFound");
    assert_eq!(
        outcome(client.head_bucket().bucket(bucket).send().await),
        "ok"
    );
    let parts = client
        .list_parts()
        .bucket(bucket)
        .key("k")
        .upload_id(id)
        .send()
        .await;
    assert_eq!(outcome(parts), "404 NoSuchUpload");
    let part = client
        .upload_part()
        .bucket(bucket)
        .key("k")
        .upload_id(id)
        .part_number(1);
    assert_eq!(
        outcome(part.body(body(b"x")).send().await),
        "404 NoSuchUpload"
    );
    let delete = client.delete_object().bucket(bucket).key("k").send().await;
    assert_eq!(outcome(delete), "ok");
}
