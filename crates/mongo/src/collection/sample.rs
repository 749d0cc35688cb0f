//! A sample of a collection, which its columns are planned and its scan is sized by.

use std::cmp::Ordering;

use bson::{RawDocumentBuf, rawdoc};
use futures::StreamExt as _;
use lob_core::settings::ByteSize;

use super::collect::{collect, unless_refused};
use super::cuts::{Choice, Cuts, MOST_EVEN};
use super::identity::Collection;
use crate::error::Result;
use crate::id::{DocumentId, id_of, one_of};
use crate::id_order::compare;

/// How many documents are read to learn how large they are.
const FEW: u32 = 16;
/// Approximate bytes of documents per reply, judging by the first few.
const REPLY: ByteSize = ByteSize::mib(1);
/// Maximum number of documents per reply.
const MOST_IN_REPLY: u64 = 256;
/// Maximum number of concurrent queries.
const AT_ONCE: usize = 8;

/// How many documents to look at.
#[derive(Debug, Clone, Copy)]
pub struct SampleSize {
    /// From the start of the collection.
    pub first: u32,
    /// From all over the collection; never more than 100,000.
    pub even: u32,
    /// Stop adding documents of either kind once they reach this total size.
    pub limit: ByteSize,
}

/// Documents of a collection, each kind in `_id` order. The even ones may repeat some of the first.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The first documents.
    pub first: Vec<RawDocumentBuf>,
    /// Documents at even distances.
    pub even: Vec<RawDocumentBuf>,
    /// How the even documents were chosen.
    pub choice: Choice,
}

impl Sample {
    /// The first documents, and some from all over the collection at its cuts.
    pub(super) async fn of(collection: &Collection, size: SampleSize, cuts: &Cuts) -> Result<Self> {
        let first = first(collection, size).await?;
        let ids = cuts.evenly(size.even.min(MOST_EVEN).into());
        let even = read_even(collection, &ids, in_reply(&first), size.limit);
        let even = unless_refused(
            collection,
            even.await,
            "only its first documents are sampled",
        )?;
        let even = even.unwrap_or_default();
        let choice = match even.is_empty() {
            true => Choice::None,
            false => cuts.choice,
        };
        Ok(Self {
            first,
            even,
            choice,
        })
    }

    /// The first documents, then the even ones.
    pub fn documents(&self) -> impl Iterator<Item = &RawDocumentBuf> {
        self.first.iter().chain(&self.even)
    }

    /// The mean size of the documents; zero if there are none.
    pub fn mean_document_size(&self) -> ByteSize {
        let count = self.documents().count() as u64;
        ByteSize::b(total(self.documents()) / count.max(1))
    }
}

fn total<'a>(documents: impl IntoIterator<Item = &'a RawDocumentBuf>) -> u64 {
    let sizes = documents.into_iter().map(|d| d.as_bytes().len() as u64);
    sizes.sum()
}

async fn first(collection: &Collection, size: SampleSize) -> Result<Vec<RawDocumentBuf>> {
    if size.first == 0 {
        return Ok(Vec::new());
    }
    let from = |skip: u32, count: u32| {
        rawdoc! {
            "find": collection.name(),
            "filter": {},
            "sort": { "_id": 1 },
            "skip": i64::from(skip),
            "limit": i64::from(count),
            "batchSize": i64::from(count),
        }
    };
    let few = size.first.min(FEW);
    let few = collect(collection, "find", from(0, few), FEW, size.limit).await?;
    if size.first <= FEW || few.len() < FEW as usize {
        return Ok(few);
    }
    // A collection that changes meanwhile may show a document twice or not at all.
    let page = of_reply(&few).min(size.first.into()) as u32;
    let pages = (0..size.first).step_by(page as usize);
    let pages = pages.map(|skip| from(skip, page.min(size.first - skip)));
    read_all(collection, pages, page, size.limit, true).await
}

/// What the queries return, in their order, several at a time until it adds up to the limit or, if
/// they are pages, until one is not full.
async fn read_all(
    collection: &Collection,
    questions: impl Iterator<Item = RawDocumentBuf>,
    in_reply: u32,
    limit: ByteSize,
    are_pages: bool,
) -> Result<Vec<RawDocumentBuf>> {
    let replies = questions.map(|body| collect(collection, "find", body, in_reply, limit));
    let mut replies = futures::stream::iter(replies).buffered(AT_ONCE);
    let mut documents = Vec::new();
    while total(&documents) < limit.as_u64()
        && let Some(reply) = replies.next().await
    {
        let reply = reply?;
        let is_last = are_pages && reply.len() < in_reply as usize;
        documents.extend(reply);
        if is_last {
            break;
        }
    }
    Ok(documents)
}

/// The documents with these `_id`s. They are read from coarse to fine, so that whatever is read
/// before the limit is spread evenly as well.
async fn read_even(
    collection: &Collection,
    ids: &[DocumentId],
    in_reply: u32,
    limit: ByteSize,
) -> Result<Vec<RawDocumentBuf>> {
    let order = coarse_to_fine(ids.len());
    let questions = order.chunks(in_reply as usize).map(|places| {
        let wanted = places.iter().map(|place| ids[*place].value());
        Ok(rawdoc! {
            "find": collection.name(),
            "filter": { "_id": one_of(&wanted.collect::<Result<Vec<_>>>()?)? },
            "batchSize": i64::from(in_reply),
        })
    });
    let questions = questions.collect::<Result<Vec<_>>>()?;
    let mut documents = read_all(collection, questions.into_iter(), in_reply, limit, false).await?;
    documents.sort_by(by_id);
    Ok(documents)
}

/// How many documents to ask for at once by their `_id`s, going by the size of these.
fn in_reply(documents: &[RawDocumentBuf]) -> u32 {
    of_reply(documents).min(MOST_IN_REPLY) as u32
}

/// How many documents of the size of these fill a reply.
fn of_reply(documents: &[RawDocumentBuf]) -> u64 {
    let mean = total(documents) / documents.len().max(1) as u64;
    (REPLY.as_u64() / mean.max(1)).max(1)
}

fn by_id(a: &RawDocumentBuf, b: &RawDocumentBuf) -> Ordering {
    let order = id_of(a).and_then(|a| Ok(compare(a, id_of(b)?)));
    order.ok().flatten().unwrap_or(Ordering::Equal)
}

/// The numbers below `count`, ordered so that those up to any point are spread evenly among all.
fn coarse_to_fine(count: usize) -> Vec<usize> {
    let bits = count.next_power_of_two().trailing_zeros();
    let all = 0..1_usize << bits;
    let reversed = all.map(|i| i.reverse_bits().unbounded_shr(usize::BITS - bits));
    reversed.filter(|i| *i < count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_prefix_of_a_coarse_to_fine_order_is_spread_evenly() {
        assert_eq!(coarse_to_fine(8), [0, 4, 2, 6, 1, 5, 3, 7]);
        for count in [0, 1, 2, 3, 100, 1000] {
            let order = coarse_to_fine(count);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..count));
            for part in 1..=count {
                let mut read = order[..part].to_vec();
                read.sort_unstable();
                let gap = read.windows(2).map(|two| two[1] - two[0]).max();
                assert!(
                    gap.unwrap_or(0) <= 4 * count / part + 1,
                    "{part} of {count}"
                );
            }
        }
    }
}
