//! What the tools rely on in a MongoDB server, held against the testkit's server and, where
//! `LOB_E2E_MONGODB_URI` names one, against a real MongoDB instead: the same promises for both, so
//! that a lax double cannot hide a bug. Where an older MongoDB differs, the difference is held as well.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};

use bson::oid::ObjectId;
use bson::raw::{CStr, RawArrayBuf, RawDocumentBuf, cstr};
use bson::{Bson, DateTime, Document, Timestamp, doc, rawdoc};
use futures::TryStreamExt;
use lob_testkit::bson_samples::{one_of_each_id_type, samples};
use lob_testkit::mongo::{MongoOptions, MongoServer, MongoVersion};
use lob_testkit::split_documents::SplitDocuments;
use mongodb::error::{Error, ErrorKind};
use mongodb::{Client, Database};

/// A server and a database of the test's own.
struct Subject {
    client: Client,
    database: Database,
    version: MongoVersion,
    _double: Option<MongoServer>,
}

impl Subject {
    async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let double = match env::var("LOB_E2E_MONGODB_URI") {
            Ok(_) => None,
            Err(_) => Some(MongoServer::start(MongoOptions::default()).unwrap()),
        };
        let uri = double.as_ref().map_or_else(
            || env::var("LOB_E2E_MONGODB_URI").unwrap(),
            |double| double.uri(),
        );
        let client = Client::with_uri_str(uri).await.unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let database = client.database(&format!("lob_{}_{count}", ObjectId::new().to_hex()));
        let build = database.run_command(doc! { "buildInfo": 1 }).await.unwrap();
        Self {
            client,
            database,
            version: MongoVersion::of(&build).unwrap(),
            _double: double,
        }
    }

    async fn run(&self, command: RawDocumentBuf) -> Document {
        self.database.run_raw_command(command).await.unwrap()
    }

    /// The code with which the command is refused.
    async fn refusal(&self, command: RawDocumentBuf) -> i32 {
        code(&self.database.run_raw_command(command).await.unwrap_err())
    }

    /// `since` where the server is of 5.0 or newer, else `before`.
    fn since_5_0<T>(&self, since: T, before: T) -> T {
        if self.version.has_time_series() {
            since
        } else {
            before
        }
    }

    async fn insert(&self, collection: &str, documents: &[Document]) -> Document {
        let documents: Vec<_> = documents.iter().cloned().map(Bson::from).collect();
        let command = doc! { "insert": collection, "documents": documents };
        self.run(raw(&command)).await
    }

    /// Codes and positions of the documents that an unordered insert refuses.
    async fn write_errors(&self, collection: &str, documents: &[Document]) -> Vec<(i32, i32)> {
        let documents: Vec<_> = documents.iter().cloned().map(Bson::from).collect();
        let command = doc! { "insert": collection, "ordered": false, "documents": documents };
        write_errors(&self.run(raw(&command)).await)
    }

    async fn ids(&self, find: Document) -> Vec<Bson> {
        first_batch(&self.run(raw(&find)).await)
            .into_iter()
            .map(|d| d["_id"].clone())
            .collect()
    }

    async fn uuid(&self, collection: &str) -> Bson {
        let command = rawdoc! { "listCollections": 1, "filter": { "name": collection } };
        let listed = first_batch(&self.run(command).await);
        listed[0].get_document("info").unwrap()["uuid"].clone()
    }

    async fn stored(&self, collection: &str) -> Vec<Vec<u8>> {
        let collection = self.database.collection::<RawDocumentBuf>(collection);
        let sorted = collection
            .find(doc! {})
            .sort(doc! { "_id": 1 })
            .await
            .unwrap();
        sorted
            .map_ok(RawDocumentBuf::into_bytes)
            .try_collect()
            .await
            .unwrap()
    }

    async fn rename(&self, from: &str, to: &str, options: Document) -> Result<Document, Error> {
        let name = self.database.name();
        let mut command =
            doc! { "renameCollection": format!("{name}.{from}"), "to": format!("{name}.{to}") };
        command.extend(options);
        self.client.database("admin").run_command(command).await
    }

    async fn drop(self) {
        self.database.drop().await.unwrap();
    }
}

fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap()
}

fn code(error: &Error) -> i32 {
    match &*error.kind {
        ErrorKind::Command(command) => command.code,
        other => panic!("no refusal by the server: {other:?}"),
    }
}

fn first_batch(reply: &Document) -> Vec<Document> {
    batch(reply, "firstBatch")
}

fn batch(reply: &Document, name: &str) -> Vec<Document> {
    let batch = reply
        .get_document("cursor")
        .unwrap()
        .get_array(name)
        .unwrap();
    batch
        .iter()
        .map(|entry| entry.as_document().unwrap().clone())
        .collect()
}

fn cursor_id(reply: &Document) -> i64 {
    reply.get_document("cursor").unwrap().get_i64("id").unwrap()
}

fn write_errors(reply: &Document) -> Vec<(i32, i32)> {
    let errors = reply.get_array("writeErrors").cloned().unwrap_or_default();
    let errors = errors.iter().map(|error| error.as_document().unwrap());
    errors
        .map(|e| (e.get_i32("index").unwrap(), e.get_i32("code").unwrap()))
        .collect()
}

fn numbered(count: i32) -> Vec<Document> {
    (0..count).map(|id| doc! { "_id": id }).collect()
}

fn fresh_uuid() -> Bson {
    let mut bytes = [7; 16];
    bytes[..12].copy_from_slice(&ObjectId::new().bytes());
    bson::Uuid::from_bytes(bytes).into()
}

#[tokio::test]
async fn the_server_is_the_primary_of_a_replica_set_and_tells_its_version_and_limits() {
    let subject = Subject::new().await;
    let hello = subject.run(rawdoc! { "hello": 1 }).await;
    assert!(hello.get_bool("isWritablePrimary").unwrap());
    assert!(hello.contains_key("setName"));
    assert_eq!(hello.get_i32("maxBsonObjectSize").unwrap(), 16_777_216);
    assert_eq!(hello.get_i32("maxMessageSizeBytes").unwrap(), 48_000_000);
    assert_eq!(hello.get_i32("maxWriteBatchSize").unwrap(), 100_000);
    let build = subject.run(rawdoc! { "buildInfo": 1 }).await;
    let version = build.get_str("version").unwrap();
    assert_eq!(version.split('.').count(), 3, "{version}");
    subject.run(rawdoc! { "ping": 1 }).await;
    subject.drop().await;
}

