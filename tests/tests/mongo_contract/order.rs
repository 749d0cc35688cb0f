//! The order of `_id`s of all types, and scans between two of them.

use bson::oid::ObjectId;
use bson::raw::{CStr, cstr};
use bson::{Bson, Document, Timestamp, doc};

use crate::subject::{Subject, first_batch, numbered, raw, write_errors};

/// Uses embedded documents, so that types not allowed as `_id` itself are included.
#[tokio::test]
async fn ids_of_all_types_share_one_order() {
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
    // Neither in ascending nor in descending order.
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
async fn a_descending_scan_finds_the_largest_id_below_a_bound() {
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
async fn nothing_is_below_the_smallest_id_and_a_read_can_return_ids_only() {
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
async fn invalid_bounds_are_refused() {
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
