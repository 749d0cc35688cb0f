//! What a client sets on an object besides its bytes. S3 stores it, reports it in HEAD, and refuses
//! values it does not know.

use s3s::dto::{Metadata, ServerSideEncryption, StorageClass};
use s3s::{S3Result, s3_error};

/// S3's limit on user metadata, names and values together.
const MAX_METADATA_BYTES: usize = 2048;

/// What a client sets on an object besides its bytes.
#[derive(Clone, Default)]
pub(crate) struct Attributes {
    pub(crate) metadata: Metadata,
    pub(crate) content_type: Option<String>,
    /// Never `STANDARD`, which S3 does not report.
    pub(crate) storage_class: Option<StorageClass>,
    pub(crate) encryption: Encryption,
}

/// How an object is encrypted at rest.
#[derive(Clone, Default)]
pub(crate) struct Encryption {
    pub(crate) algorithm: Option<ServerSideEncryption>,
    /// Only with `aws:kms`.
    pub(crate) kms_key_id: Option<String>,
}

impl Attributes {
    /// The attributes requested for a new object, or S3's reason for refusing them.
    pub(crate) fn new(
        metadata: Option<Metadata>,
        content_type: Option<String>,
        storage_class: Option<StorageClass>,
        encryption: Encryption,
    ) -> S3Result<Self> {
        let metadata = metadata.unwrap_or_default();
        let bytes: usize = metadata
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if bytes > MAX_METADATA_BYTES {
            return Err(s3_error!(MetadataTooLarge, "{bytes} bytes of metadata"));
        }
        encryption.check()?;
        Ok(Self {
            metadata,
            content_type,
            storage_class: shown(storage_class)?,
            encryption,
        })
    }
}

impl Encryption {
    fn check(&self) -> S3Result<()> {
        match self.algorithm.as_ref().map(ServerSideEncryption::as_str) {
            None | Some(ServerSideEncryption::AES256) if self.kms_key_id.is_some() => Err(
                s3_error!(InvalidArgument, "a KMS key goes with aws:kms alone"),
            ),
            None | Some(ServerSideEncryption::AES256 | ServerSideEncryption::AWS_KMS) => Ok(()),
            Some(other) => Err(s3_error!(
                InvalidEncryptionAlgorithmError,
                "server-side encryption {other:?} is not supported"
            )),
        }
    }
}

/// The storage class that HEAD will report.
fn shown(asked: Option<StorageClass>) -> S3Result<Option<StorageClass>> {
    match asked.as_ref().map(StorageClass::as_str) {
        None | Some(StorageClass::STANDARD) => Ok(None),
        Some(
            StorageClass::DEEP_ARCHIVE
            | StorageClass::GLACIER
            | StorageClass::GLACIER_IR
            | StorageClass::INTELLIGENT_TIERING
            | StorageClass::ONEZONE_IA
            | StorageClass::REDUCED_REDUNDANCY
            | StorageClass::STANDARD_IA,
        ) => Ok(asked),
        Some(class) => Err(s3_error!(
            InvalidStorageClass,
            "storage class {class:?} is not valid"
        )),
    }
}
