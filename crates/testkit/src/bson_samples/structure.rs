//! Samples of names, arrays and nesting.

use bson::spec::ElementType as Kind;

use super::element_values::Add;
use crate::document_writer::DocumentWriter;

pub(super) fn names(add: &mut Add<'_>) {
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

pub(super) fn arrays(add: &mut Add<'_>) {
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

pub(super) fn structures(add: &mut Add<'_>) {
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

fn doubles(count: u32) -> Vec<u8> {
    let mut array = DocumentWriter::new();
    for index in 0..count {
        array.double(index.to_string(), 1.0 / f64::from(index + 3));
    }
    array.finish()
}

/// An array whose values all have the type `kind`.
fn numbered(kind: Kind, values: &[Vec<u8>]) -> Vec<u8> {
    let mut array = DocumentWriter::new();
    for (index, value) in values.iter().enumerate() {
        array.element(kind, index.to_string(), value);
    }
    array.finish()
}
