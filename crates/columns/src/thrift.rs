//! A strict look at Parquet's Thrift structures before the library reads them.
//!
//! The library recurses as deep as a schema claims to be, allocates what a list or a page claims to
//! hold, goes by a field's number alone whatever its type, and takes the last of two fields with one
//! number. None of it can be caught when it goes wrong, so all of a structure is walked here first,
//! and whatever could be read in two ways is refused. A field that is newer than these tables is
//! passed over, as the library does; one that says that something is encrypted is refused.

mod layout;

use self::layout::{
    FILE, Fields,
    Kind::{self, Binary, Bool, Byte, I16, I32, I64, List, Refused, Struct, Union},
    NUM_CHILDREN, PAGE, SCHEMA,
};

/// The levels of a field that is passed over.
const MAX_UNKNOWN_DEPTH: usize = 8;

/// What a walk comes by.
enum Seen {
    I32(i64),
    /// The end of a structure.
    End,
}

/// Walks a structure; gives none where the bytes are not what the tables above say, or where `see`
/// has seen enough.
struct Walk<'a, S> {
    rest: &'a [u8],
    /// The numbers of the fields that the walk is in.
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

    /// The recursion is as deep as the tables are.
    fn structure(&mut self, fields: Fields, is_union: bool) -> Option<()> {
        let mut last = 0;
        loop {
            let header = self.byte()?;
            if header == 0 {
                return (self.see)(&self.path, Seen::End);
            }
            // A distance of 0 would bring any number, and maybe one that was there before.
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

    /// Passes over a field that is not known, or an element of one.
    fn pass_over(&mut self, code: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match code {
            // The type of the field says which.
            1 | 2 => Some(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.bytes(size_of::<f64>() as u64),
            8 => self.binary(),
            9 | 10 => {
                let (element, count) = self.list()?;
                // Each takes a byte at least, so that the count is bounded.
                (0..count).try_for_each(|_| match element {
                    1 | 2 => self.byte().map(drop),
                    _ => self.pass_over(element, depth),
                })
            }
            12 => loop {
                match self.byte()? {
                    0 => return Some(()),
                    // By its own number, which might be one that was there before.
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

    /// The type of the elements of a list, and their number.
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
            // The type of the field says which.
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
                (0..count).try_for_each(|_| self.value(*element))
            }
            Struct(fields) => self.structure(fields, false),
            Union(fields) => self.structure(fields, true),
            Refused => None,
        }
    }
}

/// Whether a footer can be read in one way only, to its end, and its schema is a tree of at most
/// `max_depth` levels and `max_elements` elements.
pub(crate) fn is_sound_footer(footer: &[u8], max_depth: usize, max_elements: usize) -> bool {
    let mut elements = 0;
    let mut children = 0;
    // How many children are still to come, for each level.
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
            _ => {}
        }
        (elements <= max_elements && open.len() <= max_depth).then_some(())
    };
    let mut walk = Walk::new(footer, see);
    walk.structure(FILE, false).is_some() && walk.rest.is_empty()
}

/// What the header of a page says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageHeader {
    pub(crate) header_bytes: usize,
    pub(crate) compressed_bytes: usize,
    pub(crate) uncompressed_bytes: usize,
    pub(crate) is_dictionary: bool,
    pub(crate) values: usize,
    /// The CRC-32 of the page as it stands in the file, where the writer took one.
    pub(crate) crc: Option<u32>,
}

/// The header that `bytes` start with; none if it is not that of a dictionary or of a data page. We
/// write data pages of version 1, others those of version 2 as well.
pub(crate) fn page_header(bytes: &[u8]) -> Option<PageHeader> {
    let [mut page_type, mut uncompressed, mut compressed] = [-1_i64; 3];
    let [mut data_values, mut data_2_values, mut dictionary_values] = [-1_i64; 3];
    // Of version 2: the levels stand before the values and are not compressed.
    let [mut definition_levels, mut repetition_levels] = [0_i64; 2];
    let mut crc = None;
    let mut walk = Walk::new(bytes, |path: &[i64], seen: Seen| {
        match (path, seen) {
            ([1], Seen::I32(value)) => page_type = value,
            ([2], Seen::I32(value)) => uncompressed = value,
            ([3], Seen::I32(value)) => compressed = value,
            // Thrift has signed integers alone.
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

    /// Whether a footer of its version and these fields is.
    fn is_sound(fields: &[&[u8]]) -> bool {
        let footer = [&[0x15, 2], &fields.concat()[..], &[0]].concat();
        is_sound_footer(&footer, 3, 5)
    }

    /// The field of a schema whose elements have so many children.
    fn schema(children: &[u8]) -> Vec<u8> {
        let element = |children: &u8| [0x48, 1, b'a', 0x15, 2 * children, 0];
        let count = u8::try_from(children.len()).unwrap() << 4;
        let elements: Vec<u8> = children.iter().flat_map(element).collect();
        [&[0x19, count | 12][..], &elements].concat()
    }

    #[test]
    fn a_schema_is_bounded_in_depth_and_in_elements() {
        assert!(is_sound(&[&schema(&[1, 1, 1, 0])]));
        assert!(is_sound(&[&schema(&[4, 0, 0, 0, 0])]));
        assert!(!is_sound(&[&schema(&[1, 1, 1, 1, 0])]));
        assert!(!is_sound(&[&schema(&[5, 0, 0, 0, 0, 0])]));
    }

    #[test]
    fn what_the_library_would_read_in_another_way_is_refused() {
        let schema = schema(&[0]);
        assert!(is_sound(&[&schema, &[0x16, 0]]));
        // The same field again, by its own number.
        assert!(!is_sound(&[&schema, &[0x09, 4], &schema[1..]]));
        // An integer of another width.
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
    fn fields_that_are_newer_are_passed_over_and_meanings_that_are_newer_are_refused() {
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
        // A logical type 16 in a schema's element.
        let element = [0x48, 1, b'a', 0x6c, 0xfc, 0x1c, 0, 0, 0];
        let other = [&[0x19, 0x1c][..], &element].concat();
        assert!(!is_sound(&[&other]));
    }

    #[test]
    fn the_levels_of_a_page_of_version_2_stand_inside_it() {
        let page = |levels: u8| {
            let own = [0x15, 8, 0x15, 0, 0x15, 8, 0x15, 0, 0x15, levels, 0x15, 2, 0];
            [&[0x15, 6, 0x15, 8, 0x15, 6, 0x5c][..], &own, &[0]].concat()
        };
        assert_eq!(page_header(&page(4)).unwrap().values, 4);
        // One more than its three bytes, and fewer than none.
        assert_eq!(page_header(&page(6)), None);
        assert_eq!(page_header(&page(1)), None);
    }

    #[test]
    fn a_list_that_claims_more_than_its_bytes_hold_is_refused() {
        let schema = schema(&[0]);
        let lists: [&[u8]; 4] = [
            &[0x29, 0xfc, 0xff, 0xff, 0xff, 0x7f],
            &[0x39, 0xfc, 0xff, 0xff, 0xff, 0x7f],
            &[0x59, 0xfc, 0xff, 0xff, 0xff, 0x7f],
            // Structures without any field.
            &[0x29, 0x4c, 0, 0, 0, 0],
        ];
        for list in lists {
            assert!(!is_sound(&[&schema, list]), "{list:?}");
        }
    }
}
