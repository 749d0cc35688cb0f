//! The same collection always has the same sample and ranges. They are spread evenly over it, and
//! cost the server no more than they may.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Bson, Decimal128, RawDocumentBuf, doc};
use lob_core::settings::ByteSize;
use lob_core::text::Secret;
use lob_mongo::{
    Choice, Collection, IdRange, MongoSettings, RangeSize, Sample, SampleSize, ScanOptions,
    ScanRange, Server, Shared,
};
use lob_testkit::mongo::{Command, Gate, Moment, MongoOptions, MongoServer, Verdict};

use crate::fixture::{Fixture, first, numbered, raw, read_with, small_replies};

const NAME: &str = "split_1_input";
/// More documents than are walked.
const MANY: Option<u32> = Some(3_000_000);
const SIZE: SampleSize = SampleSize {
    first: 40,
    even: 20,
    limit: ByteSize::mib(16),
};

/// What a plan knows about a collection.
async fn planned(collection: &Collection, ranges: u32) -> (Sample, Vec<IdRange>, Choice) {
    planned_by(collection, RangeSize::Count(ranges)).await
}

/// The same, for a collection that may be impossible to cut.
async fn planned_if_possible(collection: &Collection) -> (Sample, Vec<IdRange>, Choice) {
    planned_by(
        collection,
        RangeSize::Bytes {
            largest: ByteSize::kib(4),
            wanted: 1,
        },
    )
    .await
}

async fn planned_by(collection: &Collection, ranges: RangeSize) -> (Sample, Vec<IdRange>, Choice) {
    let cuts = collection.cuts(SIZE.even, ranges).await.unwrap();
    let sample = collection.sample(SIZE, &cuts).await.unwrap();
    (sample, cuts.ranges(), cuts.ranges_choice())
}

async fn counts(collection: &Collection, ranges: &[IdRange]) -> Vec<usize> {
    let mut counts = Vec::new();
    for range in ranges {
        let range = range.clone();
        let part = ScanRange { range, after: None };
        let options = ScanOptions {
            queue: ByteSize::mib(1),
            ..small_replies()
        };
        let documents = read_with(collection, part, options).await.unwrap();
        counts.push(documents.len());
    }
    counts
}

fn with_ids(ids: impl IntoIterator<Item = Bson>) -> Vec<RawDocumentBuf> {
    let documents = ids.into_iter().map(|id| raw(doc! { "_id": id, "x": 1 }));
    documents.collect()
}

/// An ObjectId generated in this second.
fn object_id(second: u32, counter: u32) -> Bson {
    let mut bytes = [9; 12];
    bytes[..4].copy_from_slice(&second.to_be_bytes());
    bytes[8..].copy_from_slice(&counter.to_be_bytes());
    ObjectId::from_bytes(bytes).into()
}

/// A collection on a server that believes it has more documents than are walked.
async fn too_many(
    documents: Vec<RawDocumentBuf>,
    gate: Option<Arc<dyn Gate>>,
) -> (Fixture, Collection) {
    let fixture = Fixture::with(MongoOptions {
        believed_documents: MANY,
        gate,
        ..<_>::default()
    })
    .await;
    let database = fixture.database.name().to_owned();
    let testkit = fixture.testkit();
    testkit.load(&database, NAME, documents).unwrap();
    let collection = fixture.find(NAME).await;
    (fixture, collection)
}

/// The `$sample`s that a server was asked for: number of documents, and time limit.
fn asked_at_random(commands: &[Command]) -> Vec<(i64, i64)> {
    let asked = commands
        .iter()
        .filter(|command| command.name == "aggregate");
    let asked = asked.map(|command| {
        let arguments: bson::Document = (&*command.arguments).try_into().unwrap();
        let stages = arguments.get_array("pipeline").unwrap();
        let sample = stages[0].as_document().unwrap().get_document("$sample");
        let size = sample.unwrap().get_i64("size").unwrap();
        (size, arguments.get_i64("maxTimeMS").unwrap())
    });
    asked.collect()
}