#[tokio::test]
async fn unknown_commands_and_options_are_refused() {
    let subject = Subject::new().await;
    let unparsed = |code| subject.since_5_0(code, 9);
    let negative = subject.since_5_0(51024, 2);
    for (code, command) in [
        (59, rawdoc! { "nonsense": 1 }),
        (unparsed(40415), rawdoc! { "find": "c", "nonsense": 1 }),
        (40415, rawdoc! { "create": "c", "nonsense": 1 }),
        (40415, rawdoc! { "count": "c", "collectionUUID": 1 }),
        (40415, rawdoc! { "insert": "c", "documents": [{}], "x": 1 }),
        (unparsed(14), rawdoc! { "find": "c", "batchSize": "1" }),
        (negative, rawdoc! { "find": "c", "batchSize": -1 }),
        (73, rawdoc! { "find": "" }),
    ] {
        assert_eq!(subject.refusal(command.clone()).await, code, "{command:?}");
    }
    subject.drop().await;
}

#[tokio::test]
async fn an_insert_moves_the_id_to_the_front_and_adds_a_missing_one() {
    let subject = Subject::new().await;
    let reply = subject
        .insert("c", &[doc! { "a": 1, "_id": 5, "b": 2 }, doc! { "a": 1 }])
        .await;
    assert_eq!(reply.get_i32("n").unwrap(), 2);
    let stored = subject.stored("c").await;
    assert_eq!(stored[0], rawdoc! { "_id": 5, "a": 1, "b": 2 }.into_bytes());
    let second = RawDocumentBuf::from_bytes(stored[1].clone()).unwrap();
    let names: Vec<_> = second
        .iter()
        .map(|element| element.unwrap().0.as_str())
        .collect();
    assert_eq!(names, ["_id", "a"]);
    assert!(second.get_object_id("_id").is_ok());
    subject.drop().await;
}

#[tokio::test]
async fn a_zero_timestamp_at_the_top_becomes_the_time_unless_that_is_bypassed() {
    let subject = Subject::new().await;
    let zero = Timestamp {
        time: 0,
        increment: 0,
    };
    let document = doc! { "_id": 1, "t": zero, "n": { "t": zero }, "l": [zero] };
    subject
        .insert("replaced", std::slice::from_ref(&document))
        .await;
    // So the tools ask whether the server knows it.
    let asked = subject.refusal(rawdoc! {
        "insert": "kept", "documents": [], "bypassEmptyTsReplacement": true,
    });
    let bypass = raw(&doc! {
        "insert": "kept", "documents": [document.clone()], "bypassEmptyTsReplacement": true,
    });
    if subject.version.keeps_zero_timestamps() {
        assert_eq!(asked.await, 16);
        subject.run(bypass).await;
        assert_eq!(subject.stored("kept").await, [raw(&document).into_bytes()]);
    } else {
        assert_eq!(asked.await, 40415);
        assert_eq!(subject.refusal(bypass).await, 40415);
    }
    subject.insert("as_id", &[doc! { "_id": zero }]).await;
    let replaced = subject.stored("replaced").await.remove(0);
    let replaced = Document::try_from(RawDocumentBuf::from_bytes(replaced).unwrap()).unwrap();
    assert_ne!(replaced.get_timestamp("t").unwrap(), zero);
    assert_eq!(replaced["n"], document["n"]);
    assert_eq!(replaced["l"], document["l"]);
    assert_eq!(
        subject.stored("as_id").await,
        [rawdoc! { "_id": zero }.into_bytes()]
    );
    subject.drop().await;
}

#[tokio::test]
async fn documents_that_cannot_be_kept_are_refused_one_by_one() {
    let subject = Subject::new().await;
    let refused = [
        doc! { "_id": [1] },
        doc! { "_id": bson::Regex { pattern: cstr!("a").into(), options: cstr!("").into() } },
        doc! { "_id": Bson::Undefined },
        doc! { "_id": { "$a": 1 } },
        doc! { "_id": { "a": { "$b": 1 } } },
        doc! { "_id": { "a": [1] } },
    ];
    let errors = subject.write_errors("c", &refused).await;
    let kind = subject.since_5_0(53, 2);
    assert_eq!(errors, [(0, kind), (1, kind), (2, kind), (3, 52), (4, 52)]);
    let dollar = [doc! { "_id": 1, "$a": 1 }];
    let errors = subject.write_errors("dollar", &dollar).await;
    assert_eq!(errors, subject.since_5_0(vec![], vec![(0, 2)]));
    // 180 levels are the most: the document itself, 178 or 179 in between, and the innermost.
    let deep = |between: i32| {
        let nested = (0..between).fold(doc! { "x": 1 }, |inner, _| doc! { "n": inner });
        doc! { "_id": between, "n": nested }
    };
    let errors = subject.write_errors("deep", &[deep(178), deep(179)]).await;
    assert_eq!(errors, [(1, 15)]);
    let two_ids: RawDocumentBuf = [(cstr!("_id"), 1), (cstr!("_id"), 1)].into_iter().collect();
    let reply = subject
        .run(rawdoc! { "insert": "c", "documents": [two_ids] })
        .await;
    assert_eq!(write_errors(&reply), [(0, 2)]);
    assert_eq!(
        subject
            .refusal(rawdoc! { "insert": "c", "documents": [] })
            .await,
        16
    );
    subject.drop().await;
}

#[tokio::test]
async fn malformed_documents_fail_the_whole_command() {
    let subject = Subject::new().await;
    let mut bad_bool = rawdoc! { "_id": 2, "b": true }.into_bytes();
    let at = bad_bool.len() - 2;
    bad_bool[at] = 2;
    let mut long_string = rawdoc! { "_id": 2, "s": "abc" }.into_bytes();
    let at = long_string.len() - 9;
    long_string[at] = 100;
    for bad in [bad_bool, long_string] {
        let bad = RawDocumentBuf::from_bytes(bad).unwrap();
        let command = rawdoc! { "insert": "c", "documents": [{ "_id": 1 }, bad] };
        assert_eq!(subject.refusal(command).await, 22);
    }
    assert_eq!(subject.stored("c").await.len(), 0);
    subject.drop().await;
}

