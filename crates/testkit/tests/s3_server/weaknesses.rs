//! Each weakness makes the server deviate from S3 as documented, and in no other way.

use std::fmt::Debug;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput;
use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::operation::upload_part::builders::UploadPartFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};
use lob_testkit::s3::{Checksums, Conditions, S3Options, S3Server, Weaknesses, crc64nvme};

use crate::{BUCKET, put, start};

const HELLO: &[u8] = b"hello";
const WRONG_CRC: &str = "AAAAAAAAAAA=";

async fn weak(weaknesses: Weaknesses) -> (S3Server, Client) {
    start(S3Options {
        weaknesses,
        ..S3Options::default()
    })
    .await
}

async fn with_conditions(conditions: Conditions) -> (S3Server, Client) {
    weak(Weaknesses {
        conditions,
        ..Weaknesses::default()
    })
    .await
}

async fn with_checksums(checksums: Checksums) -> (S3Server, Client) {
    weak(Weaknesses {
        checksums,
        ..Weaknesses::default()
    })
    .await
}

/// The error code of a failed request.
fn code<T: Debug, E: ProvideErrorMetadata + Debug>(result: Result<T, SdkError<E>>) -> String {
    result.unwrap_err().code().unwrap_or("-").to_owned()
}

/// Puts `hello` as `k`.
fn put_hello(client: &Client) -> PutObjectFluentBuilder {
    let put = client.put_object().bucket(BUCKET).key("k");
    put.body(ByteStream::from_static(HELLO))
}

/// Looks at `k`, with its checksum.
async fn head(client: &Client) -> HeadObjectOutput {
    let head = client.head_object().bucket(BUCKET).key("k");
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await;
    head.unwrap()
}

/// The only part of an upload: `hello`.
fn upload_part(client: &Client, key: &str, id: &str) -> UploadPartFluentBuilder {
    let part = client.upload_part().bucket(BUCKET).key(key).upload_id(id);
    part.part_number(1).body(ByteStream::from_static(HELLO))
}

/// Completes an upload with its only part.
fn complete(
    client: &Client,
    key: &str,
    id: &str,
    part: CompletedPart,
) -> CompleteMultipartUploadFluentBuilder {
    let list = CompletedMultipartUpload::builder().parts(part).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key(key);
    complete.upload_id(id).multipart_upload(list)
}

/// Uploads `hello` as one part without a checksum, if `key` does not exist; returns the part's ETag
/// too.
async fn upload_plain(client: &Client, key: &str) -> (String, CompleteMultipartUploadOutput) {
    let create = client.create_multipart_upload().bucket(BUCKET).key(key);
    let id = create.send().await.unwrap().upload_id.unwrap();
    let part = upload_part(client, key, &id).send().await.unwrap();
    let etag = part.e_tag.unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(&etag).build();
    let completed = complete(client, key, &id, part).if_none_match("*").send();
    (etag, completed.await.unwrap())
}

#[tokio::test]
async fn conditions_can_be_ignored_as_old_servers_do() {
    let (server, client) = with_conditions(Conditions::Ignored).await;
    put(&client, "k", b"first").await.unwrap();
    put(&client, "k", b"other").await.unwrap();
    assert_eq!(server.object(BUCKET, "k").unwrap().bytes.as_ref(), b"other");
    let stale = client
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .if_match("\"0\"");
    stale.send().await.unwrap();
    upload_plain(&client, "k").await;
    assert_eq!(server.object(BUCKET, "k").unwrap().bytes.as_ref(), HELLO);
}

#[tokio::test]
async fn conditions_can_be_ignored_on_complete_only() {
    let (server, client) = with_conditions(Conditions::IgnoredOnComplete).await;
    put(&client, "k", b"first").await.unwrap();
    let refused = put(&client, "k", b"other").await.unwrap_err();
    assert_eq!(refused.as_deref(), Some("PreconditionFailed"));
    upload_plain(&client, "k").await;
    assert_eq!(server.object(BUCKET, "k").unwrap().bytes.as_ref(), HELLO);
}

#[tokio::test]
async fn checksums_can_be_silently_ignored() {
    let (server, client) = with_checksums(Checksums::Ignored).await;
    let sent = put_hello(&client)
        .checksum_crc64_nvme(WRONG_CRC)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.checksum_crc64_nvme, None);
    let head = head(&client).await;
    assert_eq!((head.checksum_crc64_nvme, head.checksum_type), (None, None));

    let create = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("parts")
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .checksum_type(ChecksumType::FullObject)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (create.checksum_algorithm, create.checksum_type),
        (None, None)
    );
    let id = create.upload_id.unwrap();
    let part = upload_part(&client, "parts", &id)
        .checksum_crc64_nvme(WRONG_CRC)
        .send()
        .await
        .unwrap();
    assert_eq!(part.checksum_crc64_nvme, None);
    let list = client
        .list_parts()
        .bucket(BUCKET)
        .key("parts")
        .upload_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(list.checksum_algorithm(), None);
    assert_eq!(list.parts()[0].checksum_crc64_nvme(), None);
    let told = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag)
        .checksum_crc64_nvme(WRONG_CRC)
        .build();
    let done = complete(&client, "parts", &id, told)
        .checksum_crc64_nvme(WRONG_CRC)
        .checksum_type(ChecksumType::FullObject)
        .mpu_object_size(6)
        .send()
        .await
        .unwrap();
    assert_eq!(done.checksum_crc64_nvme, None);
    assert_eq!(server.object(BUCKET, "parts").unwrap().crc64nvme, None);
}

