//! Ranges together hold every document once, and each can be resumed on its own.

use bson::RawDocumentBuf;
use lob_core::settings::ByteSize;
use lob_mongo::{Collection, DocumentId, Error, IdRange, RangeSize, ScanOptions, ScanRange};
use lob_testkit::bson_samples::one_of_each_id_type;
use lob_testkit::mongo::MongoOptions;

use crate::fixture::{Fixture, numbered, raw, read_part, read_with, small_replies};

fn of_size(bytes: u64) -> RangeSize {
    RangeSize::Bytes {
        largest: ByteSize::b(bytes),
        wanted: 1,
    }
}

/// Only the ranges.
async fn cut(collection: &Collection, wanted: RangeSize) -> Vec<IdRange> {
    collection.cuts(0, wanted).await.unwrap().ranges()
}

async fn is_divisible(collection: &Collection) -> bool {
    let cuts = collection.cuts(0, RangeSize::Count(1)).await;
    cuts.unwrap().is_divisible()
}

async fn read_all(collection: &Collection, ranges: &[IdRange]) -> Vec<RawDocumentBuf> {
    let mut documents = Vec::new();
    for range in ranges {
        let part = ScanRange {
            range: range.clone(),
            after: None,
        };
        documents.extend(read_part(collection, part).await.unwrap());
    }
    documents
}

#[tokio::test]
async fn ranges_leave_no_gap_and_hold_every_document_once() {
    let fixture = Fixture::new().await;
    let documents = numbered(997);
    let collection = fixture.collection("split_1_input", &documents).await;
    for count in [1, 2, 7, 100, 2000] {
        let ranges = cut(&collection, RangeSize::Count(count)).await;
        assert_eq!(ranges.len(), count.min(997) as usize);
        assert_eq!(ranges[0].from, None);
        assert_eq!(ranges[ranges.len() - 1].to, None);
        for two in ranges.windows(2) {
            assert!(two[0].to.is_some() && two[0].to == two[1].from);
        }
        assert_eq!(read_all(&collection, &ranges).await, documents);
    }
    let size = collection.size().await.unwrap();
    let bytes: usize = documents.iter().map(|d| d.as_bytes().len()).sum();
    assert_eq!(
        (size.documents, size.bytes),
        (997, ByteSize::b(bytes as u64))
    );
    let tenth = of_size(bytes as u64 / 10 + 1);
    assert_eq!(cut(&collection, tenth).await.len(), 10);
    fixture.close().await;
}

#[tokio::test]
async fn a_large_collection_is_cut_into_even_ranges() {
    const DOCUMENTS: usize = 60_000;
    let fixture = Fixture::new().await;
    let documents: Vec<_> = (0..DOCUMENTS as i32)
        .map(|id| raw(bson::doc! { "_id": id }))
        .collect();
    let collection = fixture.collection("split_1_input", &documents).await;
    let ranges = cut(&collection, RangeSize::Count(8)).await;
    assert_eq!(ranges.len(), 8);
    let mut found = Vec::new();
    for range in ranges {
        let part = ScanRange { range, after: None };
        let options = ScanOptions {
            queue: ByteSize::mib(1),
            ..small_replies()
        };
        let documents = read_with(&collection, part, options).await.unwrap();
        assert_eq!(documents.len() * 8, DOCUMENTS);
        found.extend(documents);
    }
    assert!(found == documents);
    fixture.close().await;
}

