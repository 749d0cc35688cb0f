//! Checks Parquet's Thrift structures strictly before the library reads them.
//!
//! The library recurses as deep as a schema claims to be, allocates what a list or a page claims to
//! hold, goes by a field's number whatever its type, and takes the last of two fields with the same
//! number. None of these failures can be caught, so every structure is first walked here in full,
//! and whatever could be read in two ways is rejected. Fields newer than these tables are skipped,
//! as the library does; a field that announces encryption is rejected.

mod layout;

use self::layout::{
    COLUMNS, FILE, Fields, KEY_VALUES,
    Kind::{self, Binary, Bool, Byte, I16, I32, I64, List, Refused, Struct, Union},
    NUM_CHILDREN, PAGE, ROW_GROUPS, SCHEMA,
};

/// Maximum number of row groups, column chunks and key-value pairs in a footer: a few bytes each
/// take a thousand in memory. A data file ends long before it has as many; earlier versions let it
/// have 162,000 chunks.
const MAX_PARTS: u64 = 1 << 18;
/// Maximum number of elements in all other lists of a footer, but for the schema: encodings, names
/// in paths, and the like.
const MAX_ITEMS: u64 = 16 * MAX_PARTS;
/// Maximum nesting of a skipped field.
const MAX_UNKNOWN_DEPTH: usize = 8;

/// What a walk reports to its callback.
enum Seen {
    I32(i64),
    /// A list of this many elements begins.
    List(u64),
    /// The end of a structure.
    End,
}

/// Walks a structure. Yields `None` if the bytes do not match the tables in `layout`, or if `see`
/// has seen enough.
struct Walk<'a, S> {
    rest: &'a [u8],
    /// The numbers of the fields that enclose the current position.
    path: Vec<i64>,
    see: S,
}

impl<'a, S: FnMut(&[i64], Seen) -> Option<()>> Walk<'a, S> {
    fn new(rest: &'a [u8], see: S) -> Self {
        let path = Vec::new();
        Self { rest, path, see }
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Recurses only as deep as the tables.
    fn structure(&mut self, fields: Fields, is_union: bool) -> Option<()> {
        let mut last = 0;
        loop {
            let header = self.byte()?;
            if header == 0 {
                return (self.see)(&self.path, Seen::End);
            }
            // A distance of 0 means an explicit field number, possibly one that came before.
            let distance = i64::from(header >> 4);
            last += distance;
            if distance == 0 {
                return None;
            }
            match fields.iter().find(|(id, _)| *id == last) {
                Some((_, kind)) if kind.has_code(header & 15) => {
                    self.path.push(last);
                    self.value(*kind)?;
                    self.path.pop();
                }
                None if !is_union => self.pass_over(header & 15, MAX_UNKNOWN_DEPTH)?,
                _ => return None,
            }
        }
    }

    /// Skips an unknown field, or an element of one.
    fn pass_over(&mut self, code: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match code {
            // The value is part of the field's type.
            1 | 2 => Some(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.bytes(size_of::<f64>() as u64),
            8 => self.binary(),
            9 | 10 => {
                let (element, count) = self.list()?;
                // Each element takes at least one byte, so the count is bounded.
                (0..count).try_for_each(|_| match element {
                    1 | 2 => self.byte().map(drop),
                    _ => self.pass_over(element, depth),
                })
            }
            12 => loop {
                match self.byte()? {
                    0 => return Some(()),
                    // An explicit field number, possibly one that came before.
                    1..=15 => return None,
                    header => self.pass_over(header & 15, depth)?,
                }
            },
            _ => None,
        }
    }

    fn bytes(&mut self, len: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(len).ok()?..)?;
        Some(())
    }

    fn binary(&mut self) -> Option<()> {
        let len = self.varint()?;
        self.bytes(len)
    }

    /// The type and the number of a list's elements.
    fn list(&mut self) -> Option<(u8, u64)> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Some((header & 15, count))
    }

    fn value(&mut self, kind: Kind) -> Option<()> {
        match kind {
            // The value is part of the field's type.
            Bool => Some(()),
            Byte => self.byte().map(drop),
            I16 => self
                .integer()
                .and_then(|value| i16::try_from(value).ok())
                .map(drop),
            I32 => {
                let value = self.integer()?;
                i32::try_from(value).ok()?;
                (self.see)(&self.path, Seen::I32(value))
            }
            I64 => self.integer().map(drop),
            Binary => self.binary(),
            List(element, least_bytes) => {
                let (code, count) = self.list()?;
                let is_element = count == 0 || element.has_code(code);
                if !is_element || count > self.rest.len() as u64 / least_bytes {
                    return None;
                }
                (self.see)(&self.path, Seen::List(count))?;
                (0..count).try_for_each(|_| self.value(*element))
            }
            Struct(fields) => self.structure(fields, false),
            Union(fields) => self.structure(fields, true),
            Refused => None,
        }
    }
}

