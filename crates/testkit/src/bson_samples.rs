//! One document for every oddity that BSON allows and a real MongoDB 6.0 stores unchanged.
//!
//! Whatever carries documents must bring each of them back byte for byte. They are written as bytes
//! because BSON libraries refuse or silently correct many of them.

use bson::RawDocumentBuf;
use bson::spec::ElementType as Kind;

use crate::document_writer::{DocumentWriter, string_value};

/// A document and what is special about it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// For messages of failing tests; unique.
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
    scalars(&mut add);
    deprecated(&mut add);
    numbers(&mut add);
    dates(&mut add);
    decimals(&mut add);
    names(&mut add);
    arrays(&mut add);
    structures(&mut add);
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

/// What a sample has after its `_id`.
type Write<'a> = dyn Fn(&mut DocumentWriter) -> &mut DocumentWriter + 'a;
type Add<'a> = dyn FnMut(&'static str, &Write<'_>) + 'a;

fn scalars(add: &mut Add<'_>) {
    add("nothing but an id", &|d| d);
    add("double", &|d| d.double("v", 1.25));
    add("string", &|d| d.string("v", "text"));
    add("empty string", &|d| d.string("v", ""));
    add("string with a NUL", &|d| d.string("v", "a\0b"));
    add("string outside the basic plane", &|d| {
        d.string("v", "e\u{301} 𝄞 \u{10ffff}")
    });
    add("string that is not UTF-8", &|d| {
        d.string("v", b"\xff\xfe\xc3(")
    });
    add("binary", &|d| d.binary("v", 0, b"\0\x01\xff"));
    add("empty binary", &|d| d.binary("v", 0, b""));
    add("uuid", &|d| d.binary("v", 4, &[0x5a; 16]));
    add("binary of unusual subtypes", &|d| {
        for subtype in [1, 5, 8, 9, 0x80, 0xff] {
            d.binary(format!("s{subtype}"), subtype, &[3; 16]);
        }
        d
    });
    add("empty compressed column", &|d| d.binary("v", 7, b"\0"));
    add("object id", &|d| {
        d.element(Kind::ObjectId, "v", &[0xab; 12])
    });
    add("both bools", &|d| d.boolean("t", true).boolean("f", false));
    add("null", &|d| d.null("v"));
    add("regex", &|d| {
        d.element(Kind::RegularExpression, "v", b"^a.*b$\0im\0")
    });
    add("regex with flags out of order", &|d| {
        d.element(Kind::RegularExpression, "v", b"a\0xsmi\0")
    });
    add("code", &|d| {
        d.element(Kind::JavaScriptCode, "v", &string_value("function () {}"))
    });
    add("timestamp", &|d| {
        d.element(Kind::Timestamp, "v", &u64::MAX.to_le_bytes())
    });
    add("nested zero timestamp", &|d| {
        let zero = DocumentWriter::new()
            .element(Kind::Timestamp, "0", &[0; 8])
            .finish();
        d.document("d", &zero).array("a", &zero)
    });
    add("zero timestamp at the top", &|d| {
        d.int32("before", 1)
            .element(Kind::Timestamp, "v", &[0; 8])
            .int32("after", 2)
    });
    add("min key and max key", &|d| {
        d.element(Kind::MinKey, "min", &[])
            .element(Kind::MaxKey, "max", &[])
    });
}

fn deprecated(add: &mut Add<'_>) {
    add("undefined", &|d| d.element(Kind::Undefined, "v", &[]));
    add("symbol", &|d| {
        d.element(Kind::Symbol, "v", &string_value("sym"))
    });
    add("DBPointer", &|d| {
        d.element(Kind::DbPointer, "v", &pointer_value("db.c"))
    });
    add("code with scope", &|d| {
        let scope = DocumentWriter::new()
            .int32("x", 1)
            .string("y", "z")
            .finish();
        d.element(
            Kind::JavaScriptCodeWithScope,
            "v",
            &code_with_scope("x + y", &scope),
        )
    });
    add("old binary", &|d| d.binary("v", 2, b"\x03\0\0\0abc"));
    add("old uuid", &|d| d.binary("v", 3, &[0x11; 16]));
}