#[tokio::test]
async fn documents_come_back_byte_for_byte() {
    let subject = Subject::new().await;
    for (collection, mut samples) in [("all", samples()), ("ids", one_of_each_id_type())] {
        samples.retain(|sample| subject.version.keeps(&sample.document));
        let documents: Vec<_> = samples
            .iter()
            .map(|sample| sample.document.clone())
            .collect();
        let mut command = rawdoc! { "insert": collection };
        if subject.version.keeps_zero_timestamps() {
            command.append(cstr!("bypassEmptyTsReplacement"), true);
        }
        let mut array = RawArrayBuf::new();
        documents
            .iter()
            .for_each(|document| array.push(document.clone()));
        command.append(cstr!("documents"), array);
        let reply = subject.run(command).await;
        assert_eq!(write_errors(&reply), []);
        assert_eq!(reply.get_i32("n").unwrap() as usize, documents.len());
        let stored = subject.stored(collection).await;
        for (sample, stored) in samples.iter().zip(stored) {
            assert_eq!(stored, sample.document.as_bytes(), "{}", sample.name);
        }
    }
    subject.drop().await;
}

#[tokio::test]
async fn equal_ids_of_different_types_are_duplicates() {
    let subject = Subject::new().await;
    subject
        .insert("c", &[doc! { "_id": 1 }, doc! { "_id": { "a": [1, 2] } }])
        .await;
    let again = [
        doc! { "_id": 1.0 },
        doc! { "_id": 3 },
        doc! { "_id": "1.00".parse::<bson::Decimal128>().unwrap() },
        doc! { "_id": { "a": [1_i64, 2.0] } },
        doc! { "_id": 1_i64 },
    ];
    let errors = subject.write_errors("c", &again).await;
    assert_eq!(errors, [(0, 11000), (2, 11000), (3, 11000), (4, 11000)]);
    let reply = subject
        .insert(
            "c",
            &[doc! { "_id": 5 }, doc! { "_id": 1 }, doc! { "_id": 6 }],
        )
        .await;
    assert_eq!(reply.get_i32("n").unwrap(), 1);
    let error = reply.get_array("writeErrors").unwrap()[0]
        .as_document()
        .unwrap();
    assert_eq!(error["keyPattern"], doc! { "_id": 1 }.into());
    assert_eq!(error["keyValue"], doc! { "_id": 1 }.into());
    assert_eq!(write_errors(&reply), [(1, 11000)]);
    assert_eq!(subject.stored("c").await.len(), 4);
    subject.drop().await;
}

/// In documents, so that types which an `_id` itself must not have take part.
#[tokio::test]
async fn ids_of_all_types_are_in_one_order() {
    let decimal = |text: &str| Bson::from(text.parse::<bson::Decimal128>().unwrap());
    let regex = |pattern: &'static CStr, options: &'static CStr| {
        Bson::from(bson::Regex {
            pattern: pattern.into(),
            options: options.into(),
        })
    };
    let binary = |subtype: u8, payload: &[u8]| {
        Bson::from(bson::Binary {
            subtype: subtype.into(),
            bytes: payload.to_vec(),
        })
    };
    let code = |code: &str| Bson::JavaScriptCode(code.to_owned());
    let scoped = |code: &str, scope: Document| {
        let code = code.to_owned();
        Bson::from(bson::JavaScriptCodeWithScope { code, scope })
    };
    let timestamp = |time: u32, increment: u32| Bson::from(Timestamp { time, increment });
    let ascending = [
        Bson::MinKey,
        Bson::Undefined,
        Bson::Null,
        f64::NAN.into(),
        decimal("-Infinity"),
        f64::MIN.into(),
        i64::MIN.into(),
        (-1.5).into(),
        decimal("-1E-6176"),
        0.into(),
        decimal("1E-6176"),
        f64::from_bits(1).into(),
        decimal("0.1"),
        0.1.into(),
        1.into(),
        9_007_199_254_740_992.0.into(),
        9_007_199_254_740_993_i64.into(),
        decimal("9007199254740993.5"),
        i64::MAX.into(),
        9_223_372_036_854_775_808.0.into(),
        f64::INFINITY.into(),
        "".into(),
        Bson::Symbol("A".to_owned()),
        "a".into(),
        "a\0".into(),
        "aa".into(),
        "\u{e9}".into(),
        doc! {}.into(),
        doc! { "z": 1 }.into(),
        doc! { "z": 1, "a": 0 }.into(),
        doc! { "a": "x" }.into(),
        doc! { "b": "a" }.into(),
        Bson::Array(vec![]),
        vec![1].into(),
        vec![1, 0].into(),
        vec![2].into(),
        binary(0, b""),
        binary(0, b"z"),
        binary(5, b"a"),
        binary(0, b"aa"),
        ObjectId::from_bytes([0; 12]).into(),
        ObjectId::from_bytes([255; 12]).into(),
        false.into(),
        true.into(),
        bson::DateTime::MIN.into(),
        bson::DateTime::from_millis(-1).into(),
        bson::DateTime::MAX.into(),
        timestamp(0, 1),
        timestamp(1, 0),
        timestamp(u32::MAX, 0),
        regex(cstr!("a"), cstr!("")),
        regex(cstr!("a"), cstr!("i")),
        regex(cstr!("ab"), cstr!("")),
        code("a"),
        code("b"),
        scoped("a", doc! {}),
        scoped("a", doc! { "a": 1 }),
        scoped("b", doc! {}),
        Bson::MaxKey,
    ];
    let ascending: Vec<_> = ascending
        .into_iter()
        .map(|value| doc! { "_id": { "v": value } })
        .collect();
    let subject = Subject::new().await;
    // Neither in order nor in reverse.
    let (even, odd): (Vec<_>, Vec<_>) = ascending.iter().enumerate().partition(|(n, _)| n % 2 == 0);
    let shuffled: Vec<_> = odd
        .into_iter()
        .rev()
        .chain(even)
        .map(|(_, d)| d.clone())
        .collect();
    let reply = subject.insert("c", &shuffled).await;
    assert_eq!(write_errors(&reply), []);
    let expected: Vec<_> = ascending
        .iter()
        .map(|document| raw(document).into_bytes())
        .collect();
    assert_eq!(subject.stored("c").await, expected);
    subject.drop().await;
}