/// Whether a footer can be read in exactly one way, to its end, its schema is a tree of at most
/// `max_depth` levels and `max_elements` elements, and its lists are not longer than in any file.
pub(crate) fn is_sound_footer(footer: &[u8], max_depth: usize, max_elements: usize) -> bool {
    let mut elements = 0;
    let (mut parts, mut items) = (0, 0);
    let mut children = 0;
    // The number of children still to come, per level.
    let mut open: Vec<i64> = Vec::new();
    let see = |path: &[i64], seen: Seen| {
        match (path, seen) {
            ([SCHEMA, NUM_CHILDREN], Seen::I32(value)) => children = value,
            ([SCHEMA], Seen::End) => {
                elements += 1;
                while open.pop_if(|left| *left == 0).is_some() {}
                if let Some(left) = open.last_mut() {
                    *left -= 1;
                }
                if children > 0 {
                    open.push(children);
                }
                children = 0;
            }
            ([SCHEMA], Seen::List(_)) => {}
            ([ROW_GROUPS] | [ROW_GROUPS, COLUMNS] | [KEY_VALUES], Seen::List(count)) => {
                parts += count;
            }
            (_, Seen::List(count)) => items += count,
            _ => {}
        }
        let is_tree = elements <= max_elements && open.len() <= max_depth;
        (is_tree && parts <= MAX_PARTS && items <= MAX_ITEMS).then_some(())
    };
    let mut walk = Walk::new(footer, see);
    walk.structure(FILE, false).is_some() && walk.rest.is_empty()
}

/// What a page's header says about the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageHeader {
    pub(crate) header_bytes: usize,
    pub(crate) compressed_bytes: usize,
    pub(crate) uncompressed_bytes: usize,
    pub(crate) is_dictionary: bool,
    pub(crate) values: usize,
    /// The CRC-32 of the page as stored in the file, if the writer added one.
    pub(crate) crc: Option<u32>,
}

