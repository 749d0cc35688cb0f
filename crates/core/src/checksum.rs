//! CRC64NVME, SHA-256 and MD5 of bytes, and the digest and number of documents.

mod crc;
mod digest;
mod documents;
mod hash;

pub use self::crc::Crc;
pub(crate) use self::crc::CrcHasher;
pub use self::digest::Digest;
pub use self::documents::Documents;
pub use self::hash::{MAX_DOWNLOADS, Md5, Md5Hasher, Sha256, Sha256Hasher};