#[tokio::test]
async fn min_is_inclusive_and_max_exclusive_and_both_reach_across_types() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(4)).await;
    subject
        .insert(
            "c",
            &[
                doc! { "_id": "a" },
                doc! { "_id": ObjectId::from_bytes([1; 12]) },
            ],
        )
        .await;
    let bounded = |bounds: Document| {
        let mut find = doc! { "find": "c", "hint": { "_id": 1 }, "sort": { "_id": 1 } };
        find.extend(bounds);
        subject.ids(find)
    };
    assert_eq!(
        bounded(doc! { "min": { "_id": 1 }, "max": { "_id": 3 } }).await,
        [1.into(), 2.into()] as [Bson; 2]
    );
    assert_eq!(bounded(doc! { "min": { "_id": 3 } }).await.len(), 3);
    assert_eq!(bounded(doc! { "max": { "_id": "a" } }).await.len(), 4);
    assert_eq!(bounded(doc! { "max": { "_id": 0 } }).await, []);
    assert_eq!(
        bounded(doc! { "min": { "_id": Bson::MinKey } }).await.len(),
        6
    );
    assert_eq!(
        bounded(doc! { "min": { "_id": 2.5 }, "max": { "_id": "a" } }).await,
        [3.into()] as [Bson; 1]
    );
    let by_name = subject.ids(doc! { "find": "c", "hint": "_id_", "min": { "_id": "a" } });
    assert_eq!(by_name.await.len(), 2);
    subject.drop().await;
}

#[tokio::test]
async fn the_largest_id_below_a_bound_is_found_from_above() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(4)).await;
    let last = |bounds: Document| {
        let mut find = doc! {
            "find": "c",
            "projection": { "_id": 1 },
            "hint": { "_id": 1 },
            "sort": { "_id": -1 },
            "limit": 1,
            "singleBatch": true,
        };
        find.extend(bounds);
        find
    };
    assert_eq!(subject.ids(last(doc! {})).await, [Bson::from(3)]);
    let below = last(doc! { "max": { "_id": 2 } });
    assert_eq!(subject.ids(below).await, [Bson::from(1)]);
    assert_eq!(subject.ids(last(doc! { "max": { "_id": 0 } })).await, []);
    subject.drop().await;
}

#[tokio::test]
async fn a_time_for_a_command_is_a_number_of_milliseconds() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(4)).await;
    for (command, name) in [
        (doc! { "find": "c" }, "find"),
        (
            doc! { "aggregate": "c", "pipeline": [{ "$sample": { "size": 1 } }], "cursor": {} },
            "aggregate",
        ),
    ] {
        let within = |time: Bson| {
            let mut command = command.clone();
            command.insert("maxTimeMS", time);
            raw(&command)
        };
        subject.run(within(60_000_i64.into())).await;
        for wrong in [1.5.into(), Bson::from(1_i64 << 40)] {
            assert_eq!(subject.refusal(within(wrong)).await, 2, "{name}");
        }
    }
    subject.drop().await;
}

#[tokio::test]
async fn a_read_can_ask_for_a_time_that_the_server_has_come_to_and_for_no_later_one() {
    let subject = Subject::new().await;
    let inserted = subject.insert("c", &numbered(3)).await;
    let hello = subject.run(rawdoc! { "hello": 1 }).await;
    let time = hello.get_timestamp("operationTime").unwrap();
    assert!(time >= inserted.get_timestamp("operationTime").unwrap());
    let find = |concern: RawDocumentBuf| rawdoc! { "find": "c", "readConcern": concern };
    for level in ["local", "majority"] {
        let concern = rawdoc! { "level": level, "afterClusterTime": time };
        let found = subject.run(find(concern.clone())).await;
        assert_eq!(first_batch(&found), numbered(3));
        let count = rawdoc! { "count": "c", "query": {}, "readConcern": concern };
        assert_eq!(subject.run(count).await.get_i32("n").unwrap(), 3);
    }
    let future = Timestamp {
        time: u32::MAX,
        increment: 0,
    };
    let zero = Timestamp {
        time: 0,
        increment: 0,
    };
    for (concern, code) in [
        (rawdoc! { "afterClusterTime": future }, 72),
        (rawdoc! { "afterClusterTime": zero }, 72),
        (
            rawdoc! { "level": "available", "afterClusterTime": time },
            72,
        ),
        (rawdoc! { "afterClusterTime": 5 }, 14),
    ] {
        assert_eq!(subject.refusal(find(concern)).await, code);
    }
    subject.drop().await;
}

#[tokio::test]
async fn a_scan_with_min_does_not_find_the_id_max_key() {
    let subject = Subject::new().await;
    subject
        .insert("c", &[doc! { "_id": 1 }, doc! { "_id": Bson::MaxKey }])
        .await;
    let all = doc! { "find": "c", "hint": { "_id": 1 }, "sort": { "_id": 1 } };
    assert_eq!(subject.ids(all.clone()).await, [1.into(), Bson::MaxKey]);
    let mut from_one = all;
    from_one.insert("min", doc! { "_id": 1 });
    assert_eq!(subject.ids(from_one).await, [Bson::from(1)]);
    assert_eq!(
        subject
            .ids(doc! { "find": "c", "filter": { "_id": Bson::MaxKey } })
            .await,
        [Bson::MaxKey]
    );
    subject.drop().await;
}

#[tokio::test]
async fn nothing_is_below_the_smallest_id_and_ids_can_be_read_alone() {
    let subject = Subject::new().await;
    let id = ObjectId::from_bytes([1; 12]);
    let documents = [doc! { "_id": "a", "x": 1 }, doc! { "_id": id, "x": 1 }];
    subject.insert("c", &documents).await;
    let ids = doc! {
        "find": "c",
        "projection": { "_id": 1 },
        "sort": { "_id": 1 },
        "hint": { "_id": 1 },
        "limit": 1,
        "singleBatch": true,
    };
    let smallest = first_batch(&subject.run(raw(&ids)).await);
    assert_eq!(smallest, [doc! { "_id": "a" }]);
    let mut below = ids;
    below.insert("max", smallest[0].clone());
    assert_eq!(first_batch(&subject.run(raw(&below)).await), []);
    subject.drop().await;
}

#[tokio::test]
async fn bounds_that_make_no_sense_are_refused() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(2)).await;
    let hint = doc! { "_id": 1 };
    for (expected, command) in [
        (51173, doc! { "find": "c", "min": { "_id": 1 } }),
        (
            51174,
            doc! { "find": "c", "hint": &hint, "min": { "x": 1 } },
        ),
        (
            51175,
            doc! { "find": "c", "hint": &hint, "min": { "_id": Bson::MaxKey } },
        ),
        (
            51175,
            doc! { "find": "c", "hint": &hint, "max": { "_id": Bson::MinKey } },
        ),
        (
            51175,
            doc! { "find": "c", "hint": &hint, "min": { "_id": 1 }, "max": { "_id": 1 } },
        ),
        (2, doc! { "find": "c", "hint": { "x": 1 } }),
    ] {
        assert_eq!(subject.refusal(raw(&command)).await, expected, "{command}");
    }
    subject.drop().await;
}

