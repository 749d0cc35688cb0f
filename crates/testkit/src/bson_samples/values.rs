//! Samples of single values: every type, and the edge cases of each.

use bson::spec::ElementType as Kind;

use super::element_values::{Add, code_with_scope, decimal, pointer_value};
use crate::document_writer::{DocumentWriter, string_value};

pub(super) fn scalars(add: &mut Add<'_>) {
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

pub(super) fn deprecated(add: &mut Add<'_>) {
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

pub(super) fn numbers(add: &mut Add<'_>) {
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

pub(super) fn dates(add: &mut Add<'_>) {
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

pub(super) fn decimals(add: &mut Add<'_>) {
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
