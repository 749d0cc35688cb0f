//! The few S3 operations that the tools need, typed. Nothing else names the S3 SDK.
//!
//! Every object is created under a condition and carries the write token of its run, so that a
//! lost reply can be settled by asking what is there: see [`Store::put_new`] and
//! [`Store::complete_multipart`].

mod body;
mod client;
mod conditional;
mod error;
mod error_code;
mod multipart;
mod observe;

use std::fmt;
use std::str::FromStr;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use serde::{Deserialize, Serialize};

pub use body::ObjectBody;
pub use error::{StoreError, StoreErrorKind};
pub use multipart::{StoredPart, UploadId};

use crate::crc::Crc;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::s3_settings::S3Settings;

/// The user metadata field that holds the write token.
const TOKEN_FIELD: &str = "lob-token";

/// A random number that marks everything that one run wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WriteToken(String);

impl WriteToken {
    /// A new token of 122 random bits.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }
}

impl fmt::Display for WriteToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a write token")]
pub struct NotAToken(String);

impl FromStr for WriteToken {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match uuid::Uuid::try_parse(text) {
            Ok(token) => Ok(Self(token.simple().to_string())),
            Err(_) => Err(NotAToken(text.to_owned())),
        }
    }
}

impl TryFrom<String> for WriteToken {
    type Error = NotAToken;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<WriteToken> for String {
    fn from(token: WriteToken) -> Self {
        token.0
    }
}

/// What the server says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Size in bytes.
    pub size: u64,
    /// The entity tag, without quotes.
    pub etag: String,
    /// The version, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// The CRC64NVME of the whole object, where the server keeps one.
    pub crc: Option<Crc>,
    /// The token of the run that wrote it.
    pub token: Option<WriteToken>,
}

/// What an object must be once it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Size in bytes.
    pub size: u64,
    /// The CRC64NVME of all bytes.
    pub crc: Crc,
    /// The token of the run that writes it.
    pub token: &'a WriteToken,
}

impl Expected<'_> {
    /// Whether `info` describes exactly this object: same writer, size and CRC.
    pub fn is(&self, info: &ObjectInfo) -> bool {
        info.size == self.size
            && info.crc == Some(self.crc)
            && info.token.as_ref() == Some(self.token)
    }
}

/// One bucket.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    bucket: String,
    region: String,
    metrics: Metrics,
}

impl Store {
    /// Connects to the bucket of `settings` and asks for it once.
    ///
    /// # Errors
    /// A CA bundle that cannot be used, a bucket that is missing or not permitted, credentials that
    /// are missing or wrong, a server that does not answer.
    pub async fn connect(settings: &S3Settings, metrics: &Metrics) -> anyhow::Result<Self> {
        if settings.bucket.is_empty() {
            return Err(Failure::usage("no bucket is given")
                .with_hint("name it with --bucket or LOB_BUCKET")
                .into());
        }
        if settings.max_attempts == 0
            || settings.connect_timeout.is_zero()
            || settings.attempt_timeout.is_zero()
        {
            let zero = "--max-attempts, --connect-timeout and --attempt-timeout cannot be zero";
            return Err(Failure::usage(zero).into());
        }
        let (client, region) = client::build(settings, metrics).await?;
        let store = Self {
            client,
            bucket: settings.bucket.clone(),
            region,
            metrics: metrics.clone(),
        };
        store.check_bucket().await?;
        Ok(store)
    }

    async fn check_bucket(&self) -> Result<(), StoreError> {
        let request = self.client.head_bucket().bucket(&self.bucket);
        let Err(error) = request
            .customize()
            .config_override(client::first_contact())
            .send()
            .await
        else {
            return Ok(());
        };
        let failed = StoreError::from_sdk("HeadBucket", self.url(""), error);
        Err(match failed.kind {
            // HEAD has no body, so there is no code: a bucket is what is missing.
            StoreErrorKind::NotFound => failed.of_kind(StoreErrorKind::NoSuchBucket),
            // Wrong keys, an expired token, another region and a missing permission all look alike
            // in an answer to HEAD; asking for a list has an answer with a code. Whoever may
            // neither list nor head may still write.
            StoreErrorKind::AccessDenied | StoreErrorKind::Refused => {
                match self.list("", Some(1)).await {
                    Err(denied) if denied.kind != StoreErrorKind::AccessDenied => denied,
                    _ => return Ok(()),
                }
            }
            _ => failed,
        })
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// `s3://bucket/key`.
    pub fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// What the server says about the object, or `None` where there is none.
    ///
    /// # Errors
    /// Anything but an answer that says yes or no.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectInfo>, StoreError> {
        let request = self.client.head_object().bucket(&self.bucket).key(key);
        match request.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(output) => Ok(Some(ObjectInfo::from_head(&output))),
            Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 404 => Ok(None),
            Err(error) => Err(StoreError::from_sdk("HeadObject", self.url(key), error)),
        }
    }

    /// Keys and sizes of all objects whose key starts with `prefix`, at most `limit` of them.
    ///
    /// # Errors
    /// Any page that cannot be read: a list is complete or not there.
    pub async fn list(
        &self,
        prefix: &str,
        limit: Option<i32>,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix);
        let mut pages = request.set_max_keys(limit).into_paginator().send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|e| StoreError::from_sdk("ListObjectsV2", self.url(prefix), e))?;
            objects.extend(page.contents().iter().filter_map(|object| {
                let size = u64::try_from(object.size()?).ok()?;
                Some((object.key()?.to_owned(), size))
            }));
            if limit.is_some() {
                break;
            }
        }
        Ok(objects)
    }

    /// The names of the folders directly below `prefix`, which ends with `/` or is empty.
    ///
    /// # Errors
    /// Any page that cannot be read.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix);
        let mut pages = request.delimiter("/").into_paginator().send();
        let mut folders = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|e| StoreError::from_sdk("ListObjectsV2", self.url(prefix), e))?;
            folders.extend(page.common_prefixes().iter().filter_map(|folder| {
                let name = folder.prefix()?.strip_prefix(prefix)?.strip_suffix('/')?;
                Some(name.to_owned())
            }));
        }
        Ok(folders)
    }
}

impl ObjectInfo {
    fn from_head(output: &HeadObjectOutput) -> Self {
        Self {
            size: output
                .content_length()
                .and_then(|n| u64::try_from(n).ok())
                .unwrap_or_default(),
            etag: unquoted(output.e_tag()),
            version_id: output.version_id().map(str::to_owned),
            crc: output
                .checksum_crc64_nvme()
                .and_then(|crc| crc.parse().ok()),
            token: output
                .metadata()
                .and_then(|fields| fields.get(TOKEN_FIELD))
                .and_then(|token| token.parse().ok()),
        }
    }
}

/// An ETag as S3 sends it, in double quotes, without them.
fn unquoted(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

/// The S3 error code of a service error.
fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
}
