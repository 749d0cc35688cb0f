//! Parquet's Thrift structures, from parquet.thrift. Everything the library knows must be here.

/// What a field holds, in the compact protocol.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Bool,
    Byte,
    I16,
    I32,
    I64,
    Binary,
    /// The kind of the elements, and the minimum bytes of an element with all its required fields.
    List(&'static Kind, u64),
    Struct(Fields),
    /// Exactly one of these fields: any other would mean something unknown.
    Union(Fields),
    /// A field that must not be present.
    Refused,
}

/// The number and kind of each field in a structure.
pub(super) type Fields = &'static [(i64, Kind)];

use Kind::{Binary, Bool, Byte, I16, I32, I64, List, Refused, Struct, Union};

pub(super) const FILE: Fields = &[
    (1, I32),
    (SCHEMA, List(&Struct(SCHEMA_ELEMENT), 3)),
    (3, I64),
    (ROW_GROUPS, List(&Struct(ROW_GROUP), 7)),
    (KEY_VALUES, List(&Struct(KEY_VALUE), 3)),
    (6, Binary),
    (7, List(&Union(COLUMN_ORDER), 3)),
    // How the file is encrypted.
    (8, Refused),
    (9, Refused),
];
pub(super) const SCHEMA: i64 = 2;
pub(super) const ROW_GROUPS: i64 = 4;
pub(super) const COLUMNS: i64 = 1;
pub(super) const KEY_VALUES: i64 = 5;
const SCHEMA_ELEMENT: Fields = &[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, Binary),
    (NUM_CHILDREN, I32),
    (6, I32),
    (7, I32),
    (8, I32),
    (9, I32),
    (10, Union(LOGICAL_TYPE)),
];
pub(super) const NUM_CHILDREN: i64 = 5;
const LOGICAL_TYPE: Fields = &[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Struct(&[(1, I32), (2, I32)])),
    (6, EMPTY),
    (7, Struct(&[(1, Bool), (2, Union(TIME_UNIT))])),
    (8, Struct(&[(1, Bool), (2, Union(TIME_UNIT))])),
    (10, Struct(&[(1, Byte), (2, Bool)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
];
const EMPTY: Kind = Union(&[]);
const TIME_UNIT: Fields = &[(1, EMPTY), (2, EMPTY), (3, EMPTY)];
const KEY_VALUE: Fields = &[(1, Binary), (2, Binary)];
const COLUMN_ORDER: Fields = &[(1, EMPTY), (2, EMPTY)];
const ROW_GROUP: Fields = &[
    (COLUMNS, List(&Struct(COLUMN_CHUNK), 13)),
    (2, I64),
    (3, I64),
    (4, List(&Struct(&[(1, I32), (2, Bool), (3, Bool)]), 5)),
    (5, I64),
    (6, I64),
    (7, I16),
];
const COLUMN_CHUNK: Fields = &[
    (1, Binary),
    (2, I64),
    (3, Struct(COLUMN)),
    (4, I64),
    (5, I32),
    (6, I64),
    (7, I32),
    // How the column is encrypted.
    (8, Refused),
    (9, Refused),
];
const COLUMN: Fields = &[
    (1, I32),
    (2, List(&I32, 1)),
    (3, List(&Binary, 1)),
    (4, I32),
    (5, I64),
    (6, I64),
    (7, I64),
    (8, List(&Struct(KEY_VALUE), 3)),
    (9, I64),
    (10, I64),
    (11, I64),
    (12, Struct(STATISTICS)),
    (13, List(&Struct(&[(1, I32), (2, I32), (3, I32)]), 7)),
    (14, I64),
    (15, I32),
    (
        16,
        Struct(&[(1, I64), (2, List(&I64, 1)), (3, List(&I64, 1))]),
    ),
];
const STATISTICS: Fields = &[
    (1, Binary),
    (2, Binary),
    (3, I64),
    (4, I64),
    (5, Binary),
    (6, Binary),
    (7, Bool),
    (8, Bool),
];
/// Without index pages, which nobody writes.
pub(super) const PAGE: Fields = &[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, I32),
    (5, Struct(DATA_PAGE)),
    (6, Refused),
    (7, Struct(&[(1, I32), (2, I32), (3, Bool)])),
    (8, Struct(DATA_PAGE_2)),
];
const DATA_PAGE: Fields = &[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, I32),
    (5, Struct(STATISTICS)),
];
const DATA_PAGE_2: Fields = &[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, I32),
    (5, I32),
    (6, I32),
    (7, Bool),
    (8, Struct(STATISTICS)),
];

impl Kind {
    /// Whether this type code, of a field or of a list's elements, matches the kind.
    pub(super) fn has_code(self, code: u8) -> bool {
        match self {
            Bool => matches!(code, 1 | 2),
            Byte => code == 3,
            I16 => code == 4,
            I32 => code == 5,
            I64 => code == 6,
            Binary => code == 8,
            List(..) => code == 9,
            Struct(_) | Union(_) => code == 12,
            Refused => false,
        }
    }
}
