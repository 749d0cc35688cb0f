//! A real MinIO behind a test's server: it executes what the gate lets pass, and tells the test what
//! it holds.
//!
//! Requests reach it byte for byte, so their signatures hold. Each runs to its end even if the
//! client that sent it is killed, and whoever looks into the server waits for that: a request is
//! executed completely or not at all, as on the double.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, Delete, ObjectIdentifier};
use bytes::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::{Body, HttpRequest, HttpResponse};
use tokio::net::TcpStream;

use super::contents::Contents;
use super::stored_object::StoredObject;
use crate::real::{self, InFlight, Lease, Pool};

/// A MinIO that nobody else uses; clones share it, and the last one gives it back.
#[derive(Clone)]
pub(crate) struct Minio(Arc<Inner>);

struct Inner {
    /// With root's keys.
    client: Client,
    in_flight: InFlight,
    lease: Lease,
}

impl Minio {
    /// Takes one from the pool, with this empty bucket and nothing else.
    pub(crate) async fn take(pool: &'static Pool, bucket: &str) -> Self {
        let lease = pool.take().await;
        let (access_key, secret_key) = real::S3_ROOT;
        let root = Credentials::new(access_key, secret_key, None, None, "testkit");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(crate::http_client())
            .endpoint_url(lease.address())
            .force_path_style(true)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(root)
            .build();
        let client = Client::from_conf(config);
        let (cleared, bucket) = (client.clone(), bucket.to_owned());
        real::spawn(async move { clear(&cleared, &bucket).await })
            .await
            .unwrap();
        Self(Arc::new(Inner {
            client,
            in_flight: InFlight::default(),
            lease,
        }))
    }

    /// Sends a request on, and returns the reply.
    pub(crate) async fn execute(&self, request: HttpRequest) -> io::Result<HttpResponse> {
        let minio = self.clone();
        let flight = self.0.in_flight.begin();
        let execution = real::spawn(async move {
            let reply = exchange(minio.0.lease.address(), request).await;
            drop(flight);
            reply
        });
        execution.await.map_err(io::Error::other)?
    }

    /// Asks the server once it has executed everything.
    fn ask<T: Send + 'static, A>(&self, question: impl FnOnce(Client) -> A) -> T
    where
        A: Future<Output = T> + Send + 'static,
    {
        self.0.in_flight.wait_for_none();
        real::wait(question(self.0.client.clone()))
    }
}

/// One request on a connection of its own.
async fn exchange(endpoint: &str, request: HttpRequest) -> io::Result<HttpResponse> {
    let address = endpoint.trim_start_matches("http://");
    let stream = TcpStream::connect(address).await?;
    let handshake = http1::handshake::<_, Body>(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let reply = sender.send_request(request).await;
    let (head, body) = reply.map_err(io::Error::other)?.into_parts();
    let mut body = Body::from(body);
    let received = body.store_all_limited(usize::MAX).await;
    received.map_err(io::Error::other)?;
    connection.abort();
    Ok(HttpResponse::from_parts(head, body))
}

/// Leaves nothing but an empty bucket of this name.
async fn clear(client: &Client, bucket: &str) {
    let buckets = client.list_buckets().send().await.unwrap();
    let names = buckets.buckets().iter().filter_map(|bucket| bucket.name());
    let names: Vec<_> = names.map(str::to_owned).collect();
    for name in &names {
        // What lies below an object shows once the object is gone.
        loop {
            let found = keys(client, name).await;
            if found.is_empty() {
                break;
            }
            remove(client, name, &found).await;
        }
        for (key, id) in open_uploads(client, name).await {
            let abort = client.abort_multipart_upload().bucket(name);
            abort.key(key).upload_id(id).send().await.unwrap();
        }
        if name != bucket {
            client.delete_bucket().bucket(name).send().await.unwrap();
        }
    }
    if !names.iter().any(|name| name == bucket) {
        client.create_bucket().bucket(bucket).send().await.unwrap();
    }
}

async fn remove(client: &Client, bucket: &str, keys: &[String]) {
    for keys in keys.chunks(1000) {
        let object = |key| ObjectIdentifier::builder().key(key).build().unwrap();
        let objects = keys.iter().map(object).collect();
        let objects = Delete::builder().set_objects(Some(objects)).build();
        let delete = client.delete_objects().bucket(bucket);
        let deleted = delete.delete(objects.unwrap()).send().await.unwrap();
        assert!(deleted.errors().is_empty(), "{deleted:?}");
    }
}

/// All keys of a bucket; none if it does not exist.
async fn keys(client: &Client, bucket: &str) -> Vec<String> {
    let list = client.list_objects_v2().bucket(bucket);
    let mut pages = list.into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => {
                let objects = page.contents.unwrap_or_default().into_iter();
                keys.extend(objects.filter_map(|object| object.key));
            }
            Err(error) => {
                let error = error.into_service_error();
                assert!(error.is_no_such_bucket(), "{error:?}");
            }
        }
    }
    keys
}

