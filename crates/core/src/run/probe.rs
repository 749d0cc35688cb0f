//! Probes what an endpoint can do, and whether the credentials permit it, using the plan: the one
//! object that may be written twice, since all its writers write the same bytes.

use bytes::Bytes;

use crate::checksum::Md5;
use crate::interrupt::Interrupt;
use crate::store::Verified;
use crate::store::{
    Completion, Condition, EndpointCapabilities, Expected, MultipartAbilities, ObjectInfo,
    RunStore, StoreError, StoreErrorKind, Unanswered,
};
use crate::transfer::{Hashing, PartHasher};

/// How often another process of the same run may disturb an upload of ours.
const MAX_DISTURBED: u32 = 5;

/// Probes what the endpoint does with the plan at `key`, whose bytes are `plan`. A multipart upload
/// is tried only if the run will need one, and is aborted even if something stops the probe.
///
/// # Errors
/// Any error of the store; an interrupt.
pub(super) async fn probe(
    store: RunStore,
    key: &str,
    plan: &Bytes,
    multipart: bool,
    interrupt: &Interrupt,
) -> anyhow::Result<RunStore> {
    let mut info = interrupt.or(head(&store, key)).await?;
    if info.token.is_none() {
        let (kind, url) = (StoreErrorKind::Unsupported, store.url(key));
        let detail = "the server does not keep object metadata, by which a run recognises its own \
                      objects";
        return Err(StoreError::new(kind, "HeadObject", url, detail).into());
    }
    if info.token.as_ref() != Some(store.token()) {
        let (kind, url) = (StoreErrorKind::AlreadyExists, store.url(key));
        let detail = "another run wrote its plan there";
        return Err(StoreError::new(kind, "HeadObject", url, detail).into());
    }
    if is_of_parts(&info.etag) {
        interrupt.or(restore(&store, key, plan, &info.etag)).await?;
        info = interrupt.or(head(&store, key)).await?;
    }
    let endpoint = EndpointCapabilities {
        crc64nvme: info.crc.is_some(),
        md5_etags: info.etag == Md5::of(plan).to_string(),
        ..store.endpoint()
    };
    let store = store.on(endpoint);
    let again = store.honours_conditions(key, plan.clone());
    let endpoint = EndpointCapabilities {
        conditional_writes: interrupt.or(again).await?,
        ..endpoint
    };
    let mut store = store.on(endpoint);
    store = if multipart {
        probe_multipart(store, key, plan, interrupt).await?
    } else {
        store.on(EndpointCapabilities {
            multipart: None,
            ..endpoint
        })
    };
    for weakness in store.endpoint().weaknesses() {
        tracing::warn!("{weakness}");
    }
    Ok(store)
}

/// Whether an ETag is that of a multipart object, in the form that S3 uses.
fn is_of_parts(etag: &str) -> bool {
    etag.rsplit_once('-')
        .is_some_and(|(_, parts)| !parts.is_empty() && parts.chars().all(|c| c.is_ascii_digit()))
}

async fn head(store: &RunStore, key: &str) -> Result<ObjectInfo, StoreError> {
    store.head(key).await?.ok_or_else(|| {
        let (kind, url) = (StoreErrorKind::NotFound, store.url(key));
        StoreError::new(kind, "HeadObject", url, "it was written but is missing")
    })
}

/// Puts the plan again in one request if an earlier probe completed an upload over it: what the
/// server stores about parts says nothing about objects put in one request.
async fn restore(store: &RunStore, key: &str, plan: &Bytes, etag: &str) -> Result<(), StoreError> {
    for form in EndpointCapabilities::FORMS_OF_A_PUT {
        let store = store.clone().on(form);
        match store.replace(key, plan.clone(), etag).await {
            Err(error) if error.kind.may_be_a_header() => {}
            // Another process of this run was faster.
            Err(error) if error.kind == StoreErrorKind::AlreadyExists => break,
            restored => return restored,
        }
    }
    // If nothing works, less can be proved.
    Ok(())
}

