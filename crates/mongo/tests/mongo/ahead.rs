//! Over a slow connection several cursors read ahead, and a scan keeps all of its promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bson::oid::ObjectId;
use bson::{Bson, RawDocumentBuf, doc};
use lob_core::settings::ByteSize;
use lob_mongo::{DocumentId, Error, IdRange, ScanOptions, ScanRange};
use lob_testkit::mongo::{Command, Gate, Moment, MongoOptions, RandomFaults, Verdict};
use tokio::sync::Barrier;

use crate::fixture::{Fixture, numbered, raw, read_with};

const SIZE: usize = 100_000;

/// Replies of 4 MiB, of which four fit into the queue.
fn options() -> ScanOptions {
    ScanOptions {
        at: None,
        queue: ByteSize::mib(32),
        is_divisible: true,
        mean_document_size: ByteSize::b(SIZE as u64),
    }
}

/// Some 30 MB of documents, in order, with `_id`s of several types.
fn documents() -> Vec<RawDocumentBuf> {
    let id = |i: u32| match i {
        0..100 => Bson::from(f64::from(i) / 4.0),
        100..200 => Bson::from(i64::from(i)),
        200..250 => Bson::from(format!("{i}")),
        _ => ObjectId::from_bytes([(i - 200) as u8; 12]).into(),
    };
    let document = |i| raw(doc! { "_id": id(i), "text": "x".repeat(SIZE) });
    (0..300).map(document).collect()
}

/// What a segment asks for: where it begins is known, and how many documents it holds.
fn is_segment(command: &Command) -> bool {
    let has = |name: &str| command.arguments.get(name).unwrap().is_some();
    command.name == "find" && has("min") && !has("skip")
}

/// Replies to `getMore` take a while, so the connection looks slow; the first two segments wait for
/// each other.
struct Slow {
    together: Barrier,
    segments: AtomicUsize,
    faults: Option<RandomFaults>,
}

impl Slow {
    fn new(together: usize) -> Self {
        Self {
            together: Barrier::new(together),
            segments: AtomicUsize::new(0),
            faults: None,
        }
    }

    fn segments(&self) -> usize {
        self.segments.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Gate for Slow {
    async fn decide(&self, moment: Moment, command: &Command) -> Verdict {
        if moment == Moment::Executed && command.name == "getMore" {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        if moment == Moment::Arrived && is_segment(command) {
            let before = self.segments.fetch_add(1, Ordering::SeqCst);
            if before < 2 {
                self.together.wait().await;
            }
        }
        match &self.faults {
            Some(faults) => faults.decide(moment, command).await,
            None => Verdict::Pass,
        }
    }

    /// It delays, and counts what comes.
    fn must_strike(&self) -> bool {
        false
    }
}

async fn on(gate: Arc<dyn Gate>) -> Fixture {
    Fixture::patient(MongoOptions {
        gate: Some(gate),
        ..<_>::default()
    })
    .await
}

#[tokio::test]
async fn a_slow_connection_is_read_by_several_cursors_at_once() {
    let gate = Arc::new(Slow::new(2));
    let fixture = on(Arc::clone(&gate) as _).await;
    let documents = documents();
    let collection = fixture.collection("split_1_input", &documents).await;
    let read = read_with(&collection, ScanRange::default(), options()).await;
    assert!(read.unwrap() == documents);
    assert!(gate.segments() > 4, "{}", gate.segments());
    // A part of it ends where it should.
    let bound = |i: usize| Some(DocumentId::of(&documents[i]).unwrap());
    let part = ScanRange {
        range: IdRange {
            from: bound(10),
            to: bound(280),
        },
        after: bound(20),
    };
    let before = gate.segments();
    let read = read_with(&collection, part, options()).await.unwrap();
    assert!(read == documents[21..280]);
    assert!(gate.segments() > before + 4, "{}", gate.segments());
}

#[tokio::test]
async fn several_cursors_read_no_more_than_the_queue_holds() {
    let gate = Arc::new(Slow::new(1));
    let fixture = on(Arc::clone(&gate) as _).await;
    let documents = documents();
    let collection = fixture.collection("split_1_input", &documents).await;
    let mut scan = collection.scan(ScanRange::default(), options());
    let (mut replies, mut read) = (0, 0);
    while let Some(batch) = scan.next().await.unwrap() {
        // The first two replies are those of the cursor that found the connection slow.
        let ahead = gate.segments().saturating_sub(replies);
        assert!(ahead <= 4, "{ahead} segments wait after {replies} replies");
        read += batch.documents().unwrap().count();
        replies += 1;
    }
    assert_eq!(read, documents.len());
    assert!(gate.segments() > 4, "{}", gate.segments());
}

#[tokio::test]
async fn several_cursors_under_random_faults_read_everything_once() {
    let faults = RandomFaults::new(5, 0.15).on(&["find", "getMore"]);
    let gate = Arc::new(Slow {
        faults: Some(faults),
        ..Slow::new(1)
    });
    let fixture = on(Arc::clone(&gate) as _).await;
    let documents = documents();
    let collection = fixture.collection("split_1_input", &documents).await;
    for _ in 0..3 {
        let read = read_with(&collection, ScanRange::default(), options()).await;
        assert!(read.unwrap() == documents);
    }
    let disturbed = gate.faults.as_ref().unwrap().counts().faults();
    assert!(disturbed > 3, "{disturbed}");
    assert!(gate.segments() > 12, "{}", gate.segments());
}

#[tokio::test]
async fn a_segment_that_fails_fails_the_scan() {
    let segments = AtomicUsize::new(0);
    let fixture = Fixture::with_gate(move |at: Moment, command: &Command| {
        if at == Moment::Executed && command.name == "getMore" {
            std::thread::sleep(Duration::from_millis(200));
        }
        let hit = at == Moment::Arrived && is_segment(command);
        match hit && segments.fetch_add(1, Ordering::SeqCst) == 2 {
            true => Verdict::Answer { code: 13 },
            false => Verdict::Pass,
        }
    })
    .await;
    let collection = fixture.collection("split_1_input", &documents()).await;
    let read = read_with(&collection, ScanRange::default(), options()).await;
    let error = read.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error:?}");
}

#[tokio::test]
async fn small_replies_and_what_cannot_be_divided_are_read_by_one_cursor() {
    let gate = Arc::new(Slow::new(1));
    let fixture = on(Arc::clone(&gate) as _).await;
    let few = numbered(400);
    let small = fixture.collection("split_1_input", &few).await;
    let options = ScanOptions {
        mean_document_size: ByteSize::kib(400),
        ..options()
    };
    let read = read_with(&small, ScanRange::default(), options).await;
    assert!(read.unwrap() == few);
    let documents = documents();
    let collection = fixture.collection("split_2_input", &documents).await;
    let options = ScanOptions {
        is_divisible: false,
        ..self::options()
    };
    let read = read_with(&collection, ScanRange::default(), options).await;
    assert!(read.unwrap() == documents);
    assert_eq!(gate.segments(), 0);
}
