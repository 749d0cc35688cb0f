//! Learns what an endpoint can do and whether the credentials permit it, on the plan: the one object
//! that may be written twice, since all its writers write the same bytes.

use bytes::Bytes;

use crate::hash::Md5;
use crate::interrupt::Interrupt;
use crate::manifest::Verified;
use crate::part::{Hashing, PartHasher};
use crate::store::{
    Condition, Endpoint, Expected, MultipartAbilities, ObjectInfo, Store, StoreError,
    StoreErrorKind, Unanswered, WriteToken,
};

/// How often another process of the same run may get in the way of an upload of ours.
const MAX_DISTURBED: u32 = 5;

/// What the endpoint does with the plan at `key`, whose bytes these are. An upload in parts is
/// tried only if the run will have one, and is aborted whatever stops it.
///
/// # Errors
/// The store's; an interrupt.
pub(super) async fn probe(
    store: Store,
    key: &str,
    plan: &Bytes,
    token: &WriteToken,
    multipart: bool,
    interrupt: &Interrupt,
) -> anyhow::Result<Store> {
    let mut info = interrupt.or(head(&store, key)).await?;
    if info.token.as_ref() != Some(token) {
        let (kind, url) = (StoreErrorKind::AlreadyExists, store.url(key));
        let detail = "another run wrote its plan there";
        return Err(StoreError::new(kind, "HeadObject", url, detail).into());
    }
    if is_of_parts(&info.etag) {
        interrupt
            .or(restore(&store, key, plan, token, &info.etag))
            .await?;
        info = interrupt.or(head(&store, key)).await?;
    }
    let endpoint = Endpoint {
        crc64nvme: info.crc.is_some(),
        md5_etags: info.etag == Md5::of(plan).to_string(),
        ..store.endpoint()
    };
    let store = store.on(endpoint);
    let again = store.honours_conditions(key, plan.clone(), token);
    let endpoint = Endpoint {
        conditional_writes: interrupt.or(again).await?,
        ..endpoint
    };
    let mut store = store.on(endpoint);
    store = if multipart {
        probe_multipart(store, key, plan, token, interrupt).await?
    } else {
        store.on(Endpoint {
            multipart: None,
            ..endpoint
        })
    };
    for weakness in store.endpoint().weaknesses() {
        tracing::warn!("{weakness}");
    }
    Ok(store)
}

/// Whether an ETag is that of an object made of parts, as S3 forms it.
fn is_of_parts(etag: &str) -> bool {
    etag.rsplit_once('-')
        .is_some_and(|(_, parts)| !parts.is_empty() && parts.chars().all(|c| c.is_ascii_digit()))
}

async fn head(store: &Store, key: &str) -> Result<ObjectInfo, StoreError> {
    store.head(key).await?.ok_or_else(|| {
        let (kind, url) = (StoreErrorKind::NotFound, store.url(key));
        StoreError::new(kind, "HeadObject", url, "it was written and is not there")
    })
}

/// Puts the plan in one request again, where an earlier probe completed an upload over it: what the
/// server keeps of parts says nothing about objects put in one request.
async fn restore(
    store: &Store,
    key: &str,
    plan: &Bytes,
    token: &WriteToken,
    etag: &str,
) -> Result<(), StoreError> {
    let without_crc = store.clone().on(Endpoint {
        crc64nvme: false,
        md5_etags: false,
        ..store.endpoint()
    });
    let mut restored = store.replace(key, plan.clone(), token, etag).await;
    if let Err(error) = &restored
        && error.kind.may_be_a_header()
    {
        restored = without_crc.replace(key, plan.clone(), token, etag).await;
    }
    match restored {
        // Another process of the run was faster, or there is no way: then less can be proved.
        Err(error)
            if error.kind == StoreErrorKind::AlreadyExists || error.kind.may_be_a_header() =>
        {
            Ok(())
        }
        restored => restored,
    }
}

