//! How many restored documents a server would remove once it has its old indexes again.
//!
//! A TTL index does not care that documents were just restored from last year's backup: an hour
//! later the collection is empty.

use std::time::Duration;

use bson::{Bson, DateTime, Document, RawArrayBuf, RawDocumentBuf, rawdoc};

use super::blueprint::Blueprint;
use super::count;
use super::identity::Collection;
use crate::error::{Result, invalid};

/// The documents that a server would remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expiring {
    /// How many there are.
    pub documents: u64,
    /// Whether there may be fewer: a partial index covers only the documents that match its filter.
    pub is_most: bool,
}

/// The maximum number of documents that become old enough within this time to expire by an index of
/// `blueprint`.
pub(crate) async fn expiring_within(
    collection: &Collection,
    blueprint: &Blueprint,
    time: Duration,
) -> Result<Expiring> {
    let until = DateTime::now()
        .timestamp_millis()
        .saturating_add(millis(time));
    let mut old = RawArrayBuf::new();
    for index in &blueprint.expiring {
        if let Some(query) = old_enough(index, until)? {
            old.push(query);
        }
    }
    if old.is_empty() {
        return Ok(Expiring::default());
    }
    let has_filter = |index: &Document| index.contains_key("partialFilterExpression");
    Ok(Expiring {
        documents: count::of(collection, rawdoc! { "$or": old }).await?,
        is_most: blueprint.expiring.iter().any(has_filter),
    })
}

/// The query for documents that `index` expires by then, in milliseconds since the epoch. It
/// ignores a filter of the index: nothing in a manifest ever becomes a query.
fn old_enough(index: &Document, until: i64) -> Result<Option<RawDocumentBuf>> {
    let field = index
        .get_document("key")
        .ok()
        .and_then(|key| key.keys().next());
    // The server does not accept an index with such a name.
    let Some(field) = field.filter(|field| !field.starts_with('$')) else {
        return Ok(None);
    };
    let age = index.get("expireAfterSeconds").map_or(0, seconds);
    let oldest = until.saturating_sub(age.saturating_mul(1000));
    let mut query = RawDocumentBuf::new();
    let field = bson::raw::CString::try_from(field.as_str()).map_err(invalid)?;
    query.append(field, rawdoc! { "$lte": DateTime::from_millis(oldest) });
    Ok(Some(query))
}

/// With a value that is not a number documents expire at once, unless the server refuses it.
fn seconds(value: &Bson) -> i64 {
    match value {
        Bson::Int32(seconds) => i64::from(*seconds),
        Bson::Int64(seconds) => *seconds,
        Bson::Double(seconds) => *seconds as i64,
        _ => 0,
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn the_expiry_query_asks_only_for_the_age_of_one_field() {
        let query = |index: Document| {
            let query = old_enough(&index, 5_000_000).unwrap();
            query.map(|query| Document::try_from(query).unwrap())
        };
        let old = |field: &str, millis: i64| {
            Some(doc! { field: { "$lte": DateTime::from_millis(millis) } })
        };
        let filter = doc! { "$where": "sleep(1000)" };
        let index = doc! { "key": { "a.b": 1 }, "expireAfterSeconds": 60 };
        assert_eq!(query(index), old("a.b", 4_940_000));
        let index = doc! {
            "key": { "t": 1, "u": 1 }, "expireAfterSeconds": 1.5, "partialFilterExpression": filter,
        };
        assert_eq!(query(index), old("t", 4_999_000));
        let index = doc! { "key": { "t": 1 }, "expireAfterSeconds": i64::MAX };
        assert_eq!(query(index), old("t", 5_000_000 - i64::MAX));
        let index = doc! { "key": { "t": 1 }, "expireAfterSeconds": f64::NAN };
        assert_eq!(query(index), old("t", 5_000_000));
        assert_eq!(
            query(doc! { "key": { "$where": 1 }, "expireAfterSeconds": 1 }),
            None
        );
    }
}
