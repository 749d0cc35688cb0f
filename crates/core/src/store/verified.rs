//! How the server's copy of an object was proved.

use serde::{Deserialize, Serialize};

/// How the server's copy of a data file was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verified {
    /// The server computed the CRC64NVME of the whole object, and it matches ours.
    #[serde(rename = "full-object-crc64nvme")]
    FullObjectCrc,
    /// The ETag of each part is the MD5 of its bytes, and the object has our size.
    PartMd5,
    /// The object has our size; the server says nothing else about its bytes.
    SizeOnly,
}