/// Keys and ids of a bucket's open uploads, by key and age.
async fn open_uploads(client: &Client, bucket: &str) -> Vec<(String, String)> {
    let list = client.list_multipart_uploads().bucket(bucket);
    let list = list.max_uploads(1000).send().await.unwrap();
    assert_ne!(list.is_truncated(), Some(true), "more than 1000 uploads");
    let mut uploads = list.uploads.unwrap_or_default();
    uploads.sort_by_key(|upload| {
        let begun = upload.initiated().map(|time| time.as_nanos());
        (upload.key.clone(), begun)
    });
    let uploads = uploads.into_iter();
    let uploads = uploads.map(|upload| (upload.key.unwrap(), upload.upload_id.unwrap()));
    uploads.collect()
}

impl Contents for Minio {
    fn keys(&self, bucket: &str) -> Vec<String> {
        let bucket = bucket.to_owned();
        self.ask(|client| async move { keys(&client, &bucket).await })
    }

    fn open_uploads(&self, bucket: &str) -> Vec<(String, String)> {
        let bucket = bucket.to_owned();
        self.ask(|client| async move { open_uploads(&client, &bucket).await })
    }

    fn object(&self, bucket: &str, key: &str) -> Option<StoredObject> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.ask(|client| async move { object(&client, &bucket, &key).await })
    }

    fn put(&self, bucket: &str, key: &str, bytes: Bytes) {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.ask(|client| async move {
            let old = object(&client, &bucket, &key).await;
            let mut put = client.put_object().bucket(bucket).key(key);
            for (name, value) in old.into_iter().flat_map(|old| old.metadata) {
                put = put.metadata(name, value);
            }
            let put = put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
            put.body(ByteStream::from(bytes)).send().await.unwrap();
        });
    }

    fn remove(&self, bucket: &str, key: &str) -> bool {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.ask(|client| async move {
            let was_there = object(&client, &bucket, &key).await.is_some();
            let delete = client.delete_object().bucket(bucket).key(key);
            delete.send().await.unwrap();
            was_there
        })
    }
}

async fn object(client: &Client, bucket: &str, key: &str) -> Option<StoredObject> {
    let get = client.get_object().bucket(bucket).key(key);
    let found = match get.checksum_mode(ChecksumMode::Enabled).send().await {
        Ok(found) => found,
        Err(error) => {
            let error = error.into_service_error();
            assert!(error.is_no_such_key(), "{error:?}");
            return None;
        }
    };
    Some(StoredObject {
        etag: found.e_tag().unwrap().trim_matches('"').to_owned(),
        metadata: found.metadata().unwrap().clone().into_iter().collect(),
        crc64nvme: found.checksum_crc64_nvme().map(str::to_owned),
        storage_class: found.storage_class().map(|class| class.as_str().to_owned()),
        server_side_encryption: found
            .server_side_encryption()
            .map(|sse| sse.as_str().to_owned()),
        kms_key_id: found.ssekms_key_id().map(str::to_owned),
        bytes: found.body.collect().await.unwrap().into_bytes(),
    })
}