#[tokio::test]
async fn a_missing_collection_is_empty_and_is_not_an_error() {
    let subject = Subject::new().await;
    let find = doc! { "find": "c", "hint": { "_id": 1 }, "min": { "_id": 1 } };
    assert_eq!(subject.ids(find).await, []);
    let count = subject.run(rawdoc! { "count": "c", "query": {} }).await;
    assert_eq!(count.get_i32("n").unwrap(), 0);
    let statistics = subject.run(rawdoc! { "collStats": "c" }).await;
    assert_eq!(statistics.get_i32("count").unwrap(), 0);
    assert!(!statistics.contains_key("avgObjSize"));
    assert_eq!(subject.refusal(rawdoc! { "drop": "c" }).await, 26);
    assert_eq!(subject.refusal(rawdoc! { "listIndexes": "c" }).await, 26);
    subject.drop().await;
}

#[tokio::test]
async fn queries_by_id_give_the_documents_asked_for() {
    let subject = Subject::new().await;
    let documents: Vec<_> = (0..6)
        .map(|id| doc! { "_id": id, "owner": id % 2 })
        .collect();
    subject.insert("c", &documents).await;
    let find = |options: Document| {
        let mut find = doc! { "find": "c", "sort": { "_id": 1 } };
        find.extend(options);
        subject.ids(find)
    };
    assert_eq!(
        find(doc! { "filter": { "_id": 3.0 } }).await,
        [Bson::from(3)]
    );
    let some = find(doc! { "filter": { "_id": { "$in": [5, 1, 9, 1] } } }).await;
    assert_eq!(some, [1.into(), 5.into()] as [Bson; 2]);
    assert_eq!(find(doc! { "filter": { "owner": 1 } }).await.len(), 3);
    assert_eq!(find(doc! { "limit": 2 }).await.len(), 2);
    let projected = rawdoc! { "find": "c", "filter": { "_id": 4 }, "projection": { "_id": 1 } };
    assert_eq!(
        first_batch(&subject.run(projected).await),
        [doc! { "_id": 4 }]
    );
    let count = |query: Document| {
        let command = doc! { "count": "c", "query": query, "hint": { "_id": 1 } };
        let reply = subject.run(raw(&command));
        async { reply.await.get_i32("n").unwrap() }
    };
    assert_eq!(count(doc! {}).await, 6);
    assert_eq!(count(doc! { "owner": 0 }).await, 3);
    subject.drop().await;
}

#[tokio::test]
async fn dates_are_counted_by_their_age_and_nothing_else_is() {
    let subject = Subject::new().await;
    let date = DateTime::from_millis;
    let documents = [
        doc! { "_id": 0, "t": date(1000) },
        doc! { "_id": 1, "t": date(1001) },
        doc! { "_id": 2, "t": 1000_i64 },
        doc! { "_id": 3, "t": Bson::Null, "u": date(-1) },
        doc! { "_id": 4, "t": [date(2000), date(500)] },
        doc! { "_id": 5, "t": [] },
        doc! { "_id": 6, "t": Timestamp { time: 1, increment: 1 } },
    ];
    subject.insert("c", &documents).await;
    let until = |field: &str, millis| doc! { field: { "$lte": date(millis) } };
    let count = |any: Vec<Document>| {
        let command = raw(&doc! { "count": "c", "query": { "$or": any } });
        let reply = subject.run(command);
        async { reply.await.get_i32("n").unwrap() }
    };
    assert_eq!(count(vec![until("t", 1000)]).await, 2);
    assert_eq!(count(vec![until("t", 1000), until("u", 0)]).await, 3);
    assert_eq!(count(vec![until("u", -2)]).await, 0);
    assert_eq!(
        subject
            .refusal(rawdoc! { "count": "c", "query": { "$or": [] } })
            .await,
        2
    );
    subject.drop().await;
}

#[tokio::test]
async fn batches_are_as_large_as_asked_for_and_the_last_closes_the_cursor() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(5)).await;
    let first = subject
        .run(rawdoc! { "find": "c", "sort": { "_id": 1 }, "batchSize": 2 })
        .await;
    assert_eq!(first_batch(&first), numbered(2));
    let id = cursor_id(&first);
    assert_ne!(id, 0);
    let more = |batch_size: i32| {
        subject.run(rawdoc! { "getMore": id, "collection": "c", "batchSize": batch_size })
    };
    let second = more(1).await;
    assert_eq!(batch(&second, "nextBatch"), [doc! { "_id": 2 }]);
    assert_eq!(cursor_id(&second), id);
    // Exactly what is left: the server does not know yet that this is the end.
    let third = more(2).await;
    assert_eq!(batch(&third, "nextBatch").len(), 2);
    assert_eq!(cursor_id(&third), id);
    let last = more(2).await;
    assert_eq!(batch(&last, "nextBatch"), []);
    assert_eq!(cursor_id(&last), 0);
    assert_eq!(
        subject
            .refusal(rawdoc! { "getMore": id, "collection": "c" })
            .await,
        43
    );
    subject.drop().await;
}

#[tokio::test]
async fn a_limit_closes_the_cursor_and_a_batch_size_of_none_leaves_it_open() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(200)).await;
    let limited = subject
        .run(rawdoc! { "find": "c", "limit": 2, "batchSize": 2 })
        .await;
    assert_eq!((first_batch(&limited).len(), cursor_id(&limited)), (2, 0));
    let unsaid = subject.run(rawdoc! { "find": "c" }).await;
    assert_eq!(first_batch(&unsaid).len(), 101);
    let none = subject.run(rawdoc! { "find": "c", "batchSize": 0 }).await;
    assert_eq!(first_batch(&none), []);
    let id = cursor_id(&none);
    let rest = subject
        .run(rawdoc! { "getMore": id, "collection": "c" })
        .await;
    assert_eq!(
        (batch(&rest, "nextBatch").len(), cursor_id(&rest)),
        (200, 0)
    );
    let single = rawdoc! { "find": "c", "batchSize": 2, "singleBatch": true };
    assert_eq!(cursor_id(&subject.run(single).await), 0);
    subject.drop().await;
}