#[tokio::test]
async fn ids_of_every_type_are_in_exactly_one_range_and_can_be_resumed_from() {
    let fixture = Fixture::new().await;
    let samples = one_of_each_id_type();
    let documents: Vec<_> = samples.into_iter().map(|sample| sample.document).collect();
    let collection = fixture.collection("split_1_input", &documents).await;

    let ranges = cut(&collection, of_size(1)).await;
    assert!(ranges.len() > 12, "{ranges:?}");
    assert_eq!(read_all(&collection, &ranges).await, documents);

    for range in ranges.iter().chain([&IdRange::default()]) {
        let whole = read_all(&collection, std::slice::from_ref(range)).await;
        for (i, last) in whole.iter().enumerate() {
            let part = ScanRange {
                range: range.clone(),
                after: Some(DocumentId::of(last).unwrap()),
            };
            let rest = read_part(&collection, part).await.unwrap();
            assert_eq!(rest, whole[i + 1..], "after {last:?}");
        }
    }
    // An `_id` of any type can bound a range.
    for bound in documents.iter().skip(1) {
        let bound = Some(DocumentId::of(bound).unwrap());
        let before = IdRange {
            from: None,
            to: bound.clone(),
        };
        let after = IdRange {
            from: bound,
            to: None,
        };
        assert_eq!(read_all(&collection, &[before, after]).await, documents);
    }
    fixture.close().await;
}

#[tokio::test]
async fn a_collation_or_a_server_that_ignores_bounds_gives_one_range() {
    let fixture = Fixture::with(MongoOptions {
        ignore_bounds: true,
        ..<_>::default()
    })
    .await;
    let collection = fixture.collection("split_1_input", &numbered(100)).await;
    assert!(!is_divisible(&collection).await);
    let ranges = cut(&collection, of_size(100)).await;
    assert_eq!(ranges, [IdRange::default()]);
    let refused = collection.cuts(0, RangeSize::Count(4)).await;
    let possible = |cuts| match cuts {
        Err(Error::TooFewRanges { possible, .. }) => Some(possible),
        _ => None,
    };
    assert_eq!(possible(refused), Some(1));

    let part = ScanRange {
        range: IdRange {
            from: Some(DocumentId::of(&raw(bson::doc! { "_id": 50 })).unwrap()),
            to: None,
        },
        after: None,
    };
    let error = read_part(&collection, part).await.unwrap_err();
    assert!(matches!(error, Error::OutOfRange { .. }), "{error}");

    let fixture = Fixture::new().await;
    let collation = bson::doc! { "create": "split_1_input", "collation": { "locale": "de" } };
    fixture.driver.run_command(collation).await.unwrap();
    let collection = fixture.find("split_1_input").await;
    assert!(!is_divisible(&collection).await);
    fixture.close().await;
}

#[tokio::test]
async fn a_requested_number_of_ranges_is_met_or_refused() {
    let fixture = Fixture::new().await;
    // Decimals have no known position among the others, so they cannot be cut at.
    let decimal = |i: i32| format!("{i}.5").parse::<bson::Decimal128>().unwrap();
    let decimals = (0..50).map(|i| raw(bson::doc! { "_id": decimal(i) }));
    let documents: Vec<_> = numbered(5).into_iter().chain(decimals).collect();
    let collection = fixture.collection("split_1_input", &documents).await;
    assert_eq!(cut(&collection, RangeSize::Count(5)).await.len(), 5);
    let refused = collection.cuts(100, RangeSize::Count(6)).await;
    let error = refused.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` cannot be cut into 6 ranges, only into 5",
            collection.namespace()
        )
    );
    assert!(error.hint().unwrap().contains("set --ranges to 5"));
    fixture.close().await;
}

#[tokio::test]
async fn an_empty_collection_is_a_single_range_and_divisible() {
    let fixture = Fixture::new().await;
    let collection = fixture.collection("split_1_input", &[]).await;
    let ranges = cut(&collection, RangeSize::Count(4)).await;
    assert_eq!(ranges, [IdRange::default()]);
    assert!(is_divisible(&collection).await);
    fixture.close().await;
}

#[tokio::test]
async fn bounds_are_probed_at_the_smallest_id_of_any_type() {
    let fixture = Fixture::new().await;
    for (i, sample) in one_of_each_id_type().into_iter().enumerate() {
        let name = format!("split_{i}_input");
        let collection = fixture.collection(&name, &[sample.document]).await;
        assert!(is_divisible(&collection).await, "{}", sample.name);
    }
    fixture.close().await;
}