#[tokio::test]
async fn a_sample_holds_the_first_documents_and_even_ones() {
    let fixture = Fixture::new().await;
    let documents = numbered(500);
    let collection = fixture.collection(NAME, &documents).await;
    assert_eq!(collection.exact_count().await.unwrap(), 500);
    assert_eq!(collection.estimated_count().await.unwrap(), 500);

    let (sample, ..) = planned(&collection, 1).await;
    assert_eq!(sample.first, documents[..40]);
    let even: Vec<_> = (1..=20).map(|i| documents[i * 500 / 21].clone()).collect();
    assert_eq!(sample.even, even);
    assert_eq!(sample.choice, Choice::IndexWalk);
    let size = documents[0].as_bytes().len();
    assert_eq!(sample.mean_document_size(), ByteSize::b(size as u64));

    let empty = fixture.collection("split_2_input", &[]).await;
    let (sample, ..) = planned(&empty, 1).await;
    assert!(sample.documents().next().is_none() && sample.choice == Choice::None);
    assert_eq!(sample.mean_document_size(), ByteSize::b(0));
    fixture.close().await;
}

#[tokio::test]
async fn a_sample_cut_short_by_its_limit_is_still_even() {
    let fixture = Fixture::new().await;
    let big = "x".repeat(300_000);
    let documents: Vec<_> = (0..200)
        .map(|i| raw(doc! { "_id": i, "x": &big }))
        .collect();
    let collection = fixture.collection(NAME, &documents).await;
    let cuts = collection.cuts(100, RangeSize::Count(1)).await.unwrap();
    let size = SampleSize {
        first: 100,
        even: 100,
        limit: ByteSize::mib(6),
    };
    let sample = collection.sample(size, &cuts).await.unwrap();
    assert!(
        (20..40).contains(&sample.first.len()),
        "{}",
        sample.first.len()
    );
    let ids = sample.even.iter().map(|d| d.get_i32("_id").unwrap());
    let ids: Vec<_> = ids.collect();
    assert!((20..40).contains(&ids.len()), "{ids:?}");
    assert!(
        ids.is_sorted() && ids[0] < 20 && ids[ids.len() - 1] > 180,
        "{ids:?}"
    );
    assert!(ids.windows(2).all(|two| two[1] - two[0] < 20), "{ids:?}");
    fixture.close().await;
}

#[tokio::test]
async fn the_same_collection_has_the_same_sample_and_the_same_ranges() {
    let fixture = Fixture::new().await;
    let ints = || (0..700).map(|i| Bson::from(i * 7));
    let object_ids = || (0..700).map(|i| object_id(i / 50 * 1000, i));
    let strings = || (0..700).map(|i| Bson::from(format!("{i:04}")));
    let halves = || (0..700).map(|i| Bson::from(f64::from(i) / 2.0 + 0.25));
    let kinds = [
        with_ids(ints()),
        with_ids(object_ids()),
        with_ids(strings()),
        with_ids(ints().chain(halves()).chain(strings()).chain(object_ids())),
    ];
    for (i, documents) in kinds.iter().enumerate() {
        let name = format!("split_{i}_input");
        let collection = fixture.collection(&name, documents).await;
        let (sample, ranges, choice) = planned(&collection, 4).await;
        assert_eq!(
            (sample.choice, choice),
            (Choice::IndexWalk, Choice::IndexWalk)
        );
        assert_eq!((sample.even.len(), ranges.len()), (20, 4));
        let quarter = documents.len() / 4;
        assert_eq!(counts(&collection, &ranges).await, [quarter; 4]);
        for _ in 0..3 {
            let again = planned(&fixture.find(&name).await, 4).await;
            assert_eq!(
                (&again.0.first, &again.0.even),
                (&sample.first, &sample.even)
            );
            assert_eq!(again.1, ranges);
        }
    }
    fixture.close().await;
}

