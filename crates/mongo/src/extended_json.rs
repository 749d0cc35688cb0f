//! BSON documents as text: canonical Extended JSON, which keeps types and field order.
//!
//! The BSON library produces canonical text only via JSON values, which sort the fields, and the
//! field order is what defines an index.

use bson::{Bson, Document, RawDocumentBuf};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// The text of a document, if it reads back as the same bytes. It does not if a field is named like
/// an Extended JSON type.
pub(crate) fn text(document: &Document) -> Option<String> {
    let bytes = RawDocumentBuf::try_from(document).ok()?;
    let text = serde_json::to_string(&Fields(document)).ok()?;
    let read_back = RawDocumentBuf::try_from(&read(&text).ok()?).ok()?;
    (read_back == bytes).then_some(text)
}

/// Parses a document from text, with its depth limited to 128.
pub(crate) fn read(text: &str) -> serde_json::Result<Document> {
    serde_json::from_str(text)
}

struct Fields<'a>(&'a Document);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, Canonical(value))))
    }
}

struct Canonical<'a>(&'a Bson);

impl Serialize for Canonical<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Bson::Document(document) => Fields(document).serialize(serializer),
            Bson::Array(values) => serializer.collect_seq(values.iter().map(Canonical)),
            Bson::Int32(number) => typed(serializer, "$numberInt", number.to_string()),
            Bson::Int64(number) => typed(serializer, "$numberLong", number.to_string()),
            Bson::Double(number) if number.is_infinite() => {
                let sign = if *number < 0.0 { "-" } else { "" };
                typed(serializer, "$numberDouble", format!("{sign}Infinity"))
            }
            Bson::Double(number) => typed(serializer, "$numberDouble", format!("{number:?}")),
            Bson::Decimal128(number) => typed(serializer, "$numberDecimal", number.to_string()),
            other => other.serialize(serializer),
        }
    }
}

fn typed<S: Serializer>(serializer: S, name: &str, text: String) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, &text)?;
    map.end()
}

#[cfg(test)]
mod tests {
    use bson::oid::ObjectId;
    use bson::spec::BinarySubtype;
    use bson::{Binary, DateTime, Decimal128, Regex, Timestamp, doc};

    use super::*;

    #[test]
    fn every_type_and_field_order_survive_as_text() {
        let document = doc! {
            "z": 1, "a": 1_i64, "m": 1.0, "b": [1, { "y": 0.1, "x": f64::NEG_INFINITY }],
            "minus": -0.0, "nan": f64::NAN, "null": Bson::Null, "bool": true, "text": "ä\"\0",
            "date": DateTime::from_millis(-1), "late": DateTime::MAX, "id": ObjectId::from_bytes([1; 12]),
            "decimal": "1.50".parse::<Decimal128>().unwrap(),
            "binary": Binary { subtype: BinarySubtype::Uuid, bytes: vec![7; 16] },
            "regex": Regex { pattern: bson::raw::cstr!("^a").into(), options: bson::raw::cstr!("i").into() },
            "timestamp": Timestamp { time: 1, increment: 2 },
            "min": Bson::MinKey, "max": Bson::MaxKey, "undefined": Bson::Undefined,
            "code": Bson::JavaScriptCode("f()".into()), "symbol": Bson::Symbol("s".into()),
            "$expr": { "$gt": ["$a", { "$literal": 5 }] }, "$**": 1, "": {}, "empty": [],
        };
        let text = text(&document).unwrap();
        assert!(text.starts_with(
            r#"{"z":{"$numberInt":"1"},"a":{"$numberLong":"1"},"m":{"$numberDouble":"1.0"},"b":["#
        ));
        assert_eq!(
            RawDocumentBuf::try_from(&read(&text).unwrap()).unwrap(),
            RawDocumentBuf::try_from(&document).unwrap()
        );
    }

    #[test]
    fn a_document_that_would_read_back_differently_has_no_text() {
        assert_eq!(text(&doc! { "a": { "$oid": "0".repeat(24) } }), None);
        assert_eq!(
            text(&doc! { "a": f64::from_bits(0x7ff8_0000_dead_beef) }),
            None
        );
        assert!(read(&format!("{{\"a\":{}", "[".repeat(1_000))).is_err());
    }
}
