//! What an earlier process of the run left of a file: an object to prove, or an open upload whose
//! parts are worth keeping.

use lob_core::failure::{ExitStatus, Failure};
use lob_core::store::Verified;
use lob_core::store::{
    Expected, ListedPart, ObjectInfo, OpenUpload, StoreError, StoreErrorKind, WrittenObject,
};
use lob_core::transfer::MultipartUpload;

use crate::read::Reader;
use crate::send::{Kept, Sender, Sent};
use crate::source::SourceFile;

impl Sender<'_> {
    /// Reads the file to prove that the object `there` holds its bytes; `None` if the endpoint
    /// keeps nothing that could prove it, so the file has to be sent again.
    ///
    /// # Errors
    /// The object does not hold the file's bytes.
    pub(crate) async fn prove(
        &self,
        file: &SourceFile,
        key: &str,
        there: &ObjectInfo,
    ) -> anyhow::Result<Option<Sent>> {
        let (store, size) = (&self.run.store, file.fingerprint.size);
        let in_parts = size > self.multipart_threshold;
        let proof = match in_parts {
            true => store.endpoint().proof_of_multipart(),
            false => store.endpoint().proof_of_put(),
        };
        let conflict = || {
            let message = format!("`{}` is not the same as the local file", store.url(key));
            let is_ours = there.token.as_ref() == Some(self.run.store.token());
            let hint = match is_ours {
                true => {
                    "the data was damaged on the way, or the file has changed since: use another \
                     --run-id"
                }
                false => "another process wrote it; use another --run-id",
            };
            Failure::new(ExitStatus::Failed, message)
                .with_hint(hint)
                .lasting()
        };
        if there.token.as_ref() != Some(self.run.store.token()) || there.size != size {
            return Err(conflict().into());
        }
        if proof == Verified::SizeOnly {
            return Ok(None);
        }
        let mut reader = Reader::open(file, self.hashing).await?;
        let part_size = if in_parts {
            self.budget.part_size_for(size)
        } else {
            size
        };
        while reader.left() > 0 {
            (reader, _) = reader.part(part_size, self.budget).await?;
        }
        let hashes = reader.finish().await?;
        let etag = match (proof, in_parts) {
            (Verified::PartMd5, true) => hashes.etag_of_parts(),
            (Verified::PartMd5, false) => hashes.etag_of_put(),
            _ => None,
        };
        let expected = Expected {
            size,
            crc: hashes.contents.crc64nvme,
            token: self.run.store.token(),
            proof,
            etag: etag.as_deref(),
        };
        if expected.is(there) {
            self.progress.skip(size, 0);
            return Ok(Some(Sent {
                hashes,
                object: WrittenObject {
                    etag: there.etag.clone(),
                    version_id: there.version_id.clone(),
                    verified: proof,
                },
                kept: Kept {
                    files: 1,
                    parts: 0,
                    bytes: size,
                },
            }));
        }
        match proof {
            // Not every server computes the ETag of a multipart object as S3 does.
            Verified::PartMd5 if in_parts => Ok(None),
            _ => Err(conflict().into()),
        }
    }

    /// Opens an upload, or resumes the one with the most parts on the server. Other uploads of the
    /// same key are aborted.
    ///
    /// # Errors
    /// A store error.
    pub(crate) async fn open_upload(
        &self,
        key: &str,
        may_be_there: bool,
    ) -> anyhow::Result<MultipartUpload> {
        let store = &self.run.store;
        let open = match may_be_there {
            true => self.stop.or(self.open_uploads(key)).await?,
            false => Vec::new(),
        };
        let mut best: Option<(OpenUpload, Vec<ListedPart>)> = None;
        for upload in open {
            let listing = self.listed_parts(key, &upload);
            let Some(parts) = self.stop.or(listing).await? else {
                continue;
            };
            let worse = match &best {
                Some((_, most)) if parts.len() <= most.len() => Some((upload, parts)),
                _ => best.replace((upload, parts)),
            };
            if let Some((worse, _)) = worse {
                store.abort_multipart(key, &worse.id).await?;
            }
        }
        match best {
            Some((upload, parts)) => {
                let (count, id) = (parts.len(), upload.id.to_string());
                tracing::info!(key, upload = id, parts = count, "resuming an open upload");
                Ok(MultipartUpload::resume(store, key, upload.id, parts))
            }
            // Must not be interrupted: an upload whose id nobody knows could not be aborted.
            None => Ok(MultipartUpload::create(store, key).await?),
        }
    }

    async fn open_uploads(&self, key: &str) -> Result<Vec<OpenUpload>, StoreError> {
        match self.run.store.open_uploads(key).await {
            Err(error) if error.kind == StoreErrorKind::Unsupported => {
                tracing::warn!(
                    key,
                    "the server cannot list open uploads: the file is sent again, and an upload \
                     that an earlier process opened stays open"
                );
                Ok(Vec::new())
            }
            open => open,
        }
    }

    /// The parts of an upload, or `None` if it is gone; empty if the server cannot list parts.
    async fn listed_parts(
        &self,
        key: &str,
        upload: &OpenUpload,
    ) -> Result<Option<Vec<ListedPart>>, StoreError> {
        match self.run.store.list_parts(key, &upload.id).await {
            Err(error) if error.kind == StoreErrorKind::Unsupported => {
                tracing::warn!(key, "the server cannot list parts: the file is sent again");
                Ok(Some(Vec::new()))
            }
            Err(error) if error.kind == StoreErrorKind::NoSuchUpload => Ok(None),
            parts => parts.map(Some),
        }
    }
}
