//! A multipart upload that never lingers by accident: it is completed, aborted, or left open on
//! purpose for the next process to resume.
//!
//! Parts are sent while the next one is prepared; the limiter decides how many. What has been
//! sent can only become an object through [`FinishedParts`], which exists only once every part is
//! acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::hashed_part::{Contents, HashedPart};
use crate::progress::{Hidden, Progress, Told};
use crate::store::{
    Completion, Condition, Expected, ListedPart, RunStore, StoreError, StoreErrorKind, StoredPart,
    UploadId, WrittenObject,
};

/// How long to wait for parts in flight when a process stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// An open multipart upload of one object.
#[derive(Debug)]
pub struct MultipartUpload {
    target: Target,
    sent: u32,
    in_flight: JoinSet<Result<StoredPart, StoreError>>,
    stored: Vec<StoredPart>,
    /// What the server already had when the upload was resumed.
    listed: BTreeMap<u32, ListedPart>,
    is_resumed: bool,
    kept: KeptParts,
}

/// Parts that were not sent again because the server already had them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeptParts {
    /// The number of parts.
    pub parts: u64,
    /// Their total size in bytes.
    pub bytes: u64,
}

/// An upload whose parts are all acknowledged, but which is not an object yet.
#[derive(Debug)]
pub struct FinishedParts {
    target: Target,
    stored: Vec<StoredPart>,
}

#[derive(Debug)]
struct Target {
    store: RunStore,
    key: Arc<str>,
    upload: Arc<UploadId>,
    told: Told,
}

impl MultipartUpload {
    /// Opens an upload.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn create(store: &RunStore, key: &str) -> Result<Self, StoreError> {
        let upload = store.create_multipart(key, true).await?;
        Ok(Self::of(store, key, upload.id))
    }

    /// Resumes an open upload, given the parts that the server has: a part that is sent now and
    /// equals one of those is kept.
    pub fn resume(store: &RunStore, key: &str, upload: UploadId, parts: Vec<ListedPart>) -> Self {
        Self {
            listed: parts.into_iter().map(|part| (part.number, part)).collect(),
            is_resumed: true,
            ..Self::of(store, key, upload)
        }
    }

    fn of(store: &RunStore, key: &str, upload: UploadId) -> Self {
        let target = Target {
            store: store.clone(),
            key: key.into(),
            upload: Arc::new(upload),
            told: Told::to(Arc::new(Hidden)),
        };
        Self {
            target,
            sent: 0,
            in_flight: JoinSet::new(),
            stored: Vec::new(),
            listed: BTreeMap::new(),
            is_resumed: false,
            kept: KeptParts::default(),
        }
    }

    /// Reports each acknowledged part to `progress`, and takes that back if the upload is given up.
    #[must_use]
    pub fn reporting_to(mut self, progress: Arc<dyn Progress>) -> Self {
        self.target.told = Told::to(progress);
        self
    }

    /// Whether another process opened the upload.
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// The parts kept so far.
    pub fn kept(&self) -> KeptParts {
        self.kept
    }

    /// Starts sending the next part as soon as one more may be under way; its memory is freed once
    /// the server has acknowledged it. A part that the server already has is not sent. `items` is
    /// the number of items done with this part. It is safe to drop the returned future, but then
    /// the part is missing and the upload can only be left or aborted.
    ///
    /// # Errors
    /// An earlier part failed.
    pub async fn send(&mut self, part: HashedPart, items: u64) -> Result<(), StoreError> {
        self.sent += 1;
        let (number, size) = (self.sent, part.bytes.len() as u64);
        let listed = self.listed.remove(&number);
        if let Some(listed) = listed.filter(|listed| listed.is(&part)) {
            self.stored.push(StoredPart {
                number,
                etag: listed.etag,
                crc: part.crc,
            });
            self.kept.parts += 1;
            self.kept.bytes += size;
            self.target.told.skip(size, items);
            return Ok(());
        }
        let permit = self.target.store.permit().await;
        while let Some(done) = self.in_flight.try_join_next() {
            self.stored.push(joined(|| self.target.url(), done)?);
        }
        let (store, key) = (self.target.store.clone(), Arc::clone(&self.target.key));
        let upload = Arc::clone(&self.target.upload);
        let told = self.target.told.clone();
        self.in_flight.spawn(async move {
            let stored = store.upload_part(&key, &upload, number, part, permit).await;
            if stored.is_ok() {
                told.advance(size, items);
            }
            stored
        });
        Ok(())
    }

    /// Waits until every part so far is acknowledged. It is safe to drop the returned future, so an
    /// interrupted caller can still abort.
    ///
    /// # Errors
    /// The first part that failed.
    pub async fn acknowledged(&mut self) -> Result<(), StoreError> {
        while let Some(done) = self.in_flight.join_next().await {
            self.stored.push(joined(|| self.target.url(), done)?);
        }
        Ok(())
    }

    /// Waits until every part is acknowledged. If a part fails, the upload is aborted.
    ///
    /// # Errors
    /// The first part that failed.
    pub async fn finish(mut self) -> Result<FinishedParts, StoreError> {
        if let Err(error) = self.acknowledged().await {
            self.abort().await;
            return Err(error);
        }
        self.stored.sort_by_key(|part| part.number);
        Ok(FinishedParts {
            target: self.target,
            stored: self.stored,
        })
    }

    /// Stops the parts in flight and gives up the upload.
    pub async fn abort(mut self) {
        // A part that lands after the abort would stay behind, invisible and paid for.
        self.in_flight.shutdown().await;
        self.target.abort().await;
    }

    /// Leaves the upload open, to be resumed later. Parts in flight get a moment to arrive.
    pub async fn leave(mut self) {
        let arrive = async { while self.in_flight.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_TIMEOUT, arrive).await.is_err() {
            tracing::debug!(key = &*self.target.key, "parts in flight are given up");
        }
    }
}

