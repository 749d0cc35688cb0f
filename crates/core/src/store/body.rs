//! Reading objects: small ones as a whole, large ones as a stream that survives broken connections.
//!
//! A connection that stays below the slowest rate for the time of an attempt is treated as broken,
//! and a download that stays below it for the whole retry time has failed.

use std::ops::Range;
use std::time::Instant;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};

use super::patience::Patience;
use super::{Store, StoreError, StoreErrorKind};

/// Why a body broke.
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// How many times in a row a body may break without a byte of progress.
const MAX_BREAKS: u32 = 5;

/// The bytes of one object, or of a range of it, in order. A body that breaks is resumed where it
/// broke, but only if the object still has the ETag of the first answer.
#[derive(Debug)]
pub struct ObjectBody {
    store: Store,
    key: String,
    etag: String,
    /// Of the whole object.
    size: u64,
    position: u64,
    /// Where the range ends.
    end: u64,
    body: ByteStream,
    breaks: u32,
    /// For the current connection.
    of_attempt: Patience,
    /// For all connections together.
    of_download: Patience,
}

impl Store {
    /// Opens an object for reading.
    ///
    /// # Errors
    /// [`StoreErrorKind::NotFound`] if there is no such object.
    pub async fn get(&self, key: &str) -> Result<ObjectBody, StoreError> {
        let output = self.get_bytes(key, None, None).await?;
        let size = announced(&output).ok_or_else(|| self.sizeless("GetObject", key))?;
        Ok(self.body_of(key, output, size, 0..size))
    }

    /// Opens a range of an object for reading; the range is not empty.
    ///
    /// # Errors
    /// [`StoreErrorKind::NotFound`] if there is no such object, [`StoreErrorKind::Unsupported`] if the
    /// server does not send the range.
    pub(crate) async fn get_range(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<ObjectBody, StoreError> {
        let output = self.get_bytes(key, Some(&range), None).await?;
        let total = output.content_range().and_then(|told| {
            let (_, total) = told.rsplit_once('/')?;
            total.parse().ok()
        });
        match total {
            Some(total) if announced(&output) == Some(range.end - range.start) => {
                Ok(self.body_of(key, output, total, range))
            }
            _ => Err(self.not_the_range(key)),
        }
    }

    fn body_of(
        &self,
        key: &str,
        output: GetObjectOutput,
        size: u64,
        range: Range<u64>,
    ) -> ObjectBody {
        ObjectBody {
            store: self.clone(),
            key: key.to_owned(),
            etag: super::unquoted(output.e_tag()),
            size,
            position: range.start,
            end: range.end,
            body: output.body,
            breaks: 0,
            of_attempt: Patience::new(self.attempt_timeout),
            of_download: Patience::new(self.retry_timeout),
        }
    }

    /// The object's answers have different ETags.
    pub(crate) fn changed(&self, key: &str) -> StoreError {
        let (kind, url) = (StoreErrorKind::Integrity, self.url(key));
        StoreError::new(kind, "GetObject", url, "it changed while it was read")
    }

    fn not_the_range(&self, key: &str) -> StoreError {
        let (kind, url) = (StoreErrorKind::Unsupported, self.url(key));
        let detail = "the server did not send the requested range";
        StoreError::new(kind, "GetObject", url, detail)
    }

    /// Reads a small object as a whole.
    ///
    /// # Errors
    /// [`StoreErrorKind::Refused`] if it is larger than `limit` bytes.
    pub(crate) async fn get_small(&self, key: &str, limit: u64) -> Result<Bytes, StoreError> {
        let (bytes, _) = self.get_small_with_etag(key, limit).await?;
        Ok(bytes)
    }

    /// Reads a small object as a whole, with its ETag, which is needed to replace it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Refused`] if it is larger than `limit` bytes.
    pub async fn get_small_with_etag(
        &self,
        key: &str,
        limit: u64,
    ) -> Result<(Bytes, String), StoreError> {
        let mut body = self.get_within(key, limit).await?;
        // Its size is within the limit, and growing would take it twice.
        let mut bytes = BytesMut::with_capacity(usize::try_from(body.size).unwrap_or_default());
        while let Some(chunk) = body.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok((bytes.freeze(), body.etag))
    }

    /// Opens an object of at most `limit` bytes.
    pub(super) async fn get_within(&self, key: &str, limit: u64) -> Result<ObjectBody, StoreError> {
        let body = self.get(key).await?;
        if body.size <= limit {
            return Ok(body);
        }
        let detail = format!("{} bytes are more than the {limit} allowed", body.size);
        let (kind, url) = (StoreErrorKind::Refused, self.url(key));
        Err(StoreError::new(kind, "GetObject", url, detail))
    }

    async fn get_bytes(
        &self,
        key: &str,
        range: Option<&Range<u64>>,
        etag: Option<&str>,
    ) -> Result<GetObjectOutput, StoreError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let mut request = request.set_expected_bucket_owner(self.owner.clone());
        if let Some(range) = range {
            request = request.range(format!("bytes={}-{}", range.start, range.end - 1));
        }
        if let Some(etag) = etag {
            request = request.if_match(format!("\"{etag}\""));
        }
        request
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("GetObject", self.url(key), error))
    }
}