#[tokio::test]
async fn a_collection_too_large_to_walk_also_has_a_stable_sample_and_ranges() {
    let mixed = (0..3000).map(|i| match i % 3 {
        0 => Bson::from(i),
        1 => Bson::from(i64::from(i)),
        _ => Bson::from(f64::from(i) + 0.5),
    });
    for documents in [
        with_ids((0..3000).map(|i| Bson::from(i - 1500))),
        with_ids((0..3000).map(|i| Bson::from((1_i64 << 62) + i))),
        with_ids((0..3000).map(|i| Bson::from(f64::from(i) * 1e-3 + 0.5))),
        with_ids(mixed),
        with_ids((0..3000).map(|i| object_id(i, i))),
    ] {
        let (fixture, collection) = too_many(documents, None).await;
        let (sample, ranges, choice) = planned(&collection, 7).await;
        let commands = fixture.testkit().commands();
        let interpolated = Choice::Interpolated;
        assert_eq!((sample.choice, choice), (interpolated, interpolated));
        assert_eq!(sample.even.len(), 20);
        let counts = counts(&collection, &ranges).await;
        let share = 3000 / 7;
        assert!(
            counts.len() == 7 && counts.iter().all(|n| n.abs_diff(share) < 30),
            "{counts:?}"
        );
        assert_eq!(counts.iter().sum::<usize>(), 3000);
        let again = planned(&collection, 7).await;
        assert_eq!((again.0.even, again.1), (sample.even, ranges));

        assert_eq!(asked_at_random(&commands), []);
        // Each query is for a single `_id` or for documents of a sample.
        let mut finds = commands.iter().filter(|command| command.name == "find");
        assert!(finds.all(|find| find.documents <= 64));
    }
}

#[tokio::test]
async fn gaps_between_object_ids_do_not_make_ranges_uneven() {
    // On each of 40 days some of the hours have documents, and within a second they are close
    // together.
    let second = |i: u32| i / 250 * 86_400 + 30_000 + i % 250 * 40;
    let documents = with_ids((0..10_000).map(|i| object_id(second(i), i)));
    let (fixture, collection) = too_many(documents, None).await;
    for count in [4, 50, 1000] {
        let (_, ranges, choice) = planned(&collection, count).await;
        assert_eq!(choice, Choice::Interpolated);
        let counts = counts(&collection, &ranges).await;
        assert_eq!(counts.len(), count as usize);
        let largest = counts.into_iter().max().unwrap();
        assert!(
            largest <= 2 * 10_000 / count as usize,
            "{largest} of {count}"
        );
    }
    drop(fixture);

    // All within a few seconds: the places between them are almost all empty.
    let documents = with_ids((0..10_000).map(|i| object_id(i / 2500, i)));
    let (_fixture, collection) = too_many(documents, None).await;
    let (_, ranges, _) = planned(&collection, 100).await;
    let counts = counts(&collection, &ranges).await;
    assert!(
        counts.len() == 100 && counts.iter().all(|n| *n <= 200),
        "{counts:?}"
    );
}

#[tokio::test]
async fn a_clustered_collection_is_cut_without_reading_it() {
    let Some(fixture) = Fixture::alone().await else {
        return;
    };
    fixture.create_clustered(NAME).await;
    let big = "x".repeat(160_000);
    for thousand in 0..5 {
        let ids = (0..100).map(|i| thousand * 1_000 + i);
        let documents = ids.map(|id| raw(doc! { "_id": id, "x": &big }));
        let written = fixture.driver.collection::<RawDocumentBuf>(NAME);
        written.insert_many(documents).await.unwrap();
    }
    let collection = fixture.find(NAME).await;
    let (sample, ranges, choice) = planned(&collection, 5).await;
    // An ordinary collection of this size has an index that can be walked.
    let expected = match fixture.version.has_clustered_collections() {
        true => Choice::Interpolated,
        false => Choice::IndexWalk,
    };
    assert_eq!((sample.choice, choice), (expected, expected));
    assert_eq!(sample.even.len(), 20);
    assert_eq!(ranges.len(), 5);
    fixture.close().await;
}