impl FinishedParts {
    /// The upload of a process that recorded its parts once all were acknowledged.
    pub fn recorded(store: &RunStore, key: &str, upload: UploadId, parts: Vec<StoredPart>) -> Self {
        Self {
            target: Target {
                store: store.clone(),
                key: key.into(),
                upload: Arc::new(upload),
                told: Told::to(Arc::new(Hidden)),
            },
            stored: parts,
        }
    }

    /// The server's id of the upload.
    pub fn upload_id(&self) -> &UploadId {
        &self.target.upload
    }

    /// The acknowledged parts, in order.
    pub fn parts(&self) -> &[StoredPart] {
        &self.stored
    }

    /// Assembles the object, which must not exist yet, from the parts.
    ///
    /// # Errors
    /// As [`FinishedParts::complete_on`].
    pub async fn complete(self, contents: Contents) -> Result<WrittenObject, StoreError> {
        self.complete_on(contents, Condition::Absent).await
    }

    /// Assembles the object from the parts, under `condition`. If that fails permanently, the
    /// upload is aborted, but not if nobody knows whether the object exists, or if it may succeed
    /// later.
    ///
    /// # Errors
    /// Those of the request, and an object that is not the one that was sent.
    pub async fn complete_on(
        self,
        contents: Contents,
        condition: Condition<'_>,
    ) -> Result<WrittenObject, StoreError> {
        let Self { target, stored } = self;
        let expected = Expected {
            size: contents.size_bytes,
            crc: contents.crc64nvme,
            token: target.store.token(),
            proof: target.store.endpoint().proof_of_multipart(),
            etag: None,
        };
        let completing = target.store.complete_multipart(Completion {
            key: &target.key,
            upload: &target.upload,
            parts: &stored,
            expected,
            condition,
        });
        match completing.await {
            Err(error) if !error.kind.may_pass() || error.kind == StoreErrorKind::Conflict => {
                target.abort().await;
                Err(error)
            }
            done => done,
        }
    }

    /// Gives up the upload.
    pub async fn abort(self) {
        self.target.abort().await;
    }
}

impl Target {
    fn url(&self) -> String {
        self.store.url(&self.key)
    }

    async fn abort(&self) {
        self.told.take_back();
        if let Err(error) = self.store.abort_multipart(&self.key, &self.upload).await {
            let upload = self.upload.to_string();
            tracing::warn!(key = &*self.key, upload, %error, "an upload is left open");
        }
    }
}

/// A part that panicked is a part that was not sent.
fn joined(
    url: impl FnOnce() -> String,
    done: Result<Result<StoredPart, StoreError>, tokio::task::JoinError>,
) -> Result<StoredPart, StoreError> {
    done.unwrap_or_else(|panic| {
        let kind = StoreErrorKind::Refused;
        let failed = StoreError::new(kind, "UploadPart", url(), "it panicked");
        Err(failed.caused_by(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_whose_task_panics_fails_its_upload() {
        let mut in_flight = JoinSet::new();
        in_flight.spawn(async { panic!("a bug") });
        let done = in_flight.join_next().await.unwrap();
        let error = joined(|| "s3://bucket/key".to_owned(), done).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Refused);
        assert!(error.to_string().contains("panicked"), "{error}");
    }
}