impl StoreError {
    /// A 412 in reply to a conditional read means that the object has changed.
    fn changed_meanwhile(self) -> Self {
        match self.kind {
            StoreErrorKind::AlreadyExists => self.of_kind(StoreErrorKind::Integrity),
            _ => self,
        }
    }
}

impl ObjectBody {
    /// Size of the object in bytes, as announced by the server.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The ETag of the object.
    pub(crate) fn etag(&self) -> &str {
        &self.etag
    }

    /// The next bytes, or `None` after exactly as many as were asked for.
    ///
    /// # Errors
    /// The object changed in the meantime, the connection broke too often without progress, or the
    /// bytes arrived too slowly for too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let remaining = self.end - self.position;
            let begin = Instant::now();
            let patience = self.of_attempt.left().min(self.of_download.left());
            let arrived = tokio::time::timeout(patience, self.body.try_next()).await;
            self.of_attempt.waited(begin.elapsed());
            self.of_download.waited(begin.elapsed());
            let cause = match arrived {
                Ok(Ok(Some(chunk))) if chunk.len() as u64 <= remaining => {
                    let size = chunk.len() as u64;
                    self.position += size;
                    self.breaks = 0;
                    self.of_attempt.received(size);
                    self.of_download.received(size);
                    self.store.metrics.received("GetObject", size);
                    if let Some(bandwidth) = &self.store.sending.received {
                        bandwidth.wait(size).await;
                    }
                    return Ok(Some(chunk));
                }
                Ok(Ok(None)) if remaining == 0 => return Ok(None),
                Ok(Ok(Some(_))) => Broken::from("the body is longer than announced"),
                Ok(Ok(None)) => Broken::from("the body ended early"),
                Ok(Err(error)) => Broken::from(error),
                Err(_) => Broken::from("less than 32 KiB/s arrived"),
            };
            if self.of_download.left().is_zero() {
                let (kind, url) = (StoreErrorKind::Timeout, self.store.url(&self.key));
                let detail = "the download was too slow for too long";
                return Err(StoreError::new(kind, "GetObject", url, detail).caused_by(cause));
            }
            self.breaks += 1;
            if self.breaks > MAX_BREAKS || remaining == 0 {
                let url = self.store.url(&self.key);
                let kind = StoreErrorKind::Unreachable;
                let detail = "the connection broke too often";
                return Err(StoreError::new(kind, "GetObject", url, detail).caused_by(cause));
            }
            let pause = super::retry::pause(self.breaks);
            tracing::warn!(
                key = self.key,
                position = self.position,
                cause,
                "a download was interrupted"
            );
            let begin = Instant::now();
            tokio::time::sleep(pause).await;
            self.body = self.rest().await?;
            self.of_attempt = Patience::new(self.store.attempt_timeout);
            self.of_download.waited(begin.elapsed());
        }
    }

    /// Opens the rest of the object, after the bytes read so far.
    async fn rest(&self) -> Result<ByteStream, StoreError> {
        let range = self.position..self.end;
        let rest = self
            .store
            .get_bytes(&self.key, Some(&range), Some(&self.etag))
            .await;
        let rest = rest.map_err(StoreError::changed_meanwhile)?;
        // A server may ignore the condition.
        if super::unquoted(rest.e_tag()) != self.etag {
            return Err(self.store.changed(&self.key));
        }
        if announced(&rest) != Some(self.end - self.position) {
            return Err(self.store.not_the_range(&self.key));
        }
        Ok(rest.body)
    }
}

/// How many bytes an answer brings.
fn announced(output: &GetObjectOutput) -> Option<u64> {
    output.content_length().and_then(|n| u64::try_from(n).ok())
}