/// The header at the start of `bytes`; `None` unless it is the header of a dictionary page or a
/// data page. We write version 1 data pages; other writers also write version 2.
pub(crate) fn page_header(bytes: &[u8]) -> Option<PageHeader> {
    let [mut page_type, mut uncompressed, mut compressed] = [-1_i64; 3];
    let [mut data_values, mut data_2_values, mut dictionary_values] = [-1_i64; 3];
    // Version 2 only: the levels come before the values and are not compressed.
    let [mut definition_levels, mut repetition_levels] = [0_i64; 2];
    let mut crc = None;
    let mut walk = Walk::new(bytes, |path: &[i64], seen: Seen| {
        match (path, seen) {
            ([1], Seen::I32(value)) => page_type = value,
            ([2], Seen::I32(value)) => uncompressed = value,
            ([3], Seen::I32(value)) => compressed = value,
            // Thrift has only signed integers.
            ([4], Seen::I32(value)) => crc = i32::try_from(value).ok().map(i32::cast_unsigned),
            ([5, 1], Seen::I32(value)) => data_values = value,
            ([7, 1], Seen::I32(value)) => dictionary_values = value,
            ([8, 1], Seen::I32(value)) => data_2_values = value,
            ([8, 5], Seen::I32(value)) => definition_levels = value,
            ([8, 6], Seen::I32(value)) => repetition_levels = value,
            _ => {}
        }
        Some(())
    });
    walk.structure(PAGE, false)?;
    let header_bytes = bytes.len() - walk.rest.len();
    let values = match page_type {
        0 => data_values,
        2 => dictionary_values,
        3 if definition_levels >= 0
            && repetition_levels >= 0
            && definition_levels + repetition_levels <= compressed.min(uncompressed) =>
        {
            data_2_values
        }
        _ => return None,
    };
    Some(PageHeader {
        header_bytes,
        compressed_bytes: usize::try_from(compressed).ok()?,
        uncompressed_bytes: usize::try_from(uncompressed).ok()?,
        is_dictionary: page_type == 2,
        values: usize::try_from(values).ok()?,
        crc,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a footer made of a version and these fields is sound.
    fn is_sound(fields: &[&[u8]]) -> bool {
        let footer = [&[0x15, 2], &fields.concat()[..], &[0]].concat();
        is_sound_footer(&footer, 3, 5)
    }

    /// A schema field whose elements have these numbers of children.
    fn schema(children: &[u8]) -> Vec<u8> {
        let element = |children: &u8| [0x48, 1, b'a', 0x15, 2 * children, 0];
        let count = u8::try_from(children.len()).unwrap() << 4;
        let elements: Vec<u8> = children.iter().flat_map(element).collect();
        [&[0x19, count | 12][..], &elements].concat()
    }

    #[test]
    fn a_schema_is_bounded_in_depth_and_number_of_elements() {
        assert!(is_sound(&[&schema(&[1, 1, 1, 0])]));
        assert!(is_sound(&[&schema(&[4, 0, 0, 0, 0])]));
        assert!(!is_sound(&[&schema(&[1, 1, 1, 1, 0])]));
        assert!(!is_sound(&[&schema(&[5, 0, 0, 0, 0, 0])]));
    }

    #[test]
    fn rejects_thrift_that_the_library_would_read_differently() {
        let schema = schema(&[0]);
        assert!(is_sound(&[&schema, &[0x16, 0]]));
        // The same field again, with an explicit number.
        assert!(!is_sound(&[&schema, &[0x09, 4], &schema[1..]]));
        // An integer of a different width.
        assert!(!is_sound(&[&schema, &[0x15, 0]]));
        // An encrypted file.
        assert!(!is_sound(&[&schema, &[0x6c, 0]]));
        // Bytes after the end.
        assert!(!is_sound(&[&schema, &[0, 0]]));
        // A page size as a 16-bit integer.
        let page = |code: u8| [0x15, 0, 0x15, 2, 0x10 | code, 2, 0x2c, 0x15, 2, 0, 0];
        assert_eq!(page_header(&page(5)).unwrap().compressed_bytes, 1);
        assert_eq!(page_header(&page(4)), None);
    }

    #[test]
    fn newer_fields_are_skipped_but_newer_union_members_are_rejected() {
        let schema = schema(&[0]);
        // A bool has no bytes of its own.
        assert!(is_sound(&[&schema, &[0xf1]]));
        let newer: [&[u8]; 4] = [
            &[0xf6, 0],
            &[0xf7, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0xf8, 3, 1, 2, 3],
            &[0xfc, 0x19, 0x2c, 0x15, 2, 0, 0, 0],
        ];
        for field in newer {
            assert!(is_sound(&[&schema, field]), "{field:?}");
            assert!(
                !is_sound(&[&schema, &field[..field.len() - 1]]),
                "{field:?}"
            );
        }
        let deep = [&[0xfc][..], &[0x1c; 8], &[0; 9]].concat();
        assert!(!is_sound(&[&schema, &deep]));
        let endless = [0xf9, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(!is_sound(&[&schema, &endless]));
        // Logical type 16 in a schema element.
        let element = [0x48, 1, b'a', 0x6c, 0xfc, 0x1c, 0, 0, 0];
        let other = [&[0x19, 0x1c][..], &element].concat();
        assert!(!is_sound(&[&other]));
    }

    #[test]
    fn the_levels_of_a_version_2_page_must_fit_inside_it() {
        let page = |levels: u8| {
            let own = [0x15, 8, 0x15, 0, 0x15, 8, 0x15, 0, 0x15, levels, 0x15, 2, 0];
            [&[0x15, 6, 0x15, 8, 0x15, 6, 0x5c][..], &own, &[0]].concat()
        };
        assert_eq!(page_header(&page(4)).unwrap().values, 4);
        // One more than its three bytes, then a negative length.
        assert_eq!(page_header(&page(6)), None);
        assert_eq!(page_header(&page(1)), None);
    }

    #[test]
    fn rejects_more_row_groups_chunks_and_names_than_any_file_has() {
        let schema = schema(&[0]);
        // Lists of as many elements of a few bytes.
        let list = |field: u8, kind: u8, count: u64, element: &[u8]| {
            let mut bytes = vec![field << 4 | 9, 0xf0 | kind];
            let mut left = count;
            while left >= 0x80 {
                bytes.push(left as u8 | 0x80);
                left >>= 7;
            }
            bytes.push(left as u8);
            bytes.extend(element.repeat(count as usize));
            bytes
        };
        let row_group = [0x19, 0x0c, 0x16, 0, 0x16, 0, 0];
        assert!(is_sound(&[&schema, &list(2, 12, MAX_PARTS, &row_group)]));
        assert!(!is_sound(&[
            &schema,
            &list(2, 12, MAX_PARTS + 1, &row_group)
        ]));
        let pair = [0x18, 0, 0];
        assert!(is_sound(&[&schema, &list(3, 12, MAX_PARTS, &pair)]));
        assert!(!is_sound(&[&schema, &list(3, 12, MAX_PARTS + 1, &pair)]));
        // The encodings of a column chunk.
        let encodings = |count| {
            let row_group = [0x29, 0x1c, 0x19, 0x1c, 0x3c];
            [&row_group[..], &list(2, 5, count, &[0]), &[0; 3]].concat()
        };
        assert!(is_sound(&[&schema, &encodings(MAX_ITEMS)]));
        assert!(!is_sound(&[&schema, &encodings(MAX_ITEMS + 1)]));
    }

    #[test]
    fn rejects_a_list_that_claims_more_elements_than_its_bytes_hold() {
        let schema = schema(&[0]);
        let lists: [&[u8]; 4] = [
            &[0x29, 0xfc, 0xff, 0xff, 0xff, 0x7f],
            &[0x39, 0xfc, 0xff, 0xff, 0xff, 0x7f],
            &[0x59, 0xfc, 0xff, 0xff, 0xff, 0x7f],
            // Structures without any fields.
            &[0x29, 0x4c, 0, 0, 0, 0],
        ];
        for list in lists {
            assert!(!is_sound(&[&schema, list]), "{list:?}");
        }
    }
}
