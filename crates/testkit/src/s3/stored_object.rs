//! What a test sees of an object, whichever server stores it.

use std::collections::BTreeMap;

use bytes::Bytes;

/// A stored object, as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// The whole content.
    pub bytes: Bytes,
    /// ETag without quotes.
    pub etag: String,
    /// User metadata; names in lower case without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// CRC64NVME in base64, as HEAD reports it; `None` if the object was stored with another
    /// checksum, or the server keeps none.
    pub crc64nvme: Option<String>,
    /// Storage class; `None` for `STANDARD`.
    pub storage_class: Option<String>,
    /// `AES256` or `aws:kms`, if the client asked for it.
    pub server_side_encryption: Option<String>,
    /// The KMS key that the client named.
    pub kms_key_id: Option<String>,
}
