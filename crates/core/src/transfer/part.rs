//! Parts of a file on their way to S3: cut, hashed once, and charged to a single byte budget.
//!
//! The only way to get a [`HashedPart`] is to hash in order, so the SHA-256 and CRC of a file are
//! always those of the very buffers that were sent. Buffers are reused: allocating and freeing
//! memory part after part would fragment it, and resident memory would creep up.
//!
//! A [`PartBuffer`] is paid for from the moment it exists. Whoever takes one already has the bytes
//! to fill it with, in a file or in memory, and sends it once it is filled. So whoever holds a
//! buffer waits for the disk, for a slot or for the server, but never for another buffer: memory
//! always comes back, however many files share it and however little there is.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::settings::ByteSize;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::checksum::Crc;
use crate::checksum::{Md5, Md5Hasher, Sha256, Sha256Hasher};
use crate::failure::Failure;
use crate::settings::{MAX_PARTS, PART_SIZE_RANGE, PartSettings};
use crate::store::Bandwidth;

/// Granularity of the budget: a semaphore counts at most 2^29 permits on 32-bit machines.
const PERMIT_BYTES: u64 = 4096;

/// How large parts are, and how many bytes of them may be in memory at once.
#[derive(Debug, Clone)]
pub struct PartBudget {
    part_size: u64,
    permits: Arc<Semaphore>,
    capacity: u32,
    pool: Arc<Pool>,
}

/// Buffers of one part each, waiting to be reused; as many as fit into the budget.
#[derive(Debug)]
struct Pool {
    buffers: Mutex<Vec<Vec<u8>>>,
    buffer_size: usize,
    capacity: usize,
}

impl PartBudget {
    /// The budget that `settings` define.
    ///
    /// # Errors
    /// A part size outside S3's limits, or a budget that cannot hold two parts: one to fill while
    /// the other is sent.
    pub fn new(settings: &PartSettings) -> Result<Self, Failure> {
        let (smallest, largest) = PART_SIZE_RANGE;
        let (part_size, buffer_size) = (settings.part_size, settings.buffer_size);
        if part_size < smallest || part_size > largest {
            return Err(Failure::usage(format!(
                "`part_size` {part_size} is outside S3's limits, {smallest} to {largest}"
            ))
            .about(&["part_size"]));
        }
        if buffer_size.0 < 2 * part_size.0 {
            return Err(Failure::usage(format!(
                "`buffer_size` {buffer_size} cannot hold two parts of `part_size` {part_size}"
            ))
            .about(&["buffer_size", "part_size"]));
        }
        Bandwidth::of(settings.max_bandwidth)?;
        let capacity = u32::try_from(buffer_size.0 / PERMIT_BYTES).unwrap_or(u32::MAX);
        let pool = Pool {
            buffers: Mutex::default(),
            buffer_size: usize::try_from(part_size.0).unwrap_or(usize::MAX),
            capacity: usize::try_from(buffer_size.0 / part_size.0).unwrap_or(usize::MAX),
        };
        let permits = Arc::new(Semaphore::new(capacity as usize));
        Ok(Self {
            part_size: part_size.0,
            permits,
            capacity,
            pool: Arc::new(pool),
        })
    }

    /// The part size, in bytes, if the size of the file is not known in advance.
    pub fn part_size(&self) -> u64 {
        self.part_size
    }

    /// The part size for a file of `file_size` bytes: as configured, or larger if 10,000 parts
    /// would not be enough.
    pub fn part_size_for(&self, file_size: u64) -> u64 {
        let needed = file_size
            .div_ceil(MAX_PARTS)
            .next_multiple_of(ByteSize::mib(1).0);
        self.part_size.max(needed)
    }

