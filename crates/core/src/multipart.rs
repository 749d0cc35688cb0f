//! A multipart upload that always ends: completed, or aborted.
//!
//! Parts are sent while the next ones are being made; the byte budget bounds how many. What has
//! been sent can only become an object through [`FinishedParts`], which exists only when every
//! part was acknowledged.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::part::{FileHashes, HashedPart};
use crate::progress::{Hidden, Progress};
use crate::store::{
    Expected, ObjectInfo, Store, StoreError, StoreErrorKind, StoredPart, UploadId, WriteToken,
};

/// An open multipart upload of one object.
#[derive(Debug)]
pub struct MultipartUpload {
    target: Target,
    sent: u32,
    in_flight: JoinSet<Result<StoredPart, StoreError>>,
    stored: Vec<StoredPart>,
    progress: Arc<dyn Progress>,
}

/// An upload whose parts are all acknowledged, and which is not an object yet.
#[derive(Debug)]
pub struct FinishedParts {
    target: Target,
    stored: Vec<StoredPart>,
}

#[derive(Debug)]
struct Target {
    store: Store,
    key: Arc<str>,
    upload: Arc<UploadId>,
    token: WriteToken,
}

impl MultipartUpload {
    /// Opens an upload.
    ///
    /// # Errors
    /// The store's.
    pub async fn create(store: &Store, key: &str, token: &WriteToken) -> Result<Self, StoreError> {
        let upload = store.create_multipart(key, token).await?;
        let target = Target {
            store: store.clone(),
            key: key.into(),
            upload: Arc::new(upload),
            token: token.clone(),
        };
        Ok(Self {
            target,
            sent: 0,
            in_flight: JoinSet::new(),
            stored: Vec::new(),
            progress: Arc::new(Hidden),
        })
    }

    /// Tells `progress` of each acknowledged part.
    #[must_use]
    pub fn reporting_to(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Starts to send the next part and returns at once; its memory is free again when the server
    /// has acknowledged it.
    ///
    /// # Errors
    /// An earlier part that failed. The caller aborts.
    pub fn send(&mut self, part: HashedPart) -> Result<(), StoreError> {
        while let Some(done) = self.in_flight.try_join_next() {
            self.stored.push(joined(&self.target, done)?);
        }
        self.sent += 1;
        let number = self.sent;
        let (store, key) = (self.target.store.clone(), Arc::clone(&self.target.key));
        let upload = Arc::clone(&self.target.upload);
        let progress = Arc::clone(&self.progress);
        self.in_flight.spawn(async move {
            let HashedPart { bytes, crc } = part;
            let size = bytes.len() as u64;
            let stored = store.upload_part(&key, &upload, number, bytes, crc).await;
            if stored.is_ok() {
                progress.advance(size, 0);
            }
            stored
        });
        Ok(())
    }

    /// Waits until every part so far is acknowledged. Dropping the wait loses nothing, so a caller
    /// that is interrupted can still abort.
    ///
    /// # Errors
    /// The first part that failed. The caller aborts.
    pub async fn acknowledged(&mut self) -> Result<(), StoreError> {
        while let Some(done) = self.in_flight.join_next().await {
            self.stored.push(joined(&self.target, done)?);
        }
        Ok(())
    }

    /// Waits until every part is acknowledged. If one is not, the upload is aborted.
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

    /// Stops what is in flight and gives the upload up.
    pub async fn abort(mut self) {
        // A part that lands after the abort would stay behind, unseen and paid for.
        self.in_flight.shutdown().await;
        self.target.abort().await;
    }
}

impl FinishedParts {
    /// The server's name for the upload.
    pub fn upload_id(&self) -> &UploadId {
        &self.target.upload
    }

    /// The acknowledged parts, in order.
    pub fn parts(&self) -> &[StoredPart] {
        &self.stored
    }

    /// Makes the object out of the parts. If that fails, the upload is aborted, unless nobody knows
    /// whether the object exists.
    ///
    /// # Errors
    /// As [`Store::put_new`].
    pub async fn complete(self, file: &FileHashes) -> Result<ObjectInfo, StoreError> {
        let Self { target, stored } = self;
        let expected = Expected {
            size: file.size,
            crc: file.crc,
            token: &target.token,
        };
        let done = target
            .store
            .complete_multipart(&target.key, &target.upload, &stored, &expected)
            .await;
        match done {
            Err(error) if error.kind != StoreErrorKind::Unknown => {
                target.abort().await;
                Err(error)
            }
            done => done,
        }
    }

    /// Gives the upload up.
    pub async fn abort(self) {
        self.target.abort().await;
    }
}

impl Target {
    async fn abort(&self) {
        if let Err(error) = self.store.abort_multipart(&self.key, &self.upload).await {
            let upload = self.upload.to_string();
            tracing::warn!(key = &*self.key, upload, %error, "an upload stays open");
        }
    }
}

fn joined(
    target: &Target,
    done: Result<Result<StoredPart, StoreError>, tokio::task::JoinError>,
) -> Result<StoredPart, StoreError> {
    done.unwrap_or_else(|panic| {
        let url = target.store.url(&target.key);
        let failed = StoreError::new(StoreErrorKind::Refused, "UploadPart", url, "it panicked");
        Err(failed.caused_by(panic))
    })
}