fn numbers(add: &mut Add<'_>) {
    add("int32 and int64 at their ends", &|d| {
        d.int32("min32", i32::MIN).int32("max32", i32::MAX);
        d.int64("min64", i64::MIN)
            .int64("max64", i64::MAX)
            .int64("small", 1)
    });
    add("int64 that no double holds", &|d| {
        d.int64("v", (1 << 53) + 1)
    });
    add("negative zero", &|d| d.double("v", -0.0));
    add("infinities", &|d| {
        d.double("p", f64::INFINITY).double("n", f64::NEG_INFINITY)
    });
    add("NaN with payloads", &|d| {
        for (name, bits) in [
            ("quiet", 0x7ff8_0000_0000_0000),
            ("payload", 0x7ff8_0000_dead_beef),
            ("signalling", 0x7ff0_0000_0000_0001),
            ("negative", 0xfff8_0000_0000_0002),
        ] {
            d.double(name, f64::from_bits(bits));
        }
        d
    });
    add("subnormal and extreme doubles", &|d| {
        d.double("tiny", f64::from_bits(1))
            .double("max", f64::MAX)
            .double("min", f64::MIN)
    });
    add("one field, int32", &|d| d.int32("mixed", 1));
    add("one field, int64", &|d| d.int64("mixed", 1));
    add("one field, double", &|d| d.double("mixed", 1.0));
    add("one field, string", &|d| d.string("mixed", "1"));
    add("one field, null", &|d| d.null("mixed"));
}

fn dates(add: &mut Add<'_>) {
    for (name, milliseconds) in [
        ("date of 1970", 0),
        ("date with milliseconds", 1_700_000_000_123),
        ("date before 1970", -1),
        ("date before year 1", -62_135_596_800_001),
        ("date after 9999", 253_402_300_800_000),
        ("last date with 64-bit microseconds", i64::MAX / 1000),
        (
            "first date without 64-bit microseconds",
            i64::MAX / 1000 + 1,
        ),
        ("latest date", i64::MAX),
        ("earliest date", i64::MIN),
    ] {
        add(name, &|d| d.date("v", milliseconds));
    }
}

fn decimals(add: &mut Add<'_>) {
    for (name, text) in [
        ("decimal one", "1"),
        ("decimal with trailing zeros", "1.000"),
        ("decimal with an exponent", "1E+3"),
        ("decimal negative zero", "-0E-3"),
        (
            "decimal with all digits",
            "-9.999999999999999999999999999999999E+6144",
        ),
        ("smallest decimal", "1E-6176"),
        ("subnormal decimal", "1.23E-6150"),
        ("decimal infinity", "-Infinity"),
        ("decimal NaN", "NaN"),
    ] {
        let value = decimal(text);
        add(name, &|d| d.element(Kind::Decimal128, "v", &value));
    }
    for (name, high_bytes) in [
        ("decimal NaN, negative, with a payload", [0x12, 0xfc]),
        ("decimal signalling NaN", [0x00, 0x7e]),
        ("decimal infinity with a payload", [0x01, 0x78]),
        ("decimal with an implied digit", [0x10, 0x6c]),
    ] {
        let mut value = [0x21; 16];
        value[14..].copy_from_slice(&high_bytes);
        add(name, &|d| d.element(Kind::Decimal128, "v", &value));
    }
}

fn names(add: &mut Add<'_>) {
    add("duplicate names", &|d| {
        d.int32("a", 1).string("b", "x").int32("a", 2)
    });
    add("duplicate names of two types", &|d| {
        d.int32("a", 1).string("a", "x")
    });
    add("duplicate names, nested", &|d| {
        d.document(
            "d",
            &DocumentWriter::new().int32("a", 1).int32("a", 1).finish(),
        )
    });
    add("empty name", &|d| d.int32("", 1));
    add("name with a dollar", &|d| d.int32("$a", 1));
    add("name with a dot", &|d| d.int32("a.b", 1));
    add("dotted name beside the path", &|d| {
        d.int32("a.b", 1)
            .document("a", &DocumentWriter::new().int32("b", 2).finish())
    });
    add("name that is not UTF-8", &|d| d.int32(b"\xff", 1));
    add("names outside ASCII", &|d| {
        d.int32("größe", 1)
            .int32("名前", 2)
            .int32("e\u{301}", 3)
            .int32("é", 4)
    });
    add("names that differ in case", &|d| {
        d.int32("name", 1).int32("NAME", 2)
    });
    add("names of our own columns", &|d| {
        d.int32("_lob_shape", 1)
            .string("_lob_bson", "x")
            .int32("_lob_other", 2)
    });
    add("id inside", &|d| {
        d.document(
            "d",
            &DocumentWriter::new().int32("a", 1).int32("_id", 2).finish(),
        )
    });
    add("long name", &|d| d.int32("n".repeat(2000), 1));
}

