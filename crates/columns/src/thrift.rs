//! Just enough of Thrift's compact protocol to look at a Parquet file before the library does.
//!
//! The library recurses as deep as a schema claims to be and allocates what a page claims to hold;
//! neither can be caught when it goes wrong, so both are checked here first.

/// Reads values one after another; every method gives none where the bytes are not Thrift.
struct Compact<'a> {
    rest: &'a [u8],
}

/// The types that are told apart here.
mod kind {
    pub(super) const STOP: u8 = 0;
    pub(super) const I32: u8 = 5;
    pub(super) const LIST: u8 = 9;
    pub(super) const STRUCT: u8 = 12;
}

const MAX_SKIP_DEPTH: usize = 16;

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn bytes(&mut self, count: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(count).ok()?..)?;
        Some(())
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

    /// The next field of a struct: its number and type; `STOP` at the end.
    fn field(&mut self, last: &mut i64) -> Option<(i64, u8)> {
        let header = self.byte()?;
        if header == kind::STOP {
            return Some((0, kind::STOP));
        }
        let delta = i64::from(header >> 4);
        *last = if delta == 0 {
            self.integer()?
        } else {
            last.checked_add(delta)?
        };
        Some((*last, header & 15))
    }

    /// The length and the element type of a list.
    fn list(&mut self) -> Option<(u64, u8)> {
        let header = self.byte()?;
        let count = if header >> 4 == 15 {
            self.varint()?
        } else {
            u64::from(header >> 4)
        };
        // Each element takes a byte at least.
        (count <= self.rest.len() as u64).then_some((count, header & 15))
    }

    fn skip(&mut self, kind: u8, is_element: bool, depth: usize) -> Option<()> {
        if depth > MAX_SKIP_DEPTH {
            return None;
        }
        match kind {
            1 | 2 if is_element => self.bytes(1),
            1 | 2 => Some(()),
            3 => self.bytes(1),
            4..=6 => self.varint().map(drop),
            7 => self.bytes(8),
            8 => {
                let count = self.varint()?;
                self.bytes(count)
            }
            kind::LIST | 10 => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip(kind, true, depth + 1))
            }
            kind::STRUCT => {
                let mut last = 0;
                loop {
                    match self.field(&mut last)? {
                        (_, kind::STOP) => return Some(()),
                        (_, kind) => self.skip(kind, false, depth + 1)?,
                    }
                }
            }
            _ => None,
        }
    }

    /// Skips a struct, handing its 32-bit integers to `see`, and those of the structs in it with the
    /// number of both fields.
    fn integers(&mut self, see: &mut dyn FnMut(i64, i64, i64)) -> Option<()> {
        let mut last = 0;
        loop {
            match self.field(&mut last)? {
                (_, kind::STOP) => return Some(()),
                (field, kind::I32) => see(field, 0, self.integer()?),
                (field, kind::STRUCT) => {
                    let mut last = 0;
                    loop {
                        match self.field(&mut last)? {
                            (_, kind::STOP) => break,
                            (inner, kind::I32) => see(field, inner, self.integer()?),
                            (_, kind) => self.skip(kind, false, 0)?,
                        }
                    }
                }
                (_, kind) => self.skip(kind, false, 0)?,
            }
        }
    }
}

/// Whether the schema in a file's footer is a tree of at most `limit` levels.
pub(crate) fn schema_depth_is_at_most(limit: usize, footer: &[u8]) -> bool {
    const SCHEMA: i64 = 2;
    const NUM_CHILDREN: i64 = 5;
    let is_shallow = || {
        let mut footer = Compact { rest: footer };
        let mut last = 0;
        loop {
            match footer.field(&mut last)? {
                (_, kind::STOP) => return None,
                (SCHEMA, kind::LIST) => break,
                (_, kind) => footer.skip(kind, false, 0)?,
            }
        }
        let (count, kind::STRUCT) = footer.list()? else {
            return None;
        };
        // How many children are still to come, for each level.
        let mut open: Vec<i64> = Vec::new();
        for _ in 0..count {
            while open.pop_if(|left| *left == 0).is_some() {}
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            let mut children = 0;
            footer.integers(&mut |field, inner, value| {
                if (field, inner) == (NUM_CHILDREN, 0) {
                    children = value;
                }
            })?;
            if children > 0 {
                open.push(children);
            }
            if open.len() > limit {
                return None;
            }
        }
        Some(())
    };
    is_shallow().is_some()
}

/// What the header of a page says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageHeader {
    pub(crate) header_bytes: usize,
    pub(crate) compressed_bytes: usize,
    pub(crate) uncompressed_bytes: usize,
    pub(crate) is_dictionary: bool,
    pub(crate) values: usize,
}

/// The header that `bytes` start with; none if it is not that of a dictionary or of a data page of
/// version 1, the only ones that we write.
pub(crate) fn page_header(bytes: &[u8]) -> Option<PageHeader> {
    const TYPE: (i64, i64) = (1, 0);
    const UNCOMPRESSED: (i64, i64) = (2, 0);
    const COMPRESSED: (i64, i64) = (3, 0);
    const DATA_VALUES: (i64, i64) = (5, 1);
    const DICTIONARY_VALUES: (i64, i64) = (7, 1);
    let mut compact = Compact { rest: bytes };
    let [mut page_type, mut uncompressed, mut compressed] = [-1_i64; 3];
    let (mut data_values, mut dictionary_values) = (-1, -1);
    compact.integers(&mut |field, inner, value| match (field, inner) {
        TYPE => page_type = value,
        UNCOMPRESSED => uncompressed = value,
        COMPRESSED => compressed = value,
        DATA_VALUES => data_values = value,
        DICTIONARY_VALUES => dictionary_values = value,
        _ => {}
    })?;
    let values = match page_type {
        0 => data_values,
        2 => dictionary_values,
        _ => return None,
    };
    Some(PageHeader {
        header_bytes: bytes.len() - compact.rest.len(),
        compressed_bytes: usize::try_from(compressed).ok()?,
        uncompressed_bytes: usize::try_from(uncompressed).ok()?,
        is_dictionary: page_type == 2,
        values: usize::try_from(values).ok()?,
    })
}
