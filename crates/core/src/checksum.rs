//! CRC64NVME, SHA-256 and MD5.

mod crc;
mod hash;

pub use self::crc::Crc;
pub use self::hash::{MAX_DOWNLOADS, Md5, Md5Hasher, Sha256, Sha256Hasher};
