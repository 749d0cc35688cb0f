//! The few S3 operations that the tools need, typed. Nothing else uses the S3 SDK.
//!
//! Every object is created conditionally and carries the write token of its run, so that a lost
//! reply can be settled by asking what is there: see [`RunStore::put_new`] and `completion`.

mod answer;
mod bandwidth;
mod body;
mod capabilities;
mod client;
mod completion;
mod conditional;
mod credentials;
mod error_body;
mod first_contact;
mod foreign;
mod multipart;
mod object;
mod observe;
mod operation_error;
mod patience;
mod profile;
mod proxies;
mod resolver;
mod retry;
mod run_store;
mod sdk_error;
mod stream;
mod verified;
mod write_token;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

/// A source of AWS credentials, which asks anew before they expire.
pub use aws_credential_types::provider::SharedCredentialsProvider as AwsCredentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, ServerSideEncryption, StorageClass};
use bytes::Bytes;

pub use crate::failure::{StoreError, StoreErrorKind};
pub use body::ObjectBody;
pub use capabilities::EndpointCapabilities;
pub(crate) use capabilities::MultipartAbilities;
pub(crate) use completion::{Completion, Unanswered};
pub use conditional::Condition;
pub use credentials::check_aws_keys;
pub use multipart::{ListedPart, OpenUpload, StoredPart, UploadId};

pub use self::bandwidth::Bandwidth;
pub use self::object::{Expected, ObjectInfo, WrittenObject};
use self::object::{TOKEN_FIELD, unquoted};
pub use self::run_store::RunStore;
pub use self::verified::Verified;
pub use self::write_token::WriteToken;
use crate::limiter::{Limiter, Permit};
use crate::metrics::Metrics;
use crate::settings::{Encryption, ObjectSettings};
use crate::settings::{FIRST_IN_FLIGHT, PartLimits};

/// Minimum rate in bytes per second, below which a request is given up and retried: a link that is
/// slower overall is left to fewer requests (`limiter`).
const SLOWEST_RATE: u64 = 32 << 10;
/// No attempt may take longer than this, however slow the configured rate: a week.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How bytes are sent and received, and what is set on the objects that they become.
#[derive(Debug, Clone)]
pub struct Sending {
    limiter: Limiter,
    /// Most bodies of requests that are under way at once.
    in_flight: usize,
    bandwidth: Option<Bandwidth>,
    /// The limit on downloads.
    received: Option<Bandwidth>,
    objects: ObjectSettings,
}

impl Sending {
    /// Sends within the limits.
    pub fn new(parts: &PartLimits, objects: ObjectSettings) -> Self {
        Self {
            limiter: Limiter::new(parts.at_first, parts.in_flight),
            in_flight: parts.in_flight.get(),
            bandwidth: parts.max_bandwidth.map(Bandwidth::new),
            received: parts.max_bandwidth.map(Bandwidth::new),
            objects,
        }
    }

    /// For a store that only reads, downloading at most `bandwidth`.
    pub fn receiving(bandwidth: Option<Bandwidth>) -> Self {
        Self {
            limiter: Limiter::new(FIRST_IN_FLIGHT, FIRST_IN_FLIGHT),
            in_flight: FIRST_IN_FLIGHT.get(),
            bandwidth: None,
            received: bandwidth,
            objects: ObjectSettings::default(),
        }
    }

    /// The same, with at most this many ranges of a [`Download`](crate::transfer::Download) under
    /// way.
    #[must_use]
    pub fn with_ranges(self, most: NonZeroUsize) -> Self {
        Self {
            limiter: Limiter::new(FIRST_IN_FLIGHT, most),
            in_flight: most.get(),
            ..self
        }
    }
}

impl Default for Sending {
    /// For a store that only reads.
    fn default() -> Self {
        Self::receiving(None)
    }
}

/// The store: one bucket, through one client.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    aws_credentials: Option<AwsCredentials>,
    bucket: String,
    region: String,
    owner: Option<String>,
    retry_timeout: Duration,
    attempt_timeout: Duration,
    sending: Sending,
    endpoint: EndpointCapabilities,
    metrics: Metrics,
}

impl Store {
    /// What the endpoint can do, as far as it has been probed.
    pub fn endpoint(&self) -> EndpointCapabilities {
        self.endpoint
    }

    /// The same store, relying only on what the endpoint can do.
    #[must_use]
    pub(crate) fn on(mut self, endpoint: EndpointCapabilities) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// The same store, creating objects as `objects` says.
    #[must_use]
    pub(crate) fn creating(mut self, objects: ObjectSettings) -> Self {
        self.sending.objects = objects;
        self
    }

    /// The timeout of one attempt of a request with a body of `size` bytes.
    fn body_timeout(&self, size: u64) -> Duration {
        let slowest = Duration::from_secs(size / SLOWEST_RATE);
        let paced = self
            .sending
            .bandwidth
            .as_ref()
            .map(|bandwidth| bandwidth.time_for(size, self.sending.in_flight));
        // At a set rate, others may go first: allow twice the time that it takes on average.
        let body = slowest.max(paced.unwrap_or_default().saturating_mul(2));
        self.attempt_timeout
            .saturating_add(body)
            .min(LONGEST_ATTEMPT)
    }

    /// A request body with these bytes, at the set rate.
    fn body(&self, bytes: Bytes) -> ByteStream {
        match &self.sending.bandwidth {
            Some(bandwidth) => bandwidth.body(bytes),
            None => ByteStream::from(bytes),
        }
    }

