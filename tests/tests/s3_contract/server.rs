//! A server with an empty bucket, and what the tests of all operations share.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;
use std::{env, process};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RequestChecksumCalculation,
    RuntimeComponents,
};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::head_object::builders::HeadObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use lob_testkit::s3::{S3Options, S3Server, crc64nvme};

/// The smallest size of any part except the last.
pub(crate) const PART: usize = 5 << 20;

pub(crate) const WRONG_CRC: &str = "AAAAAAAAAAA=";

pub(crate) const SHA256_OF_HELLO: &str =
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// A server with an empty bucket, and a client.
pub(crate) struct Server {
    pub(crate) client: Client,
    pub(crate) bucket: String,
    /// `None` if the server is real.
    pub(crate) testkit: Option<S3Server>,
    pub(crate) endpoint: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let Ok(endpoint) = env::var("LOB_E2E_S3_ENDPOINT") else {
            let testkit = S3Server::start(S3Options::default()).await.unwrap();
            let endpoint = testkit.endpoint();
            let client = client(&endpoint, testkit.access_key(), testkit.secret_key());
            return Self::with_bucket(client, endpoint, Some(testkit)).await;
        };
        let access_key = env::var("LOB_E2E_S3_ACCESS_KEY").unwrap();
        let secret_key = env::var("LOB_E2E_S3_SECRET_KEY").unwrap();
        let client = client(&endpoint, &access_key, &secret_key);
        Self::with_bucket(client, endpoint, None).await
    }

    pub(crate) async fn with_bucket(
        client: Client,
        endpoint: String,
        testkit: Option<S3Server>,
    ) -> Self {
        static BUCKETS: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let count = BUCKETS.fetch_add(1, Ordering::Relaxed);
        let bucket = format!("contract-{}-{now}-{count}", process::id());
        client.create_bucket().bucket(&bucket).send().await.unwrap();
        Self {
            client,
            bucket,
            testkit,
            endpoint,
        }
    }

    /// The answer expected from this server, where the two are known to differ.
    pub(crate) fn either<T>(&self, testkit: T, minio: T) -> T {
        if self.testkit.is_some() {
            testkit
        } else {
            minio
        }
    }

    /// A client that computes checksums itself.
    pub(crate) fn computing(&self) -> Client {
        let computes = RequestChecksumCalculation::WhenSupported;
        let config = self.client.config().to_builder();
        Client::from_conf(config.request_checksum_calculation(computes).build())
    }

    pub(crate) fn put_object(&self, key: impl Into<String>) -> PutObjectFluentBuilder {
        self.client.put_object().bucket(&self.bucket).key(key)
    }

    pub(crate) fn get_object(&self, key: impl Into<String>) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(&self.bucket).key(key)
    }

    pub(crate) fn head_object(&self, key: impl Into<String>) -> HeadObjectFluentBuilder {
        self.client.head_object().bucket(&self.bucket).key(key)
    }

    pub(crate) async fn put(&self, key: &str, bytes: &[u8]) {
        let crc = crc64nvme(bytes);
        let put = self.put_object(key).checksum_crc64_nvme(crc);
        put.body(body(bytes)).send().await.unwrap();
    }

    pub(crate) async fn get(&self, key: &str) -> Vec<u8> {
        let reply = self.get_object(key).send().await.unwrap();
        reply.body.collect().await.unwrap().to_vec()
    }

    pub(crate) async fn exists(&self, key: &str) -> bool {
        let head = self.head_object(key).send().await;
        let outcome = outcome(head);
        assert!(
            ["ok", "404 NotFound"].contains(&outcome.as_str()),
            "{outcome}"
        );
        outcome == "ok"
    }

    pub(crate) async fn e_tag(&self, key: &str) -> String {
        let head = self.head_object(key);
        head.send().await.unwrap().e_tag.unwrap()
    }

    /// Creates an upload that declares a CRC64NVME of the whole object.
    pub(crate) async fn create(&self, key: &str) -> Upload<'_> {
        let create = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key);
        let create = create.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
        let create = create
            .checksum_type(ChecksumType::FullObject)
            .metadata("token", "t1");
        let id = create.send().await.unwrap().upload_id.unwrap();
        Upload {
            server: self,
            key: key.to_owned(),
            id,
        }
    }
}