#[tokio::test]
async fn a_random_choice_stays_below_a_twentieth_and_has_a_time_limit() {
    // For a sample, documents this large would all be read and sorted. A collation keeps its
    // strings out of the index and has no distances.
    let fixture = Fixture::new().await;
    let collation = doc! { "create": NAME, "collation": { "locale": "de" } };
    fixture.driver.run_command(collation).await.unwrap();
    let big = "x".repeat(150_000);
    for part in 0..5 {
        let ids = (0..100).map(|i| format!("{part}{i:02}"));
        let documents = ids.map(|id| raw(doc! { "_id": id, "x": &big }));
        let written = fixture.driver.collection::<RawDocumentBuf>(NAME);
        written.insert_many(documents).await.unwrap();
    }
    let collection = fixture.find(NAME).await;
    let cuts = collection.cuts(1000, RangeSize::Count(1)).await.unwrap();
    let size = SampleSize { even: 1000, ..SIZE };
    let sample = collection.sample(size, &cuts).await.unwrap();
    assert_eq!(sample.choice, Choice::Random);
    assert!(
        (1..=24).contains(&sample.even.len()),
        "{}",
        sample.even.len()
    );
    assert_eq!(cuts.ranges(), [IdRange::default()]);
    if let Some(testkit) = fixture.started() {
        assert_eq!(asked_at_random(&testkit.commands()), [(24, 30_000)]);
    }
    fixture.close().await;

    let strings = with_ids((0..9000).map(|i| format!("{i:05}").into()));
    let (fixture, collection) = too_many(strings, None).await;
    let (sample, ranges, choice) = planned(&collection, 4).await;
    assert_eq!((sample.choice, choice), (Choice::Random, Choice::Random));
    let counts = counts(&collection, &ranges).await;
    assert!(
        counts.len() == 4 && counts.iter().all(|n| *n > 1000),
        "{counts:?}"
    );
    let asked = asked_at_random(&fixture.testkit().commands());
    assert_eq!(asked, [(300, 30_000)]);
}

#[tokio::test]
async fn a_plan_of_small_documents_takes_few_requests() {
    let fixture = Fixture::with(MongoOptions::default()).await;
    let documents = numbered(10_000);
    let collection = fixture.collection(NAME, &documents).await;
    let before = fixture.testkit().commands().len();
    let cuts = collection.cuts(1000, RangeSize::Count(4)).await.unwrap();
    let size = SampleSize {
        first: 1000,
        even: 1000,
        ..SIZE
    };
    let sample = collection.sample(size, &cuts).await.unwrap();
    assert_eq!((sample.first.len(), sample.even.len()), (1000, 1000));
    let requests = fixture.testkit().commands().len() - before;
    assert!(requests <= 20, "{requests}");
}

#[tokio::test]
async fn a_random_choice_that_meets_a_document_too_often_is_retried() {
    let again = first(
        "aggregate",
        Moment::Arrived,
        2,
        Verdict::Answer { code: 28799 },
    );
    let strings = with_ids((0..900).map(|i| format!("{i:05}").into()));
    let (fixture, collection) = too_many(strings, Some(Arc::new(again))).await;
    let (_, ranges, choice) = planned(&collection, 4).await;
    assert_eq!((ranges.len(), choice), (4, Choice::Random));
    assert_eq!(asked_at_random(&fixture.testkit().commands()).len(), 3);
}

#[tokio::test]
async fn a_random_choice_that_fails_leaves_the_first_documents_and_one_range() {
    for (code, times) in [(50, 1), (28799, 3), (40324, 1)] {
        let refused = first("aggregate", Moment::Arrived, 9, Verdict::Answer { code });
        let strings = with_ids((0..900).map(|i| format!("{i:05}").into()));
        let (fixture, collection) = too_many(strings, Some(Arc::new(refused))).await;
        let (sample, ranges, choice) = planned_if_possible(&collection).await;
        assert_eq!(
            (sample.choice, choice),
            (Choice::None, Choice::None),
            "{code}"
        );
        assert!(sample.even.is_empty() && sample.first.len() == 40);
        assert_eq!(ranges, [IdRange::default()]);
        assert_eq!(asked_at_random(&fixture.testkit().commands()).len(), times);
    }
}