#[tokio::test]
async fn a_reply_ends_before_16_mebibytes() {
    let subject = Subject::new().await;
    let text = "x".repeat(7 << 20);
    for id in 0..3 {
        subject
            .insert("c", &[doc! { "_id": id, "text": &text }])
            .await;
    }
    let first = subject
        .run(rawdoc! { "find": "c", "sort": { "_id": 1 }, "batchSize": 100 })
        .await;
    assert_eq!(first_batch(&first).len(), 2);
    let id = cursor_id(&first);
    let rest = subject
        .run(rawdoc! { "getMore": id, "collection": "c" })
        .await;
    assert_eq!((batch(&rest, "nextBatch").len(), cursor_id(&rest)), (1, 0));
    let too_large = doc! { "_id": 9, "text": "x".repeat(16 << 20) };
    assert_eq!(subject.write_errors("c", &[too_large]).await, [(0, 2)]);
    subject.drop().await;
}

#[tokio::test]
async fn cursors_are_closed_on_request_and_belong_to_their_collection() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(5)).await;
    let find = rawdoc! { "find": "c", "batchSize": 1 };
    let id = cursor_id(&subject.run(find).await);
    assert_eq!(
        subject
            .refusal(rawdoc! { "getMore": id, "collection": "d" })
            .await,
        13
    );
    let killed = subject
        .run(rawdoc! { "killCursors": "c", "cursors": [id, 5_i64] })
        .await;
    assert_eq!(
        killed.get_array("cursorsKilled").unwrap(),
        &[Bson::from(id)]
    );
    assert_eq!(
        killed.get_array("cursorsNotFound").unwrap(),
        &[Bson::from(5_i64)]
    );
    assert_eq!(
        subject
            .refusal(rawdoc! { "getMore": id, "collection": "c" })
            .await,
        43
    );
    subject.drop().await;
}

#[tokio::test]
async fn a_scan_fails_when_its_collection_is_dropped_renamed_or_replaced() {
    let subject = Subject::new().await;
    let open = async || {
        subject.insert("c", &numbered(5)).await;
        cursor_id(&subject.run(rawdoc! { "find": "c", "batchSize": 1 }).await)
    };
    let id = open().await;
    subject.run(rawdoc! { "drop": "c" }).await;
    assert_eq!(
        subject
            .refusal(rawdoc! { "getMore": id, "collection": "c" })
            .await,
        175
    );
    assert_eq!(
        subject
            .refusal(rawdoc! { "getMore": id, "collection": "c" })
            .await,
        43
    );
    let id = open().await;
    subject.rename("c", "d", doc! {}).await.unwrap();
    assert_eq!(
        subject
            .refusal(rawdoc! { "getMore": id, "collection": "c" })
            .await,
        175
    );
    let id = open().await;
    subject
        .rename("d", "c", doc! { "dropTarget": true })
        .await
        .unwrap();
    assert_eq!(
        subject
            .refusal(rawdoc! { "getMore": id, "collection": "c" })
            .await,
        175
    );
    subject.drop().await;
}

#[tokio::test]
async fn a_command_with_another_collections_uuid_does_nothing() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(2)).await;
    let own = subject.uuid("c").await;
    if !subject.version.takes_collection_uuid() {
        // `drop` alone passes over it in silence: the tools never say it to such a server.
        for (unknown, mut command) in [
            (9, doc! { "find": "c" }),
            (40415, doc! { "insert": "c", "documents": [{ "_id": 7 }] }),
            (9, doc! { "aggregate": "c", "pipeline": [], "cursor": {} }),
        ] {
            command.insert("collectionUUID", fresh_uuid());
            assert_eq!(subject.refusal(raw(&command)).await, unknown, "{command}");
        }
        let other = doc! { "collectionUUID": fresh_uuid() };
        let refused = subject.rename("c", "d", other.clone()).await;
        assert_eq!(code(&refused.unwrap_err()), 40415);
        assert_eq!(subject.stored("c").await.len(), 2);
        let mut drop = doc! { "drop": "c" };
        drop.extend(other);
        subject.run(raw(&drop)).await;
        assert_eq!(subject.stored("c").await.len(), 0);
        subject.drop().await;
        return;
    }
    subject
        .run(raw(&doc! { "find": "c", "collectionUUID": &own }))
        .await;
    let insert = doc! { "insert": "c", "documents": [{ "_id": 7 }], "collectionUUID": &own };
    subject.run(raw(&insert)).await;
    let sample =
        doc! { "aggregate": "c", "pipeline": [{ "$sample": { "size": 1 } }], "cursor": {} };
    for collection in ["c", "missing"] {
        let other = fresh_uuid();
        for mut command in [
            doc! { "find": collection },
            doc! { "drop": collection },
            sample.clone(),
        ] {
            command.insert("collectionUUID", &other);
            assert_eq!(subject.refusal(raw(&command)).await, 361, "{command}");
        }
        let rename = subject
            .rename(collection, "d", doc! { "collectionUUID": &other })
            .await;
        assert_eq!(code(&rename.unwrap_err()), 361);
        for (ordered, expected) in [(true, vec![(0, 361)]), (false, vec![(0, 361), (1, 361)])] {
            let documents = doc! { "insert": collection, "ordered": ordered, "documents": [{ "_id": 8 }, { "_id": 9 }], "collectionUUID": &other };
            let reply = subject.run(raw(&documents)).await;
            assert_eq!(reply.get_i32("n").unwrap(), 0);
            assert_eq!(write_errors(&reply), expected);
        }
    }
    assert_eq!(subject.stored("c").await.len(), 3);
    let names = subject.database.list_collection_names().await.unwrap();
    assert_eq!(names, ["c"]);
    subject
        .rename("c", "d", doc! { "collectionUUID": &own })
        .await
        .unwrap();
    subject
        .run(raw(&doc! { "drop": "d", "collectionUUID": &own }))
        .await;
    subject.drop().await;
}

#[tokio::test]
async fn a_rename_keeps_the_uuid_and_replaces_only_on_request() {
    let subject = Subject::new().await;
    subject.insert("staging", &numbered(3)).await;
    subject.insert("target", &numbered(1)).await;
    let uuid = subject.uuid("staging").await;
    let refused = subject
        .rename("staging", "target", doc! { "dropTarget": false })
        .await;
    assert_eq!(code(&refused.unwrap_err()), 48);
    assert_eq!(subject.stored("target").await.len(), 1);
    let options = doc! { "dropTarget": true, "writeConcern": { "w": "majority" } };
    subject.rename("staging", "target", options).await.unwrap();
    assert_eq!(subject.uuid("target").await, uuid);
    assert_eq!(subject.stored("target").await.len(), 3);
    let gone = subject
        .rename("staging", "target", doc! { "dropTarget": true })
        .await;
    assert_eq!(code(&gone.unwrap_err()), 26);
    let itself = subject.rename("target", "target", doc! {}).await;
    assert_eq!(code(&itself.unwrap_err()), subject.since_5_0(20, 48));
    let elsewhere = rawdoc! { "renameCollection": "a.b", "to": "a.c" };
    assert_eq!(subject.refusal(elsewhere).await, 13);
    subject.drop().await;
}