    /// An empty buffer for a part of `size` bytes, once the budget has room for them. A part larger
    /// than the whole budget takes all of it. Wait only with all the bytes at hand, and without
    /// another buffer that is yet to be sent.
    pub async fn buffer(&self, size: u64) -> PartBuffer {
        let permits = u32::try_from(size.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let permits = permits.min(self.capacity);
        // The semaphore is never closed; if it were, memory would be the lesser problem.
        let paid = match Arc::clone(&self.permits).acquire_many_owned(permits).await {
            Ok(paid) => paid,
            Err(closed) => unreachable!("{closed}"),
        };
        PartBuffer {
            bytes: self.pool.take(usize::try_from(size).unwrap_or(usize::MAX)),
            size,
            pool: Arc::clone(&self.pool),
            _paid: paid,
        }
    }
}

/// Room for the bytes of one part, paid for until it is dropped; then the buffer returns to the
/// pool and its bytes to the budget.
#[derive(Debug)]
pub struct PartBuffer {
    bytes: Vec<u8>,
    /// As many bytes as are paid for.
    size: u64,
    pool: Arc<Pool>,
    _paid: OwnedSemaphorePermit,
}

impl PartBuffer {
    /// Reads from `source` until the buffer is full or `source` ends. Returns how many bytes it
    /// took.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn fill(&mut self, source: impl Read) -> io::Result<u64> {
        let room = self.size.saturating_sub(self.bytes.len() as u64);
        let taken = source.take(room).read_to_end(&mut self.bytes)?;
        Ok(taken as u64)
    }
}

impl AsRef<[u8]> for PartBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Pool {
    /// An empty vector with room for `size` bytes.
    fn take(&self, size: usize) -> Vec<u8> {
        let pooled = if size <= self.buffer_size {
            self.lock().pop()
        } else {
            None
        };
        pooled.unwrap_or_else(|| {
            // All ordinary parts have the same size; pages that are never written take no memory.
            Vec::with_capacity(size.max(self.buffer_size))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PartBuffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut buffers = self.pool.lock();
        if bytes.capacity() == self.pool.buffer_size && buffers.len() < self.pool.capacity {
            bytes.clear();
            buffers.push(bytes);
        }
    }
}

/// The next bytes of a file, with their CRC. The memory is freed when the last request that sends
/// it is done.
#[derive(Debug)]
pub struct HashedPart {
    pub(crate) bytes: Bytes,
    pub(crate) crc: Crc,
    /// Set if the endpoint can prove nothing better.
    pub(crate) md5: Option<Md5>,
}

/// The size and hashes of a file, known once its last byte is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHashes {
    /// Size, SHA-256 and CRC64NVME.
    pub contents: Contents,
    /// MD5 of all bytes, if requested.
    pub md5: Option<Md5>,
    /// MD5 of each part, if requested.
    part_md5s: Vec<Md5>,
}

/// What identifies the bytes of a file, named as in manifests and records. The server can be asked
/// about all but the SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of all bytes.
    pub sha256: Sha256,
    /// CRC64NVME of all bytes.
    pub crc64nvme: Crc,
}

impl FileHashes {
    /// The ETag of the file when put in one request, as S3 computes it; known if the MD5 of each
    /// part is.
    pub fn etag_of_put(&self) -> Option<String> {
        match self.part_md5s[..] {
            [md5] => Some(md5.to_string()),
            _ => None,
        }
    }

    /// The ETag of the file when uploaded in parts, as S3 computes it; known if the MD5 of each
    /// part is.
    pub fn etag_of_parts(&self) -> Option<String> {
        let count = self.part_md5s.len();
        (count > 0).then(|| format!("{}-{count}", Md5::of_parts(&self.part_md5s)))
    }
}

/// What to compute besides SHA-256 and CRC64NVME. MD5 costs more than everything else together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hashing {
    /// The MD5 of the whole file.
    pub md5: bool,
    /// The MD5 of each part.
    pub part_md5: bool,
}

/// Hashes a file part by part.
#[derive(Debug)]
pub struct PartHasher {
    sha256: Sha256Hasher,
    crc: Crc,
    size: u64,
    md5: Option<Md5Hasher>,
    part_md5s: Option<Vec<Md5>>,
}

impl PartHasher {
    /// A hasher that has seen no bytes yet.
    pub fn new(hashing: Hashing) -> Self {
        Self {
            sha256: Sha256Hasher::default(),
            crc: Crc::EMPTY,
            size: 0,
            md5: hashing.md5.then(Md5Hasher::default),
            part_md5s: hashing.part_md5.then(Vec::new),
        }
    }