/// Tries a whole multipart upload with CRC64NVME and a condition, then without one or the other. It
/// also tries what only resuming or cleaning up needs: listing open uploads and their parts.
async fn probe_multipart(
    store: RunStore,
    key: &str,
    plan: &Bytes,
    interrupt: &Interrupt,
) -> anyhow::Result<RunStore> {
    match interrupt.or(store.open_uploads(key)).await {
        Err(error) if kind_of(&error) == Some(StoreErrorKind::Unsupported) => {}
        listed => drop(listed?),
    }
    let endpoint = store.endpoint();
    let mut refused = None;
    for (full_object_crc64nvme, asks) in
        [(true, true), (true, false), (false, true), (false, false)]
    {
        // A checksum that the server shows for no object proves nothing.
        if full_object_crc64nvme && !endpoint.crc64nvme {
            continue;
        }
        let with = |conditional_completes, md5_etags| EndpointCapabilities {
            md5_etags,
            multipart: Some(MultipartAbilities {
                conditional_completes,
                full_object_crc64nvme,
            }),
            ..endpoint
        };
        // Whether ETags of parts are MD5s is observed here, and not relied on yet.
        let tried = store.clone().on(with(asks, false));
        match complete(&tried, key, plan, interrupt).await {
            Ok(Some(done)) => {
                let md5_etags = endpoint.md5_etags && (full_object_crc64nvme || done.has_md5);
                return Ok(store.on(with(asks && done.refused, md5_etags)));
            }
            Ok(None) => {}
            Err(error) if kind_of(&error).is_some_and(StoreErrorKind::may_be_a_header) => {
                refused = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    let (kind, url) = (StoreErrorKind::Unsupported, store.url(key));
    let detail = "the server accepts no form of multipart upload";
    Err(refused
        .unwrap_or_else(|| StoreError::new(kind, "CreateMultipartUpload", url, detail).into()))
}

/// The outcome of a multipart upload over the plan.
struct Tried {
    /// Whether Complete refused to replace the plan.
    refused: bool,
    /// Whether the ETag of the part is its MD5.
    has_md5: bool,
}

/// Uploads the plan as a multipart upload; `None` if the server does not promise the CRC of the
/// whole object although it was asked to.
async fn complete(
    store: &RunStore,
    key: &str,
    plan: &Bytes,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Tried>> {
    let wants_crc = store.endpoint().proof_of_multipart() == Verified::FullObjectCrc;
    let before = store.head(key).await?.map(|info| info.etag);
    let md5 = Md5::of(plan).to_string();
    for _ in 0..MAX_DISTURBED {
        interrupt.check()?;
        // Must not be interrupted: an upload whose id nobody knows could not be aborted.
        let upload = store.create_multipart(key, false).await?;
        if wants_crc && !upload.full_object_crc {
            store.abort_multipart(key, &upload.id).await?;
            return Ok(None);
        }
        let mut hasher = PartHasher::new(Hashing::default());
        let part = hasher.hash_bytes(plan.clone());
        let hashes = hasher.finish();
        let expected = Expected {
            size: hashes.contents.size_bytes,
            crc: hashes.contents.crc64nvme,
            token: store.token(),
            proof: store.endpoint().proof_of_multipart(),
            etag: None,
        };
        let mut has_md5 = false;
        let completed = async {
            let permit = store.permit().await;
            let part = store.upload_part(key, &upload.id, 1, part, permit);
            let part = part.await?;
            has_md5 = part.etag == md5;
            let completion = Completion {
                key,
                upload: &upload.id,
                parts: &[part],
                expected,
                condition: Condition::Unmet,
            };
            let unanswered = Unanswered::default();
            store.complete_once(completion, &unanswered).await
        };
        let completed = interrupt.or(completed).await;
        // Abort it even if it became the plan: a missing permission to abort shows before it is
        // needed.
        store.abort_multipart(key, &upload.id).await?;
        let tried = |refused| Ok(Some(Tried { refused, has_md5 }));
        let refused = match completed {
            Ok(_) => return tried(false),
            Err(error) => error,
        };
        match kind_of(&refused) {
            Some(StoreErrorKind::AlreadyExists) => return tried(true),
            Some(StoreErrorKind::NoSuchUpload) => {
                // Either it was completed and the reply was lost, or another process of this run
                // aborted it.
                if store.head(key).await?.map(|info| info.etag) != before {
                    return tried(false);
                }
            }
            // Another process of this run is writing the plan right now.
            Some(StoreErrorKind::Conflict) => {}
            _ => return Err(refused),
        }
    }
    let (kind, url) = (StoreErrorKind::Conflict, store.url(key));
    let detail = "another process interferes with the uploads of this run";
    Err(StoreError::new(kind, "UploadPart", url, detail).into())
}

fn kind_of(error: &anyhow::Error) -> Option<StoreErrorKind> {
    error.downcast_ref::<StoreError>().map(|error| error.kind)
}
