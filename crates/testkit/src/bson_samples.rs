//! One document for every oddity that BSON allows and a real MongoDB 6.0 stores unchanged.
//!
//! Anything that carries documents must return each of them byte for byte. They are written as raw
//! bytes because BSON libraries refuse or silently correct many of them.

mod element_values;
mod structure;
mod values;

use bson::RawDocumentBuf;
use bson::spec::ElementType as Kind;

use self::element_values::{Write, binary_value, code_with_scope, decimal, pointer_value};
use crate::document_writer::{DocumentWriter, string_value};

/// A document and the oddity it stands for.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Names the sample in the messages of failing tests; unique.
    pub name: &'static str,
    /// Begins with an int32 `_id`, unique among the samples.
    pub document: RawDocumentBuf,
}

/// All samples, in ascending `_id` order.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut add = |name, write: &Write<'_>| {
        let mut document = DocumentWriter::new();
        document.int32("_id", samples.len() as i32 + 1);
        write(&mut document);
        samples.extend(finish(document).map(|document| Sample { name, document }));
    };
    values::scalars(&mut add);
    values::deprecated(&mut add);
    values::numbers(&mut add);
    values::dates(&mut add);
    values::decimals(&mut add);
    structure::names(&mut add);
    structure::arrays(&mut add);
    structure::structures(&mut add);
    samples
}

/// One document for each type of `_id` that a server accepts, in ascending order of `_id`.
#[must_use]
pub fn one_of_each_id_type() -> Vec<Sample> {
    let embedded = DocumentWriter::new().int32("a", 1).int64("b", 2).finish();
    let scope = DocumentWriter::new().int32("x", 1).finish();
    let ids: [(&'static str, Kind, Vec<u8>); 19] = [
        ("min key", Kind::MinKey, vec![]),
        ("null", Kind::Null, vec![]),
        ("int64", Kind::Int64, (-1i64 << 40).to_le_bytes().into()),
        ("decimal128", Kind::Decimal128, decimal("-1.50").into()),
        ("int32", Kind::Int32, 1i32.to_le_bytes().into()),
        ("double", Kind::Double, 1.5f64.to_le_bytes().into()),
        ("string", Kind::String, string_value("a")),
        ("symbol", Kind::Symbol, string_value("b")),
        ("document", Kind::EmbeddedDocument, embedded),
        ("binary", Kind::Binary, binary_value(0, b"bytes")),
        ("uuid", Kind::Binary, binary_value(4, &[9; 16])),
        ("object id", Kind::ObjectId, (1..=12).collect()),
        ("bool", Kind::Boolean, vec![0]),
        ("date", Kind::DateTime, 0i64.to_le_bytes().into()),
        (
            "timestamp",
            Kind::Timestamp,
            (7u64 << 32 | 1).to_le_bytes().into(),
        ),
        ("pointer", Kind::DbPointer, pointer_value("a.b")),
        ("code", Kind::JavaScriptCode, string_value("f()")),
        (
            "code with scope",
            Kind::JavaScriptCodeWithScope,
            code_with_scope("f()", &scope),
        ),
        ("max key", Kind::MaxKey, vec![]),
    ];
    let samples = ids.into_iter().filter_map(|(name, kind, value)| {
        let mut document = DocumentWriter::new();
        document
            .element(kind, "_id", &value)
            .string("id type", name);
        finish(document).map(|document| Sample { name, document })
    });
    samples.collect()
}

fn finish(mut document: DocumentWriter) -> Option<RawDocumentBuf> {
    RawDocumentBuf::from_bytes(document.finish()).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::mongo::{MongoOptions, MongoServer};

    #[test]
    fn the_samples_cover_every_element_type() {
        let kinds: HashSet<u8> = samples()
            .iter()
            .flat_map(|sample| {
                let elements = sample.document.iter_elements().map_while(Result::ok);
                elements
                    .map(|element| element.element_type() as u8)
                    .collect::<Vec<_>>()
            })
            .collect();
        let all: HashSet<u8> = (0..=255)
            .filter_map(Kind::from)
            .map(|kind| kind as u8)
            .collect();
        assert_eq!(kinds, all);
    }

    #[test]
    fn sample_names_and_ids_are_unique_and_ids_ascend() {
        let server = MongoServer::start(MongoOptions::default()).unwrap();
        for (collection, samples) in [("all", samples()), ("ids", one_of_each_id_type())] {
            let names: HashSet<_> = samples.iter().map(|sample| sample.name).collect();
            assert_eq!(names.len(), samples.len());
            let documents: Vec<_> = samples.into_iter().map(|sample| sample.document).collect();
            server.load("db", collection, documents.clone()).unwrap();
            let stored = server.documents("db", collection).unwrap();
            let bytes: Vec<_> = documents
                .into_iter()
                .map(RawDocumentBuf::into_bytes)
                .collect();
            assert_eq!(stored, bytes);
        }
    }
}
