//! A single byte budget for all parts that are in memory on their way to S3.
//!
//! A [`PartBuffer`] is paid for from the moment it exists. Whoever takes one already has the bytes
//! to fill it with, in a file or in memory, and sends it once it is filled. So whoever holds a
//! buffer waits for the disk, for a slot or for the server, but never for another buffer: memory
//! always comes back, however many files share it and however little there is. Buffers are reused:
//! allocating and freeing memory part after part would fragment it, and resident memory would creep
//! up.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::part_size;
use crate::failure::Failure;
use crate::settings::PartLimits;
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
    /// The budget that `limits` define.
    ///
    /// # Errors
    /// A part size outside S3's limits, or a budget that cannot hold two parts: one to fill while
    /// the other is sent.
    pub fn new(limits: &PartLimits) -> Result<Self, Failure> {
        let (part_size, buffer_size) = (limits.part_size, limits.buffer_size);
        part_size::check(part_size)?;
        if buffer_size.0 < 2 * part_size.0 {
            return Err(Failure::usage(format!(
                "`buffer_size` {buffer_size} cannot hold two parts of `part_size` {part_size}"
            ))
            .about(&["buffer_size", "part_size"]));
        }
        Bandwidth::of(limits.max_bandwidth)?;
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
        part_size::for_file(file_size, self.part_size)
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
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        PartBuffer {
            bytes: self.pool.take(size),
            filled: 0,
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
    /// At least `size` bytes, of which the first `filled` are those of the part.
    bytes: Vec<u8>,
    filled: usize,
    /// As many bytes as are paid for.
    size: usize,
    pool: Arc<Pool>,
    _paid: OwnedSemaphorePermit,
}

impl PartBuffer {
    /// Reads the next piece from `source`, of `most` bytes at most; it is empty if the buffer is
    /// full or `source` has ended.
    pub(super) fn read_piece(&mut self, source: &mut impl Read, most: usize) -> io::Result<&[u8]> {
        let start = self.filled;
        let end = self.size.min(start + most);
        while self.filled < end {
            match source.read(&mut self.bytes[self.filled..end]) {
                Ok(0) => break,
                Ok(taken) => self.filled += taken,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.bytes[start..self.filled])
    }
}

impl AsRef<[u8]> for PartBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Pool {
    /// A vector of at least `size` bytes, whatever they are: one that is reused, or else of no more
    /// bytes than are paid for.
    fn take(&self, size: usize) -> Vec<u8> {
        let pooled = if size <= self.buffer_size {
            self.lock().pop()
        } else {
            None
        };
        pooled.unwrap_or_else(|| vec![0; size])
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PartBuffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut buffers = self.pool.lock();
        if bytes.len() == self.pool.buffer_size && buffers.len() < self.pool.capacity {
            buffers.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use futures::FutureExt as _;

    use super::*;
    use crate::settings::ByteSize;

    fn budget(part_size: ByteSize, buffer_size: ByteSize) -> Result<PartBudget, Failure> {
        PartBudget::new(&PartLimits {
            part_size,
            buffer_size,
            at_first: NonZeroUsize::MIN,
            in_flight: NonZeroUsize::MIN,
            max_bandwidth: None,
        })
    }

    #[test]
    fn a_budget_that_cannot_hold_two_parts_is_refused() {
        assert!(budget(ByteSize::mib(4), ByteSize::mib(64)).is_err());
        assert!(budget(ByteSize::mib(8), ByteSize::mib(15)).is_err());
        assert!(budget(ByteSize::mib(8), ByteSize::mib(16)).is_ok());
    }

    #[tokio::test]
    async fn a_dropped_buffer_is_reused() {
        let budget = budget(ByteSize::mib(8), ByteSize::mib(16)).unwrap();
        let mut buffer = budget.buffer(8 << 20).await;
        buffer.read_piece(&mut io::repeat(7), 100).unwrap();
        let address = buffer.bytes.as_ptr();
        drop(buffer);
        let again = budget.buffer(8 << 20).await;
        assert_eq!((again.bytes.as_ptr(), again.filled), (address, 0));
    }

    #[tokio::test]
    async fn a_small_part_takes_no_more_memory_than_it_pays_for() {
        let budget = budget(ByteSize::mib(8), ByteSize::mib(16)).unwrap();
        assert_eq!(budget.buffer(1000).await.bytes.capacity(), 1000);
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
}
