//! Listings of objects, of open uploads, and of their parts.

use std::time::SystemTime;

use lob_testkit::s3::crc64nvme;

use crate::server::Server;

#[tokio::test]
async fn open_uploads_of_a_key_are_listed_in_pages() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(server.create("run/k").await.id);
    }
    server.create("run/other").await;
    let mut found = Vec::new();
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let list = server
            .client
            .list_multipart_uploads()
            .bucket(&server.bucket)
            .prefix("run/k");
        let list = list
            .max_uploads(2)
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker);
        let reply = list.send().await.unwrap();
        assert!(
            reply
                .uploads()
                .iter()
                .all(|upload| upload.key() == Some("run/k"))
        );
        found.extend(
            reply
                .uploads()
                .iter()
                .filter_map(|upload| upload.upload_id.clone()),
        );
        if reply.is_truncated() != Some(true) {
            break;
        }
        (key_marker, id_marker) = (reply.next_key_marker, reply.next_upload_id_marker);
    }
    found.sort_unstable();
    ids.sort_unstable();
    assert_eq!(found, ids);
}

#[tokio::test]
async fn objects_are_listed_in_order_in_pages_and_by_folder() {
    let server = Server::start().await;
    let keys = [
        "a",
        "run/1.parquet",
        "run/_progress/plan.json",
        "run/_progress/z",
        "run/b",
        "z",
    ];
    for key in keys {
        server.put(key, key.as_bytes()).await;
    }
    for (prefix, delimiter, expected) in [
        ("", None, keys.to_vec()),
        ("run/", None, keys[1..5].to_vec()),
        (
            "run/",
            Some("/"),
            vec!["run/1.parquet", "run/_progress/", "run/b"],
        ),
        ("none/", None, vec![]),
    ] {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let list = server
                .client
                .list_objects_v2()
                .bucket(&server.bucket)
                .prefix(prefix);
            let list = list.set_delimiter(delimiter.map(str::to_owned)).max_keys(1);
            let reply = list.set_continuation_token(token).send().await.unwrap();
            assert!(reply.contents().len() + reply.common_prefixes().len() <= 1);
            for object in reply.contents() {
                let key = object.key().unwrap();
                assert_eq!(object.size(), Some(key.len() as i64));
                found.push(key.to_owned());
            }
            found.extend(
                reply
                    .common_prefixes()
                    .iter()
                    .filter_map(|folder| folder.prefix.clone()),
            );
            if reply.is_truncated() != Some(true) {
                break;
            }
            token = reply.next_continuation_token;
        }
        assert_eq!(found, expected, "{prefix} {delimiter:?}");
    }
}

#[tokio::test]
async fn every_part_is_listed_with_size_etag_and_crc_in_pages_of_any_size() {
    let server = Server::start().await;
    let upload = server.create("k").await;
    let contents: [&[u8]; 5] = [b"one", b"two", b"three", b"", b"five"];
    let numbers = [1, 2, 3, 7, 10_000];
    let mut sent = Vec::new();
    for (number, bytes) in numbers.into_iter().zip(contents) {
        let part = upload.part(number, bytes).await;
        let size = i64::try_from(bytes.len()).ok();
        sent.push((Some(number), size, part.e_tag, Some(crc64nvme(bytes))));
    }
    for page in [1, 2, 4, 5, 1000] {
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let list = server
                .client
                .list_parts()
                .bucket(&server.bucket)
                .key("k")
                .upload_id(&upload.id)
                .max_parts(page)
                .set_part_number_marker(marker);
            let reply = list.send().await.unwrap();
            found.extend(reply.parts().iter().map(|part| {
                let crc = part.checksum_crc64_nvme.clone();
                (part.part_number, part.size, part.e_tag.clone(), crc)
            }));
            if reply.is_truncated() != Some(true) {
                break;
            }
            marker = reply.next_part_number_marker;
        }
        assert_eq!(found, sent, "pages of {page}");
    }
}

#[tokio::test]
async fn a_key_used_as_prefix_finds_all_its_open_uploads_with_their_times() {
    let server = Server::start().await;
    let mut ids = vec![
        server.create("run/k").await.id,
        server.create("run/k").await.id,
    ];
    server.create("run/k.old").await;
    let list = server
        .client
        .list_multipart_uploads()
        .bucket(&server.bucket)
        .prefix("run/k");
    let reply = list.send().await.unwrap();
    // MinIO treats the prefix as a whole key; S3 finds the longer key as well.
    assert_eq!(reply.uploads().len(), server.either(3, 2));
    let of_key = reply.uploads().iter().filter(|u| u.key() == Some("run/k"));
    let now = i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let mut found: Vec<_> = of_key
        .map(|upload| {
            let age = now - upload.initiated().unwrap().secs();
            assert!((-60..60).contains(&age), "{age}");
            upload.upload_id().unwrap()
        })
        .collect();
    found.sort_unstable();
    ids.sort_unstable();
    assert_eq!(found, ids);
}
