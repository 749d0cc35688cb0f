//! What the server stores: buckets, objects and open multipart uploads, in memory.
//!
//! Content is a list of the very buffers that arrived, so a 100 MB object exists only once. All
//! changes happen under one lock, which makes conditional writes atomic.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use md5::{Digest as _, Md5};
use s3s::dto::ETagCondition;
use s3s::{S3Error, S3Result, s3_error};
use uuid::Uuid;

use super::attributes::Attributes;
use super::checksum::{Algorithm, Checksum, Kind};

/// Everything the server stores.
#[derive(Default)]
pub(crate) struct Storage {
    pub(crate) buckets: BTreeMap<String, Bucket>,
    uploads_created: u64,
}

/// A bucket with its objects and open uploads.
pub(crate) struct Bucket {
    pub(crate) created: SystemTime,
    pub(crate) objects: BTreeMap<String, Object>,
    /// Keyed by object key, then upload id. Ids grow with time, so this is S3's listing order.
    pub(crate) uploads: BTreeMap<(String, String), Upload>,
}

/// A finished object.
pub(crate) struct Object {
    pub(crate) content: Vec<Bytes>,
    /// In hex, without quotes.
    pub(crate) etag: String,
    /// `None` if the server keeps none.
    pub(crate) checksum: Option<Checksum>,
    pub(crate) attributes: Attributes,
    pub(crate) modified: SystemTime,
}

/// An open multipart upload.
pub(crate) struct Upload {
    pub(crate) declared: Option<(Algorithm, Kind)>,
    pub(crate) attributes: Attributes,
    pub(crate) initiated: SystemTime,
    pub(crate) parts: BTreeMap<i32, Part>,
}

/// A part of an open upload.
pub(crate) struct Part {
    pub(crate) content: Vec<Bytes>,
    pub(crate) md5: [u8; 16],
    /// In hex, without quotes.
    pub(crate) etag: String,
    /// Of the algorithm that the upload declared, or of any if it declared none.
    pub(crate) checksum: Checksum,
    pub(crate) modified: SystemTime,
}

impl Storage {
    /// The bucket, or `NoSuchBucket`.
    pub(crate) fn bucket(&mut self, name: &str) -> S3Result<&mut Bucket> {
        self.buckets
            .get_mut(name)
            .ok_or_else(|| s3_error!(NoSuchBucket, "bucket {name} does not exist"))
    }

    /// An id for a new upload; ids grow with time.
    pub(crate) fn new_upload_id(&mut self) -> String {
        self.uploads_created += 1;
        format!("{:08x}-{}", self.uploads_created, Uuid::new_v4())
    }
}

impl Bucket {
    pub(crate) fn new() -> Self {
        Self {
            created: SystemTime::now(),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
        }
    }

    /// The object, or `NoSuchKey`.
    pub(crate) fn object(&self, key: &str) -> S3Result<&Object> {
        self.objects
            .get(key)
            .ok_or_else(|| s3_error!(NoSuchKey, "key {key} does not exist"))
    }

    /// The open upload, or `NoSuchUpload`.
    pub(crate) fn upload(&mut self, key: &str, id: &str) -> S3Result<&mut Upload> {
        self.uploads
            .get_mut(&(key.to_owned(), id.to_owned()))
            .ok_or_else(|| s3_error!(NoSuchUpload, "upload {id} of {key} does not exist"))
    }

    /// Refuses a write of `key` if its current state does not meet the conditions.
    pub(crate) fn check_conditions(
        &self,
        key: &str,
        if_none_match: Option<&ETagCondition>,
        if_match: Option<&ETagCondition>,
    ) -> S3Result<()> {
        let present = self.objects.get(key);
        match if_none_match {
            None => {}
            Some(ETagCondition::Any) if present.is_none() => {}
            Some(ETagCondition::Any) => return Err(precondition_failed()),
            Some(ETagCondition::ETag(_)) => {
                return Err(s3_error!(
                    NotImplemented,
                    "a write knows only If-None-Match: *"
                ));
            }
        }
        match (if_match, present) {
            (None, _) => Ok(()),
            (Some(ETagCondition::Any), _) => Err(s3_error!(
                NotImplemented,
                "a write knows only If-Match with an ETag"
            )),
            (Some(_), None) => Err(s3_error!(NoSuchKey, "key {key} does not exist")),
            (Some(condition), Some(object)) => object.check_if_match(condition),
        }
    }
}

impl Object {
    /// An object uploaded in one piece: its ETag is the MD5 of its bytes.
    pub(crate) fn put(
        content: Vec<Bytes>,
        checksum: Option<Checksum>,
        attributes: Attributes,
    ) -> Self {
        let etag = hex::encode(md5(&content));
        Self {
            content,
            etag,
            checksum,
            attributes,
            modified: SystemTime::now(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        size(&self.content)
    }

    /// `PreconditionFailed` unless the object is the one that the condition names.
    pub(crate) fn check_if_match(&self, condition: &ETagCondition) -> S3Result<()> {
        match condition {
            ETagCondition::ETag(etag) if etag.value() != self.etag => Err(precondition_failed()),
            _ => Ok(()),
        }
    }
}

/// In the words of S3 and MinIO.
fn precondition_failed() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

pub(crate) fn size(content: &[Bytes]) -> u64 {
    content.iter().map(|bytes| bytes.len() as u64).sum()
}

pub(crate) fn md5(content: &[Bytes]) -> [u8; 16] {
    let mut hasher = Md5::new();
    for bytes in content {
        hasher.update(bytes);
    }
    hasher.finalize().into()
}
