//! Downloads an object in ranges, several at once, and hands its bytes on in order: over a distance a
//! single connection is slower than the link.
//!
//! A range is held in memory until its turn has come, so the limiter also bounds the memory. It is
//! copied into a buffer of its own: a few bytes of a connection's buffer keep all of it. What fits
//! into one range is asked for as a whole.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use crate::limiter::Permit;
use crate::store::{ObjectBody, Store, StoreError, StoreErrorKind};

/// Bytes of one range: with fewer, the requests would cost more than they gain.
pub const RANGE_BYTES: u64 = 4 << 20;

/// The bytes of an object that is under way in ranges.
pub struct Download {
    store: Store,
    key: String,
    size: u64,
    ranges: BoxStream<'static, Result<Piece, StoreError>>,
    /// The permit of the range that was handed on last.
    taken: Option<(Permit, u64)>,
    etag: Option<String>,
}

/// A range that has arrived.
struct Piece {
    bytes: BytesMut,
    permit: Permit,
    /// Size and ETag of the object, by this answer.
    size: u64,
    etag: String,
}

impl Download {
    /// Starts to download an object that should have `size` bytes.
    pub fn start(store: &Store, key: &str, size: u64) -> Self {
        let (most, store, key) = (store.most_in_flight(), store.clone(), key.to_owned());
        let fetching = {
            let (permits, store, key) = (store.clone(), store.clone(), key.clone());
            // Permits in the order of the ranges: one that is early would wait for one without.
            let permitted = stream::iter(ranges(size)).then(move |range| {
                let permits = permits.clone();
                async move { (permits.permit().await, range) }
            });
            permitted.map(move |(permit, range)| {
                let (store, key) = (store.clone(), key.clone());
                async move { fetch(&store, &key, range, size, permit).await }
            })
        };
        Self {
            store,
            key,
            size,
            ranges: fetching.buffered(most).boxed(),
            taken: None,
            etag: None,
        }
    }

    /// The next bytes; `None` after the last. Asking for more says that the last ones were consumed.
    ///
    /// # Errors
    /// [`StoreErrorKind::NotFound`] if there is no such object, [`StoreErrorKind::Integrity`] if it
    /// has another size or changes meanwhile, and whatever [`ObjectBody::next`] fails with.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if let Some((permit, bytes)) = self.taken.take() {
            permit.succeeded(bytes);
        }
        let Some(piece) = self.ranges.next().await.transpose()? else {
            return Ok(None);
        };
        if piece.size != self.size {
            let detail = format!("it has {} bytes instead of {}", piece.size, self.size);
            let (kind, url) = (StoreErrorKind::Integrity, self.store.url(&self.key));
            return Err(StoreError::new(kind, "GetObject", url, detail));
        }
        if self.etag.get_or_insert_with(|| piece.etag.clone()) != &piece.etag {
            return Err(self.store.changed(&self.key));
        }
        self.taken = Some((piece.permit, piece.bytes.len() as u64));
        Ok(Some(piece.bytes.freeze()))
    }
}

/// The ranges of an object of `size` bytes. Even an empty one is asked for.
fn ranges(size: u64) -> impl Iterator<Item = Range<u64>> {
    let starts = (0..size.div_ceil(RANGE_BYTES).max(1)).map(|number| number * RANGE_BYTES);
    starts.map(move |start| start..size.min(start + RANGE_BYTES))
}

async fn fetch(
    store: &Store,
    key: &str,
    range: Range<u64>,
    size: u64,
    permit: Permit,
) -> Result<Piece, StoreError> {
    let length = usize::try_from(range.end - range.start).unwrap_or(0);
    let mut body: ObjectBody = match range {
        Range { start: 0, end } if end == size => store.get(key).await?,
        range => store.get_range(key, range).await?,
    };
    let mut piece = Piece {
        bytes: BytesMut::new(),
        permit,
        size: body.size(),
        etag: body.etag().to_owned(),
    };
    // Of another size than expected, it is not worth reading.
    if piece.size == size {
        piece.bytes.reserve(length);
        while let Some(bytes) = body.next().await? {
            piece.bytes.extend_from_slice(&bytes);
        }
    }
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_into_one_range_is_one() {
        let of = |size| {
            ranges(size)
                .map(|range| (range.start, range.end))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(0), [(0, 0)]);
        assert_eq!(of(RANGE_BYTES), [(0, RANGE_BYTES)]);
        let second = (RANGE_BYTES, RANGE_BYTES + 1);
        assert_eq!(of(RANGE_BYTES + 1), [(0, RANGE_BYTES), second]);
    }

    proptest! {
        #[test]
        fn ranges_cover_an_object_without_gap_or_overlap(size in 1_u64..1 << 40) {
            let mut end = 0;
            for range in ranges(size).take(1000) {
                prop_assert_eq!(range.start, end);
                prop_assert!(range.end > range.start && range.end - range.start <= RANGE_BYTES);
                end = range.end;
            }
            prop_assert!(end == size || end == 1000 * RANGE_BYTES);
        }
    }
}
