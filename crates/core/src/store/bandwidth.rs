//! A limit on the bytes moved per second in one direction, over all requests of a process: sent to
//! S3, downloaded, or read from and written to MongoDB.
//!
//! A body is handed to the connection in slices, each once its bytes are due, so that the link is
//! used evenly rather than in bursts of a part.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use futures::{Stream, stream};
use governor::{DefaultDirectRateLimiter, Quota};
use http_body::{Body, Frame, SizeHint};

use crate::failure::Failure;
use crate::settings::ByteSize;

/// A lower limit is a mistake: 0 meant as "none", or a number without its unit.
const SLOWEST: ByteSize = ByteSize(1024);

/// Slices per second: how evenly the bytes flow.
const SLICES_PER_SECOND: u32 = 20;
/// Maximum size of a slice in bytes.
const MAX_SLICE: u32 = 256 << 10;

/// A limit in bytes per second; clones share it.
#[derive(Debug, Clone)]
pub struct Bandwidth {
    limiter: Arc<DefaultDirectRateLimiter>,
    per_second: NonZeroU32,
    slice: NonZeroU32,
}

impl Bandwidth {
    /// The limit set by `--max-bandwidth`; `None` if it is not set.
    ///
    /// # Errors
    /// Less than 1 KiB per second.
    pub fn of(max_bandwidth: Option<ByteSize>) -> Result<Option<Self>, Failure> {
        match max_bandwidth {
            Some(slow) if slow < SLOWEST => Err(Failure::usage(format!(
                "`max_bandwidth` {slow} is less than {SLOWEST} per second"
            ))
            .about(&["max_bandwidth"])),
            set => Ok(set.map(Self::new)),
        }
    }

    /// Waits until `bytes` more bytes are due.
    pub async fn wait(&self, bytes: u64) {
        let mut left = bytes;
        while let Some(size) = NonZeroU32::new(u32::try_from(left).unwrap_or(u32::MAX)) {
            let size = size.min(self.slice);
            // A slice is never larger than the burst, so this cannot fail.
            let _ = self.limiter.until_n_ready(size).await;
            left -= u64::from(size.get());
        }
    }

    /// At most `per_second` bytes, but at least one.
    pub(super) fn new(per_second: ByteSize) -> Self {
        let per_second = u32::try_from(per_second.0).unwrap_or(u32::MAX);
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let slice = (per_second.get() / SLICES_PER_SECOND).clamp(1, MAX_SLICE);
        let slice = NonZeroU32::new(slice).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(per_second).allow_burst(slice);
        Self {
            limiter: Arc::new(DefaultDirectRateLimiter::direct(quota)),
            per_second,
            slice,
        }
    }

    /// The minimum time to send `bytes` when `parts` share the link.
    pub(super) fn time_for(&self, bytes: u64, parts: usize) -> Duration {
        let per_second = f64::from(self.per_second.get());
        let seconds = bytes as f64 * parts as f64 / per_second;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// A body with these bytes at this rate; a retry starts from the beginning.
    pub(super) fn body(&self, bytes: Bytes) -> ByteStream {
        let bandwidth = self.clone();
        ByteStream::new(SdkBody::retryable(move || {
            SdkBody::from_body_1_x(Paced {
                left: bytes.len() as u64,
                slices: Box::pin(bandwidth.clone().slices(bytes.clone())),
            })
        }))
    }

    fn slices(self, bytes: Bytes) -> impl Stream<Item = Bytes> + Send + Sync {
        stream::unfold((self, bytes), async |(bandwidth, mut bytes)| {
            let most = usize::try_from(bandwidth.slice.get()).unwrap_or(usize::MAX);
            let slice = bytes.split_to(bytes.len().min(most));
            let size = NonZeroU32::new(u32::try_from(slice.len()).ok()?)?;
            // A slice is never larger than the burst, so this cannot fail.
            bandwidth.limiter.until_n_ready(size).await.ok()?;
            Some((slice, (bandwidth, bytes)))
        })
    }
}

/// Slices as a body of known size.
struct Paced<S> {
    slices: Pin<Box<S>>,
    left: u64,
}

impl<S: Stream<Item = Bytes>> Body for Paced<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let slice = ready!(self.slices.as_mut().poll_next(context));
        self.left -= slice.as_ref().map_or(0, |slice| slice.len() as u64);
        Poll::Ready(slice.map(|slice| Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_paced_body_is_complete_and_takes_its_time() {
        let bytes = Bytes::from(vec![7; 300_000]);
        let bandwidth = Bandwidth::new(ByteSize(1_000_000));
        let begin = Instant::now();
        let body = bandwidth.body(bytes.clone());
        assert_eq!(body.size_hint(), (300_000, Some(300_000)));
        assert_eq!(body.collect().await.unwrap().into_bytes(), bytes);
        // All but the first slice have to wait.
        assert!(begin.elapsed() >= Duration::from_millis(240));
        assert_eq!(bandwidth.time_for(500_000, 4), Duration::from_secs(2));
    }

    #[tokio::test]
    async fn any_number_of_bytes_comes_due_at_the_set_rate() {
        let bandwidth = Bandwidth::of(Some(ByteSize(1_000_000))).unwrap().unwrap();
        let begin = Instant::now();
        bandwidth.wait(0).await;
        bandwidth.wait(200_000).await;
        bandwidth.clone().wait(100_001).await;
        assert!(begin.elapsed() >= Duration::from_millis(240));
        assert!(Bandwidth::of(Some(ByteSize(1023))).is_err());
        assert!(Bandwidth::of(None).unwrap().is_none());
    }
}