fn arrays(add: &mut Add<'_>) {
    add("empty array", &|d| {
        d.array("v", &DocumentWriter::new().finish())
    });
    add("array of doubles", &|d| d.array("v", &doubles(20)));
    add("array of doubles, longer", &|d| {
        d.array("v", &doubles(1200))
    });
    add("array of mixed types", &|d| {
        let array = DocumentWriter::new()
            .int32("0", 1)
            .double("1", 2.0)
            .string("2", "3")
            .finish();
        d.array("v", &array)
    });
    add("array of nulls", &|d| {
        d.array("v", &DocumentWriter::new().null("0").null("1").finish())
    });
    add("array with a null", &|d| {
        d.array(
            "v",
            &DocumentWriter::new().double("0", 1.0).null("1").finish(),
        )
    });
    add("array of arrays", &|d| {
        let inner = [doubles(2), doubles(0), doubles(3)];
        d.array("v", &numbered(Kind::Array, &inner))
    });
    add("array of documents of one shape", &|d| {
        let inner = [1, 2, 3].map(|n| {
            DocumentWriter::new()
                .int32("a", n)
                .string("b", "x")
                .finish()
        });
        d.array("v", &numbered(Kind::EmbeddedDocument, &inner))
    });
    add("array of documents of two shapes", &|d| {
        let one = DocumentWriter::new().int32("a", 1).finish();
        let other = DocumentWriter::new().string("b", "x").finish();
        d.array("v", &numbered(Kind::EmbeddedDocument, &[one, other]))
    });
    add("array with names that are no numbers", &|d| {
        d.array(
            "v",
            &DocumentWriter::new()
                .double("x", 1.0)
                .double("y", 2.0)
                .finish(),
        )
    });
    add("array with names out of order", &|d| {
        d.array(
            "v",
            &DocumentWriter::new()
                .double("1", 1.0)
                .double("0", 2.0)
                .finish(),
        )
    });
    add("array with names not in shortest form", &|d| {
        d.array(
            "v",
            &DocumentWriter::new()
                .double("00", 1.0)
                .double("01", 2.0)
                .finish(),
        )
    });
    add("array with empty names", &|d| {
        d.array(
            "v",
            &DocumentWriter::new()
                .double("", 1.0)
                .double("", 2.0)
                .finish(),
        )
    });
}

fn structures(add: &mut Add<'_>) {
    add("empty document", &|d| {
        d.document("v", &DocumentWriter::new().finish())
    });
    add("field present", &|d| d.int32("a", 1).int32("b", 2));
    add("field null", &|d| d.int32("a", 1).null("b"));
    add("field absent", &|d| d.int32("a", 1));
    add("fields in another order", &|d| {
        d.int32("b", 2).int32("a", 1)
    });
    add("field null inside", &|d| {
        d.document("d", &DocumentWriter::new().null("b").finish())
    });
    add("50 documents deep", &|d| {
        let leaf = DocumentWriter::new().int32("leaf", 1).finish();
        let deep = (1..50).fold(leaf, |inner, _| {
            DocumentWriter::new().document("n", &inner).finish()
        });
        d.document("n", &deep)
    });
    add("50 arrays deep", &|d| {
        let deep = (1..50).fold(doubles(1), |inner, _| numbered(Kind::Array, &[inner]));
        d.array("n", &deep)
    });
    add("1000 fields", &|d| {
        (0..1000).fold(d, |d, n| d.int32(format!("f{n}"), n))
    });
    add("100 kB in a string", &|d| {
        d.string("v", "x".repeat(100_000))
    });
}

fn finish(mut document: DocumentWriter) -> Option<RawDocumentBuf> {
    RawDocumentBuf::from_bytes(document.finish()).ok()
}

fn doubles(count: u32) -> Vec<u8> {
    let mut array = DocumentWriter::new();
    for index in 0..count {
        array.double(index.to_string(), 1.0 / f64::from(index + 3));
    }
    array.finish()
}

/// An array of values that have the type `kind`.
fn numbered(kind: Kind, values: &[Vec<u8>]) -> Vec<u8> {
    let mut array = DocumentWriter::new();
    for (index, value) in values.iter().enumerate() {
        array.element(kind, index.to_string(), value);
    }
    array.finish()
}

fn decimal(text: &str) -> [u8; 16] {
    text.parse::<bson::Decimal128>()
        .map_or([0; 16], |decimal| decimal.bytes())
}

fn binary_value(subtype: u8, payload: &[u8]) -> Vec<u8> {
    [
        &(payload.len() as u32).to_le_bytes()[..],
        &[subtype],
        payload,
    ]
    .concat()
}

fn pointer_value(namespace: &str) -> Vec<u8> {
    [&string_value(namespace)[..], &[7; 12]].concat()
}

fn code_with_scope(code: &str, scope: &[u8]) -> Vec<u8> {
    let code = string_value(code);
    let length = (4 + code.len() + scope.len()) as u32;
    [&length.to_le_bytes()[..], &code, scope].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::mongo::{MongoOptions, MongoServer};

    #[test]
    fn every_type_of_element_is_among_the_samples() {
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
    fn names_and_ids_are_unique_and_the_order_is_that_of_the_ids() {
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
