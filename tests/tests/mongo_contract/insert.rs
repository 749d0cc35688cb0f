//! What an insert stores, and what it refuses.

use bson::raw::{RawArrayBuf, RawDocumentBuf, cstr};
use bson::{Bson, Document, Timestamp, doc, rawdoc};
use lob_testkit::bson_samples::{one_of_each_id_type, samples};

use crate::subject::{Subject, raw, write_errors};

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
async fn a_top_level_zero_timestamp_becomes_the_current_time_unless_bypassed() {
    let subject = Subject::new().await;
    let zero = Timestamp {
        time: 0,
        increment: 0,
    };
    let document = doc! { "_id": 1, "t": zero, "n": { "t": zero }, "l": [zero] };
    subject
        .insert("replaced", std::slice::from_ref(&document))
        .await;
    // This is how the tools find out whether the server knows it.
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
async fn documents_that_cannot_be_stored_are_refused_individually() {
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
    // 180 levels are the maximum: the document itself, 178 or 179 in between, and the innermost.
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
    lob_testkit::fault_fired("F2");
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
async fn an_unsatisfiable_write_concern_is_reported_after_the_write() {
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
    // The driver's raw commands pass the write concern error on in the reply.
    let reply = subject.run(command(5.into())).await;
    let error = reply.get_document("writeConcernError").unwrap();
    assert_eq!(error.get_i32("code").unwrap(), 100);
    assert_eq!(subject.stored("c").await.len(), 3);
    subject.drop().await;
}
