//! What a server holds, as a test sees it and tampers with it: past all requests.

use std::sync::Mutex;

use bytes::Bytes;

use super::checksum::{Algorithm, Checksum};
use super::lock::lock;
use super::storage::{Bucket, Object, Storage};
use super::stored_object::StoredObject;

/// The objects and open uploads of a server. `S3Server` says what each does.
pub(crate) trait Contents: Send + Sync {
    fn keys(&self, bucket: &str) -> Vec<String>;
    fn open_uploads(&self, bucket: &str) -> Vec<(String, String)>;
    fn object(&self, bucket: &str, key: &str) -> Option<StoredObject>;
    fn put(&self, bucket: &str, key: &str, bytes: Bytes);
    fn remove(&self, bucket: &str, key: &str) -> bool;
}

impl Contents for Mutex<Storage> {
    fn keys(&self, bucket: &str) -> Vec<String> {
        let storage = lock(self);
        let bucket = storage.buckets.get(bucket);
        bucket
            .map(|bucket| bucket.objects.keys().cloned().collect())
            .unwrap_or_default()
    }

    fn open_uploads(&self, bucket: &str) -> Vec<(String, String)> {
        let storage = lock(self);
        let bucket = storage.buckets.get(bucket);
        bucket
            .map(|bucket| bucket.uploads.keys().cloned().collect())
            .unwrap_or_default()
    }

    fn object(&self, bucket: &str, key: &str) -> Option<StoredObject> {
        let storage = lock(self);
        let object = storage.buckets.get(bucket)?.objects.get(key)?;
        let attributes = object.attributes.clone();
        let encryption = attributes.encryption;
        Some(StoredObject {
            bytes: object.content.concat().into(),
            etag: object.etag.clone(),
            metadata: attributes.metadata.into_iter().collect(),
            crc64nvme: object
                .checksum
                .as_ref()
                .filter(|checksum| checksum.algorithm == Algorithm::Crc64Nvme)
                .map(|checksum| checksum.value.clone()),
            storage_class: attributes
                .storage_class
                .map(|class| class.as_str().to_owned()),
            server_side_encryption: encryption.algorithm.map(|sse| sse.as_str().to_owned()),
            kms_key_id: encryption.kms_key_id,
        })
    }

    fn put(&self, bucket: &str, key: &str, bytes: Bytes) {
        let content = vec![bytes];
        let checksum = Checksum::of(Algorithm::Crc64Nvme, &content);
        let mut storage = lock(self);
        let bucket = storage
            .buckets
            .entry(bucket.to_owned())
            .or_insert_with(Bucket::new);
        let attributes = bucket
            .objects
            .get(key)
            .map(|object| object.attributes.clone());
        let object = Object::put(content, Some(checksum), attributes.unwrap_or_default());
        bucket.objects.insert(key.to_owned(), object);
    }

    fn remove(&self, bucket: &str, key: &str) -> bool {
        let mut storage = lock(self);
        let bucket = storage.buckets.get_mut(bucket);
        bucket.is_some_and(|bucket| bucket.objects.remove(key).is_some())
    }
}