#[tokio::test]
async fn collections_are_created_listed_and_dropped() {
    let subject = Subject::new().await;
    subject
        .run(rawdoc! { "create": "plain", "writeConcern": { "w": "majority" } })
        .await;
    assert_eq!(subject.refusal(rawdoc! { "create": "plain" }).await, 48);
    subject
        .run(rawdoc! { "create": "view", "viewOn": "plain", "pipeline": [] })
        .await;
    let series = rawdoc! { "create": "series", "timeseries": { "timeField": "t" } };
    if subject.version.has_time_series() {
        subject.run(series).await;
    } else {
        assert_eq!(subject.refusal(series).await, 40415);
    }
    subject
        .run(rawdoc! { "create": "collated", "collation": { "locale": "en" } })
        .await;
    let listed = subject
        .run(rawdoc! { "listCollections": 1, "filter": { "name": "plain" } })
        .await;
    let plain = first_batch(&listed).remove(0);
    assert_eq!(plain.get_str("type").unwrap(), "collection");
    assert_eq!(plain["options"], doc! {}.into());
    assert_eq!(
        plain["idIndex"],
        doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }.into()
    );
    let uuid = &plain.get_document("info").unwrap()["uuid"];
    assert!(
        matches!(uuid, Bson::Binary(binary) if u8::from(binary.subtype) == 4 && binary.bytes.len() == 16)
    );
    let all = first_batch(
        &subject
            .run(rawdoc! { "listCollections": 1, "nameOnly": true })
            .await,
    );
    let kind = |name: &str| {
        let found = all.iter().find(|entry| entry["name"] == Bson::from(name));
        found.map(|entry| entry.get_str("type").unwrap())
    };
    assert_eq!(
        [kind("plain"), kind("view"), kind("series")],
        [
            Some("collection"),
            Some("view"),
            subject.since_5_0(Some("timeseries"), None)
        ]
    );
    let filter = rawdoc! { "listCollections": 1, "filter": { "name": "collated" } };
    let collated = first_batch(&subject.run(filter).await).remove(0);
    let collation = collated
        .get_document("options")
        .unwrap()
        .get_document("collation")
        .unwrap();
    assert_eq!(collation.get_str("locale").unwrap(), "en");
    assert_eq!(subject.write_errors("view", &numbered(1)).await, [(0, 166)]);
    assert_eq!(subject.refusal(rawdoc! { "collStats": "view" }).await, 166);
    subject.run(rawdoc! { "drop": "plain" }).await;
    assert_eq!(subject.refusal(rawdoc! { "drop": "plain" }).await, 26);
    let databases = subject.client.list_database_names().await.unwrap();
    assert!(databases.iter().any(|name| name == subject.database.name()));
    assert_eq!(subject.refusal(rawdoc! { "listDatabases": 1 }).await, 13);
    subject.drop().await;
}

#[tokio::test]
async fn statistics_tell_the_mean_size_of_documents() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(4)).await;
    let statistics = subject.run(rawdoc! { "collStats": "c" }).await;
    let number = |name| statistics.get_i32(name).unwrap();
    assert_eq!(
        (number("count"), number("size"), number("avgObjSize")),
        (4, 4 * 14, 14)
    );
    assert!(number("storageSize") >= 0 && number("totalIndexSize") >= 0);
    subject.drop().await;
}

#[tokio::test]
async fn a_database_tells_how_full_the_disk_of_the_server_is() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(1)).await;
    let statistics = subject.run(rawdoc! { "dbStats": 1 }).await;
    let [used, total] = ["fsUsedSize", "fsTotalSize"].map(|n| statistics.get_f64(n).unwrap());
    assert!(0.0 < used && used < total, "{used} of {total}");
    assert_eq!(used.fract() + total.fract(), 0.0);
    assert_eq!(statistics.get_str("db").unwrap(), subject.database.name());
    subject.drop().await;
}

#[tokio::test]
async fn a_sample_holds_different_documents_of_the_collection() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(300)).await;
    let sample = |size: i64| {
        let pipeline = rawdoc! { "$sample": { "size": size } };
        subject.run(
            rawdoc! { "aggregate": "c", "pipeline": [pipeline], "cursor": { "batchSize": 400 } },
        )
    };
    assert_eq!(first_batch(&sample(5).await).len(), 5);
    let mut all = first_batch(&sample(1000).await);
    all.sort_by_key(|document| document.get_i32("_id").unwrap());
    assert_eq!(all, numbered(300));
    subject.insert("long", &[doc! { "_id": 1, "x": 2 }]).await;
    let ids = doc! {
        "aggregate": "long",
        "pipeline": [{ "$sample": { "size": 5_i64 } }, { "$project": { "_id": 1 } }],
        "cursor": { "batchSize": 1000_i64 },
    };
    assert_eq!(
        first_batch(&subject.run(raw(&ids)).await),
        [doc! { "_id": 1 }]
    );
    let command = rawdoc! { "aggregate": "c", "pipeline": [] };
    assert_eq!(subject.refusal(command).await, 9);
    subject.drop().await;
}