/// Tries the whole of a multipart upload, first with CRC64NVME, then without. What only a resumption
/// or a cleanup does is tried as well: to list open uploads and their parts.
async fn probe_multipart(
    store: Store,
    key: &str,
    plan: &Bytes,
    token: &WriteToken,
    interrupt: &Interrupt,
) -> anyhow::Result<Store> {
    match interrupt.or(store.open_uploads(key)).await {
        Err(error) if kind_of(&error) == Some(StoreErrorKind::Unsupported) => {}
        listed => drop(listed?),
    }
    let endpoint = store.endpoint();
    let with = |full_object_crc64nvme, conditional_completes| Endpoint {
        multipart: Some(MultipartAbilities {
            conditional_completes,
            full_object_crc64nvme,
        }),
        ..endpoint
    };
    let crc = store.on(with(true, true));
    match completes_on_condition(&crc, key, plan, token, interrupt).await {
        Ok(Some(conditional)) => return Ok(crc.on(with(true, conditional))),
        Ok(None) => {}
        Err(error) if kind_of(&error).is_some_and(StoreErrorKind::may_be_a_header) => {}
        Err(error) => return Err(error),
    }
    let plain = crc.on(with(false, true));
    let conditional = completes_on_condition(&plain, key, plan, token, interrupt).await?;
    Ok(plain.on(with(false, conditional.unwrap_or(false))))
}

/// Whether Complete refuses to replace the plan; `None` where the server does not promise the CRC
/// of the whole object although it was asked for.
async fn completes_on_condition(
    store: &Store,
    key: &str,
    plan: &Bytes,
    token: &WriteToken,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<bool>> {
    let wants_crc = store.endpoint().proof_of_multipart() == Verified::FullObjectCrc;
    let before = store.head(key).await?.map(|info| info.etag);
    for _ in 0..MAX_DISTURBED {
        interrupt.check()?;
        // Not to be interrupted: an upload whose id nobody knows could not be aborted.
        let upload = store.create_multipart(key, token, false).await?;
        if wants_crc && !upload.full_object_crc {
            store.abort_multipart(key, &upload.id).await?;
            return Ok(None);
        }
        let mut hasher = PartHasher::new(Hashing {
            part_md5: store.endpoint().needs_md5(),
            ..Hashing::default()
        });
        let part = hasher.hash_bytes(plan.clone());
        let hashes = hasher.finish();
        let expected = Expected {
            size: hashes.size,
            crc: hashes.crc,
            token,
            proof: store.endpoint().proof_of_multipart(),
            etag: None,
        };
        let completed = async {
            let part = store.upload_part(key, &upload.id, 1, part).await?;
            store
                .complete_once(
                    key,
                    &upload.id,
                    &[part],
                    &expected,
                    Condition::Unmet,
                    &Unanswered::default(),
                )
                .await
        };
        let completed = interrupt.or(completed).await;
        // Also one that became the plan: whoever may not abort uploads is told before any is needed.
        store.abort_multipart(key, &upload.id).await?;
        let refused = match completed {
            Ok(_) => return Ok(Some(false)),
            Err(error) => error,
        };
        match kind_of(&refused) {
            Some(StoreErrorKind::AlreadyExists) => return Ok(Some(true)),
            Some(StoreErrorKind::NoSuchUpload) => {
                // Either it was completed, and the reply was lost, or another process of this run
                // aborted it.
                if store.head(key).await?.map(|info| info.etag) != before {
                    return Ok(Some(false));
                }
            }
            // Another process of this run writes the plan just now.
            Some(StoreErrorKind::Conflict) => {}
            _ => return Err(refused),
        }
    }
    let (kind, url) = (StoreErrorKind::Conflict, store.url(key));
    let detail = "another process gets in the way of the uploads of this run";
    Err(StoreError::new(kind, "UploadPart", url, detail).into())
}

fn kind_of(error: &anyhow::Error) -> Option<StoreErrorKind> {
    error.downcast_ref::<StoreError>().map(|error| error.kind)
}