#[tokio::test]
async fn a_random_choice_without_a_reply_is_not_retried() {
    let held = first("aggregate", Moment::Arrived, 9, Verdict::Hold);
    let server = MongoServer::start(MongoOptions {
        believed_documents: MANY,
        gate: Some(Arc::new(held)),
        ..<_>::default()
    })
    .unwrap();
    let strings = with_ids((0..900).map(|i| format!("{i:05}").into()));
    server.load("raw", NAME, strings).unwrap();
    let settings = MongoSettings {
        mongodb_uri: Secret::new(server.uri()),
        mongodb_operation_timeout: Duration::from_secs(2),
        ..<_>::default()
    };
    let database = Server::connect(&settings, Shared::default())
        .await
        .unwrap()
        .database("raw");
    let collection = database.collection(NAME).await.unwrap().unwrap();
    let (sample, ranges, _) = planned_if_possible(&collection).await;
    assert!(sample.choice == Choice::None && sample.first.len() == 40);
    assert_eq!(ranges, [IdRange::default()]);
    let asked = asked_at_random(&server.commands());
    assert_eq!(asked, [(500, 1000)]);
}

#[tokio::test]
async fn ids_without_a_known_order_are_not_chosen() {
    let fixture = Fixture::new().await;
    let decimals = (0..300).map(|i| i.to_string().parse::<Decimal128>().unwrap());
    let documents = with_ids(decimals.map(Bson::from));
    let collection = fixture.collection(NAME, &documents).await;
    let (sample, ranges, choice) = planned_if_possible(&collection).await;
    assert_eq!((sample.choice, choice), (Choice::None, Choice::None));
    assert_eq!(sample.first, documents[..40]);
    assert_eq!(ranges, [IdRange::default()]);
    fixture.close().await;
}

#[tokio::test]
async fn a_wrong_estimate_does_not_decide_the_number_of_ranges() {
    let fixture = Fixture::with(MongoOptions {
        believed_documents: Some(0),
        ..<_>::default()
    })
    .await;
    let collection = fixture.collection(NAME, &numbered(100)).await;
    let (sample, ranges, _) = planned(&collection, 4).await;
    assert_eq!((sample.even.len(), ranges.len()), (20, 4));
    assert_eq!(counts(&collection, &ranges).await, [25; 4]);
}

#[tokio::test]
async fn an_interrupted_index_walk_starts_over() {
    let lost = first("getMore", Moment::Arrived, 2, Verdict::Answer { code: 43 });
    let fixture = Fixture::with_gate(lost).await;
    let documents = with_ids((0..25_000).map(Bson::from));
    let database = fixture.database.name().to_owned();
    let testkit = fixture.testkit();
    testkit.load(&database, NAME, documents).unwrap();
    let collection = fixture.find(NAME).await;
    let (sample, ranges, choice) = planned(&collection, 4).await;
    assert_eq!((sample.even.len(), choice), (20, Choice::IndexWalk));
    assert_eq!(counts(&collection, &ranges).await, [6250; 4]);
}

#[tokio::test]
async fn a_collection_that_changes_during_the_walk_is_still_cut_evenly() {
    const IDS: i32 = 33_000;
    let fixture = Fixture::new().await;
    // Other documents come and go between them.
    let (stay, go): (Vec<_>, Vec<_>) = (0..IDS).partition(|id| id % 3 != 0);
    let documents: Vec<_> = stay.iter().map(|id| raw(doc! { "_id": id })).collect();
    let collection = fixture.collection(NAME, &documents).await;
    let over = Arc::new(AtomicBool::new(false));
    let (driver, is_over) = (fixture.driver.clone(), Arc::clone(&over));
    let writer = tokio::spawn(async move {
        let insert = go.iter().step_by(1_000).map(|id| doc! { "_id": id });
        let insert = insert.collect::<Vec<_>>();
        let delete = insert.iter().map(|q| doc! { "q": q, "limit": 1 });
        let delete = delete.collect::<Vec<_>>();
        while !is_over.load(Ordering::SeqCst) {
            for command in [
                doc! { "insert": NAME, "documents": &insert },
                doc! { "delete": NAME, "deletes": &delete },
            ] {
                driver.run_command(command).await.unwrap();
            }
        }
    });
    let mut plans = Vec::new();
    for _ in 0..3 {
        plans.push(planned(&collection, 5).await.1);
    }
    over.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    for ranges in plans {
        let counts = counts(&collection, &ranges).await;
        assert_eq!(counts.iter().sum::<usize>(), 22_000);
        assert!(counts.iter().all(|n| n.abs_diff(4_400) < 100), "{counts:?}");
    }
    fixture.close().await;
}