#[tokio::test]
async fn content_md5_is_checked_even_if_checksums_are_not() {
    for checksums in [Checksums::Ignored, Checksums::Refused] {
        let (server, client) = with_checksums(checksums).await;
        let sent = put_hello(&client)
            .content_md5("AAAAAAAAAAAAAAAAAAAAAA==")
            .send()
            .await;
        assert_eq!(code(sent), "BadDigest");
        assert!(server.keys(BUCKET).is_empty());
    }
}

#[tokio::test]
async fn checksums_can_be_refused_as_not_implemented() {
    let (server, client) = with_checksums(Checksums::Refused).await;
    let sent = put_hello(&client)
        .checksum_crc64_nvme(crc64nvme(HELLO))
        .send()
        .await;
    assert_eq!(
        sent.as_ref()
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        501
    );
    assert_eq!(code(sent), "NotImplemented");
    let create = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .send()
        .await;
    assert_eq!(code(create), "NotImplemented");

    put(&client, "k", HELLO).await.unwrap();
    let head = head(&client).await;
    assert_eq!(head.checksum_crc64_nvme, None);
    assert_eq!(server.object(BUCKET, "k").unwrap().crc64nvme, None);
}

#[tokio::test]
async fn full_object_checksums_alone_can_be_refused() {
    let (server, client) = with_checksums(Checksums::NoFullObject).await;
    let create = |algorithm, kind| {
        let create = client.create_multipart_upload().bucket(BUCKET).key("parts");
        create
            .checksum_algorithm(algorithm)
            .set_checksum_type(kind)
            .send()
    };
    let full = Some(ChecksumType::FullObject);
    let nvme = create(ChecksumAlgorithm::Crc64Nvme, full.clone()).await;
    assert_eq!(code(nvme), "InvalidRequest");
    let nvme = create(ChecksumAlgorithm::Crc64Nvme, None).await;
    assert_eq!(code(nvme), "InvalidRequest");
    let crc32 = create(ChecksumAlgorithm::Crc32, full).await;
    assert_eq!(code(crc32), "InvalidRequest");
    create(ChecksumAlgorithm::Crc32, None).await.unwrap();

    let sent = put_hello(&client)
        .checksum_crc64_nvme(crc64nvme(HELLO))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.checksum_crc64_nvme, Some(crc64nvme(HELLO)));
    let (_, done) = upload_plain(&client, "plain").await;
    assert_eq!(done.checksum_crc64_nvme, None);
    assert_eq!(server.object(BUCKET, "plain").unwrap().crc64nvme, None);
}

#[tokio::test]
async fn listing_parts_and_uploads_can_be_unsupported() {
    let (_server, client) = weak(Weaknesses {
        no_list_parts: true,
        ..Weaknesses::default()
    })
    .await;
    let parts = |client: &Client| {
        let list = client.list_parts().bucket(BUCKET).key("k");
        list.upload_id("any").send()
    };
    let uploads = |client: &Client| client.list_multipart_uploads().bucket(BUCKET).send();
    assert_eq!(code(parts(&client).await), "NotImplemented");
    uploads(&client).await.unwrap();

    let (_server, client) = weak(Weaknesses {
        no_list_uploads: true,
        ..Weaknesses::default()
    })
    .await;
    assert_eq!(code(parts(&client).await), "NoSuchUpload");
    assert_eq!(code(uploads(&client).await), "NotImplemented");
}

#[tokio::test]
async fn etags_can_be_random() {
    let (server, client) = weak(Weaknesses {
        random_etags: true,
        ..Weaknesses::default()
    })
    .await;
    put(&client, "one", HELLO).await.unwrap();
    put(&client, "two", HELLO).await.unwrap();
    let etag = |key| server.object(BUCKET, key).unwrap().etag;
    assert_ne!(etag("one"), "5d41402abc4b2a76b9719d911017c592");
    assert_ne!(etag("one"), etag("two"));

    let (part, _) = upload_plain(&client, "parts").await;
    assert_ne!(part, "\"5d41402abc4b2a76b9719d911017c592\"");
    assert!(etag("parts").ends_with("-1"));
}