    /// Hashes the next bytes of the file. This takes milliseconds: call it where blocking is
    /// acceptable.
    pub fn hash(&mut self, buffer: PartBuffer) -> HashedPart {
        self.hash_bytes(Bytes::from_owner(buffer))
    }

    /// Hashes bytes that are in memory anyway, for a part outside the budget.
    pub(crate) fn hash_bytes(&mut self, bytes: Bytes) -> HashedPart {
        let crc = Crc::of(&bytes);
        self.sha256.update(&bytes);
        self.crc = self.crc.then(crc, bytes.len() as u64);
        self.size += bytes.len() as u64;
        if let Some(md5) = &mut self.md5 {
            md5.update(&bytes);
        }
        let md5 = self.part_md5s.as_mut().map(|md5s| {
            let md5 = Md5::of(&bytes);
            md5s.push(md5);
            md5
        });
        HashedPart { bytes, crc, md5 }
    }

    /// The hashes of all bytes so far.
    pub fn finish(self) -> FileHashes {
        FileHashes {
            contents: Contents {
                size_bytes: self.size,
                sha256: self.sha256.finish(),
                crc64nvme: self.crc,
            },
            md5: self.md5.map(Md5Hasher::finish),
            part_md5s: self.part_md5s.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    fn budget(part_size: ByteSize, buffer_size: ByteSize) -> Result<PartBudget, Failure> {
        PartBudget::new(&PartSettings {
            part_size,
            buffer_size,
            ..PartSettings::defaults()
        })
    }

    #[test]
    fn part_sizes_outside_the_limits_of_s3_or_the_budget_are_refused() {
        assert!(budget(ByteSize::mib(4), ByteSize::mib(64)).is_err());
        assert!(budget(ByteSize::gib(6), ByteSize::gib(64)).is_err());
        assert!(budget(ByteSize::mib(8), ByteSize::mib(15)).is_err());
        assert!(budget(ByteSize::mib(8), ByteSize::mib(16)).is_ok());
    }

    proptest! {
        #[test]
        fn any_file_within_the_limit_of_s3_fits_into_its_parts(file_size in 0..5_u64 << 40) {
            let part_size =
                budget(ByteSize::mib(8), ByteSize::mib(64)).unwrap().part_size_for(file_size);
            prop_assert!(file_size.div_ceil(part_size) <= MAX_PARTS);
            prop_assert!(part_size >= PART_SIZE_RANGE.0.0 && part_size <= PART_SIZE_RANGE.1.0);
        }
    }

    #[tokio::test]
    async fn a_buffer_is_reused_once_its_last_request_is_done() {
        let budget = budget(ByteSize::mib(8), ByteSize::mib(16)).unwrap();
        let mut buffer = budget.buffer(8 << 20).await;
        assert_eq!(buffer.fill(io::repeat(7)).unwrap(), 8 << 20);
        let address = buffer.bytes.as_ptr();
        let part = PartHasher::new(Hashing::default()).hash(buffer);
        let retry = part.bytes.clone();
        drop(part);
        assert!(budget.buffer(16 << 20).now_or_never().is_none());
        assert!(retry.iter().all(|&byte| byte == 7));
        drop(retry);
        let again = budget.buffer(8 << 20).await;
        assert_eq!((again.bytes.as_ptr(), again.bytes.len()), (address, 0));
    }

    #[tokio::test]
    async fn buffers_never_exceed_the_budget() {
        let budget = budget(ByteSize::mib(8), ByteSize::mib(16)).unwrap();
        let first = budget.buffer(8 << 20).await;
        let second = budget.buffer(8 << 20).await;
        assert!(budget.buffer(1).now_or_never().is_none());
        drop((first, second));
        let _all = budget.buffer(1 << 40).await;
        assert!(budget.buffer(1).now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_buffer_takes_no_more_bytes_than_are_paid_for() {
        let budget = budget(ByteSize::mib(8), ByteSize::mib(16)).unwrap();
        let mut buffer = budget.buffer(7).await;
        for (source, taken) in [("abcd", 4), ("efgh", 3), ("i", 0)] {
            assert_eq!(buffer.fill(source.as_bytes()).unwrap(), taken);
        }
        assert_eq!(buffer.as_ref(), b"abcdefg");
    }
}