#[tokio::test]
async fn a_unique_index_is_refused_by_data_that_violate_it() {
    let subject = Subject::new().await;
    subject
        .insert(
            "c",
            &[
                doc! { "_id": 1, "a": 1, "b": 1 },
                doc! { "_id": 2, "a": 1, "b": 2 },
            ],
        )
        .await;
    let create = |index: Document| raw(&doc! { "createIndexes": "c", "indexes": [index] });
    let unique = |key: Document| create(doc! { "key": key, "name": "u", "unique": true });
    assert_eq!(subject.refusal(unique(doc! { "a": 1 })).await, 11000);
    assert_eq!(subject.refusal(unique(doc! { "missing": 1 })).await, 11000);
    let made = subject.run(unique(doc! { "a": 1, "b": -1 })).await;
    assert_eq!(made.get_i32("numIndexesBefore").unwrap(), 1);
    assert_eq!(made.get_i32("numIndexesAfter").unwrap(), 2);
    let again = subject.run(unique(doc! { "a": 1, "b": -1 })).await;
    assert_eq!(again.get_i32("numIndexesAfter").unwrap(), 2);
    let plain = |name: &str, key: Document| create(doc! { "key": key, "name": name });
    assert_eq!(subject.refusal(plain("u", doc! { "z": 1 })).await, 86);
    subject.run(plain("z", doc! { "z": 1 })).await;
    assert_eq!(subject.refusal(plain("y", doc! { "z": 1 })).await, 85);
    let nonsense = create(doc! { "key": { "q": 1 }, "name": "q", "nonsense": 1 });
    assert_eq!(subject.refusal(nonsense).await, 197);
    let ttl = create(doc! { "key": { "t": 1 }, "name": "t", "expireAfterSeconds": 3600 });
    subject.run(ttl).await;
    let listed = first_batch(&subject.run(rawdoc! { "listIndexes": "c" }).await);
    assert_eq!(
        listed[0],
        doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }
    );
    assert_eq!(
        listed[1],
        doc! { "v": 2, "key": { "a": 1, "b": -1 }, "name": "u", "unique": true }
    );
    assert_eq!(listed.len(), 4);
    subject.drop().await;
}

#[tokio::test]
async fn indexes_survive_a_rename() {
    let subject = Subject::new().await;
    let index = rawdoc! { "key": { "a": 1 }, "name": "a" };
    let made = subject
        .run(rawdoc! { "createIndexes": "staging", "indexes": [index] })
        .await;
    assert!(made.get_bool("createdCollectionAutomatically").unwrap());
    subject.insert("target", &numbered(1)).await;
    subject
        .rename("staging", "target", doc! { "dropTarget": true })
        .await
        .unwrap();
    let listed = first_batch(&subject.run(rawdoc! { "listIndexes": "target" }).await);
    assert_eq!(listed.len(), 2);
    subject.drop().await;
}

#[tokio::test]
async fn a_validator_does_not_stop_inserts_that_bypass_it() {
    let subject = Subject::new().await;
    subject
        .run(rawdoc! { "create": "c", "validator": { "a": { "$exists": true } } })
        .await;
    let documents = [doc! { "_id": 1 }];
    assert_eq!(subject.write_errors("c", &documents).await.len(), 1);
    let command =
        rawdoc! { "insert": "c", "documents": [{ "_id": 1 }], "bypassDocumentValidation": true };
    assert_eq!(subject.run(command).await.get_i32("n").unwrap(), 1);
    subject.drop().await;
}

#[tokio::test]
async fn a_write_concern_beyond_the_set_is_reported_after_the_write() {
    let subject = Subject::new().await;
    let command = |w: Bson| {
        raw(&doc! {
            "insert": "c", "documents": [{ "a": 1 }],
            "writeConcern": { "w": w, "j": true, "wtimeout": 1000 },
        })
    };
    for good in [1.into(), Bson::from("majority")] {
        assert!(
            !subject
                .run(command(good))
                .await
                .contains_key("writeConcernError")
        );
    }
    // The driver's raw commands hand the error of the concern on in the reply.
    let reply = subject.run(command(5.into())).await;
    let error = reply.get_document("writeConcernError").unwrap();
    assert_eq!(error.get_i32("code").unwrap(), 100);
    assert_eq!(subject.stored("c").await.len(), 3);
    subject.drop().await;
}

#[tokio::test]
async fn documents_are_deleted_by_equality() {
    let subject = Subject::new().await;
    let documents: Vec<_> = (0..6)
        .map(|id| doc! { "_id": id, "owner": id % 2 })
        .collect();
    subject.insert("c", &documents).await;
    let delete = |query: Document, limit: i32| {
        subject.run(raw(
            &doc! { "delete": "c", "deletes": [{ "q": query, "limit": limit }] },
        ))
    };
    assert_eq!(
        delete(doc! { "_id": { "$in": [0, 1, 9] } }, 0)
            .await
            .get_i32("n")
            .unwrap(),
        2
    );
    assert_eq!(
        delete(doc! { "owner": 0 }, 1).await.get_i32("n").unwrap(),
        1
    );
    assert_eq!(delete(doc! {}, 0).await.get_i32("n").unwrap(), 3);
    assert_eq!(subject.stored("c").await.len(), 0);
    subject.drop().await;
}

#[tokio::test]
async fn a_document_is_replaced_by_another_of_its_id() {
    let subject = Subject::new().await;
    subject.insert("c", &numbered(3)).await;
    let update = |query: Document, replacement: Document| {
        raw(&doc! { "update": "c", "updates": [{ "q": query, "u": replacement }] })
    };
    for (query, replacement, changed) in [
        (doc! { "_id": 1 }, doc! { "x": 1 }, 1),
        (doc! { "_id": 2 }, doc! { "x": 1, "_id": 2 }, 1),
        (doc! { "_id": 1 }, doc! { "x": 1 }, 1),
        (doc! { "_id": 7 }, doc! { "x": 1 }, 0),
    ] {
        let reply = subject.run(update(query, replacement)).await;
        let number = |name| reply.get_i32(name).unwrap();
        assert_eq!((number("n"), number("nModified")), (changed, changed));
    }
    let expected = [
        doc! { "_id": 0 },
        doc! { "_id": 1, "x": 1 },
        doc! { "_id": 2, "x": 1 },
    ];
    assert_eq!(
        subject.stored("c").await,
        expected.map(|d| raw(&d).into_bytes())
    );
    subject.drop().await;
}

#[tokio::test]
async fn the_drivers_own_helpers_work() {
    let subject = Subject::new().await;
    let collection = subject.database.collection::<RawDocumentBuf>("c");
    let documents: Vec<_> = SplitDocuments::new(1, 768).take(250).collect();
    collection
        .insert_many(&documents)
        .ordered(false)
        .await
        .unwrap();
    assert_eq!(collection.estimated_document_count().await.unwrap(), 250);
    assert_eq!(collection.count_documents(doc! {}).await.unwrap(), 250);
    let mut batches = collection
        .find(doc! {})
        .sort(doc! { "_id": 1 })
        .batch_size(70)
        .batch()
        .await
        .unwrap();
    let mut stored = Vec::new();
    while let Some(batch) = batches.try_next().await.unwrap() {
        for document in batch.doc_slices().unwrap() {
            stored.push(document.unwrap().as_document().unwrap().to_owned());
        }
    }
    assert_eq!(stored, documents);
    subject.drop().await;
}