    /// Most bodies of requests that are under way at once.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.sending.in_flight
    }

    /// Waits until one more body may be under way.
    pub(crate) async fn permit(&self) -> Permit {
        self.sending.limiter.enter().await
    }

    /// The user metadata of an object: the write token and, for a data file, what the settings say.
    fn metadata(&self, token: &WriteToken, is_data: bool) -> HashMap<String, String> {
        let own = (TOKEN_FIELD.to_owned(), token.to_string());
        let set = self.sending.objects.metadata.iter().filter(|_| is_data);
        let set = set.map(|(name, value)| (name.clone(), value.clone()));
        set.chain([own]).collect()
    }

    /// The storage class of an object; plan and manifest use the standard one.
    fn storage_class(&self, is_data: bool) -> Option<StorageClass> {
        let class = self.sending.objects.storage_class.as_deref();
        class.filter(|_| is_data).map(Into::into)
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.sending.objects.sse.map(|sse| match sse {
            Encryption::Aes256 => ServerSideEncryption::Aes256,
            Encryption::Kms => ServerSideEncryption::AwsKms,
            Encryption::KmsDsse => ServerSideEncryption::AwsKmsDsse,
        })
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Where the credentials of the AWS configuration come from, for other services than S3.
    pub fn aws_credentials(&self) -> Option<AwsCredentials> {
        self.aws_credentials.clone()
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// `s3://bucket/key`.
    pub fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// What the server says about the object, or `None` if it does not exist.
    ///
    /// # Errors
    /// Anything but an answer that says whether it exists.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectInfo>, StoreError> {
        let request = self.client.head_object().bucket(&self.bucket).key(key);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let with_checksum = request.clone().checksum_mode(ChecksumMode::Enabled);
        let asked = match with_checksum.send().await {
            // Some servers do not know this header.
            Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 501 => {
                request.send().await
            }
            asked => asked,
        };
        match asked {
            Ok(output) => match ObjectInfo::from_head(&output) {
                Some(info) => Ok(Some(info)),
                None => Err(self.sizeless("HeadObject", key)),
            },
            Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 404 => Ok(None),
            Err(error) => {
                let failed = StoreError::from_sdk("HeadObject", self.url(key), error);
                Err(self.with_code(key, failed).await)
            }
        }
    }

    /// The error for an answer that does not give the size of an object.
    fn sizeless(&self, operation: &'static str, key: &str) -> StoreError {
        let detail = "the response does not say how large the object is";
        StoreError::new(StoreErrorKind::Refused, operation, self.url(key), detail)
    }

    /// Fails if a list claims to continue but does not say where: it is not complete.
    fn whole(&self, operation: &'static str, key: &str, goes_on: bool) -> Result<(), StoreError> {
        if !goes_on {
            return Ok(());
        }
        let detail = "the list is cut off: it says that it continues, but not where";
        let (kind, url) = (StoreErrorKind::Integrity, self.url(key));
        Err(StoreError::new(kind, operation, url, detail))
    }

    /// The error of a HEAD, whose answer has no body and thus no code: an expired token then looks
    /// like a missing permission. A GET of the same object is answered with a code.
    async fn with_code(&self, key: &str, failed: StoreError) -> StoreError {
        let has_none = matches!(
            failed.kind,
            StoreErrorKind::AccessDenied | StoreErrorKind::Refused
        );
        if !has_none {
            return failed;
        }
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let asked = request.range("bytes=0-0").send().await;
        let told = asked.err();
        let told = told.map(|error| StoreError::from_sdk("GetObject", self.url(key), error));
        // If the object can be read or is gone by now, that says nothing about the refusal.
        told.filter(|told| told.kind != StoreErrorKind::NotFound)
            .unwrap_or(failed)
    }

    fn lists(&self, prefix: &str) -> ListObjectsV2FluentBuilder {
        self.client
            .list_objects_v2()
            .bucket(&self.bucket)
            .set_expected_bucket_owner(self.owner.clone())
            .prefix(prefix)
    }

    /// Keys and sizes of all objects whose key starts with `prefix`, at most `limit` of them.
    ///
    /// # Errors
    /// Any page cannot be read: a list is either complete or an error.
    pub async fn list(
        &self,
        prefix: &str,
        limit: Option<i32>,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let request = self.lists(prefix).set_max_keys(limit);
        let pages = self.pages(request, prefix, limit.is_some(), |page, objects| {
            objects.extend(page.contents().iter().filter_map(|object| {
                let size = u64::try_from(object.size()?).ok()?;
                Some((object.key()?.to_owned(), size))
            }));
        });
        pages.await
    }

    /// The names of the folders directly below `prefix`, which ends with `/` or is empty.
    ///
    /// # Errors
    /// Any page cannot be read.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let request = self.lists(prefix).delimiter("/");
        let pages = self.pages(request, prefix, false, |page, folders| {
            folders.extend(page.common_prefixes().iter().filter_map(|folder| {
                let name = folder.prefix()?.strip_prefix(prefix)?.strip_suffix('/')?;
                Some(name.to_owned())
            }));
        });
        pages.await
    }

    /// What `take` makes of each page of a list, or of the first one alone.
    async fn pages<T>(
        &self,
        request: ListObjectsV2FluentBuilder,
        prefix: &str,
        first_only: bool,
        take: impl Fn(&ListObjectsV2Output, &mut Vec<T>),
    ) -> Result<Vec<T>, StoreError> {
        let mut pages = request.into_paginator().send();
        let (mut items, mut goes_on) = (Vec::new(), false);
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|e| StoreError::from_sdk("ListObjectsV2", self.url(prefix), e))?;
            take(&page, &mut items);
            if first_only {
                return Ok(items);
            }
            goes_on = page.is_truncated() == Some(true);
        }
        self.whole("ListObjectsV2", prefix, goes_on)?;
        Ok(items)
    }
}