/// An open multipart upload.
pub(crate) struct Upload<'a> {
    pub(crate) server: &'a Server,
    pub(crate) key: String,
    pub(crate) id: String,
}

impl Upload<'_> {
    /// Sends a part with its CRC; returns the entry for it in Complete.
    pub(crate) async fn part(&self, number: i32, bytes: &[u8]) -> CompletedPart {
        let part = self
            .server
            .client
            .upload_part()
            .bucket(&self.server.bucket)
            .key(&self.key);
        let part = part
            .upload_id(&self.id)
            .part_number(number)
            .body(body(bytes));
        let sent = part
            .checksum_crc64_nvme(crc64nvme(bytes))
            .send()
            .await
            .unwrap();
        assert_eq!(sent.checksum_crc64_nvme, Some(crc64nvme(bytes)));
        CompletedPart::builder()
            .part_number(number)
            .checksum_crc64_nvme(crc64nvme(bytes))
            .set_e_tag(sent.e_tag)
            .build()
    }

    pub(crate) fn complete(&self, parts: &[CompletedPart]) -> CompleteMultipartUploadFluentBuilder {
        let list = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.to_vec()))
            .build();
        let complete = self
            .server
            .client
            .complete_multipart_upload()
            .bucket(&self.server.bucket);
        complete
            .key(&self.key)
            .upload_id(&self.id)
            .multipart_upload(list)
    }

    /// The numbers of the parts that the server has, listed in pages of `page`; or the error.
    pub(crate) async fn parts(&self, page: i32) -> Result<Vec<i32>, String> {
        let mut numbers = Vec::new();
        let mut marker = None;
        loop {
            let list = self
                .server
                .client
                .list_parts()
                .bucket(&self.server.bucket)
                .key(&self.key);
            let list = list
                .upload_id(&self.id)
                .max_parts(page)
                .set_part_number_marker(marker);
            let reply = match list.send().await {
                Ok(reply) => reply,
                Err(error) => return Err(outcome::<(), _>(Err(error))),
            };
            assert!(reply.parts().len() <= page as usize);
            assert_eq!(
                reply.checksum_algorithm(),
                Some(&ChecksumAlgorithm::Crc64Nvme)
            );
            assert!(
                reply
                    .parts()
                    .iter()
                    .all(|part| part.checksum_crc64_nvme().is_some())
            );
            numbers.extend(reply.parts().iter().filter_map(|part| part.part_number()));
            if reply.is_truncated() != Some(true) {
                return Ok(numbers);
            }
            marker = reply.next_part_number_marker;
        }
    }
}

pub(crate) fn client(endpoint: &str, access_key: &str, secret_key: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(lob_testkit::http_client())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(
            access_key, secret_key, None, None, "contract",
        ))
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build();
    Client::from_conf(config)
}

pub(crate) fn body(bytes: &[u8]) -> ByteStream {
    ByteStream::from(bytes.to_vec())
}

/// `ok`, or the status and the error code.
pub(crate) fn outcome<T, E: ProvideErrorMetadata + Debug>(
    result: Result<T, SdkError<E>>,
) -> String {
    let Err(error) = result else {
        return "ok".to_owned();
    };
    let Some(reply) = error.raw_response() else {
        panic!("no reply: {error:?}")
    };
    format!(
        "{} {}",
        reply.status().as_u16(),
        error.code().unwrap_or("-")
    )
}

/// Replaces the body after it has been signed.
#[derive(Debug)]
pub(crate) struct Forge;

impl Intercept for Forge {
    fn name(&self) -> &'static str {
        "Forge"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let signed = context.request().headers().get("x-amz-content-sha256");
        assert_eq!(signed, Some(SHA256_OF_HELLO));
        *context.request_mut().body_mut() = SdkBody::from("hellO");
        Ok(())
    }
}
