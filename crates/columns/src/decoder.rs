//! Turns rows back into documents, byte for byte: the inverse of the encoder.
//!
//! A document is written field by field in the order of its level: the columns give each field's
//! name, its column gives the value, and the row's code says what differs. Columns, codes and
//! leftovers are untrusted: a value that is missing or of the wrong kind is an error.

mod value;

use std::{ops::Range, sync::Arc};

use polars_arrow::array::{Array, BinaryViewArray};

use crate::{
    bson_writer::{close, open},
    codes::{CodeReader, Op, varints},
    columns::{Columns, Gap},
    levels::{Item, Level, Slot, Value},
    raw::{Element, Elements, MAX_DOCUMENT_BYTES, body},
    values::{Entries, Values, is_valid, typed},
};

const ROWS_OF_A_CACHE_LINE: usize = 64 / size_of::<f64>();

/// Decodes the documents of a row group.
#[derive(Debug)]
pub(crate) struct Decoder {
    columns: Vec<Values>,
    codes: BinaryViewArray,
    leftovers: BinaryViewArray,
    level: Arc<Level>,
    last_bytes: usize,
}

impl Decoder {
    /// `arrays` are the file's columns, with our own two last. `None` if their types do not match
    /// the columns or any of them does not have `rows` rows.
    pub(crate) fn new(
        arrays: &[Box<dyn Array>],
        rows: usize,
        columns: &Columns,
        level: Arc<Level>,
    ) -> Option<Self> {
        let (of_fields, own) = arrays.split_last_chunk::<2>()?;
        if arrays.iter().any(|array| array.len() != rows) {
            return None;
        }
        Some(Self {
            columns: Values::of_fields(of_fields, columns.root())?,
            codes: typed(own[0].as_ref())?,
            leftovers: typed(own[1].as_ref())?,
            level,
            last_bytes: 0,
        })
    }

    /// The document of a row; `None` if the row is damaged.
    pub(crate) fn document(&mut self, row: usize) -> Option<Vec<u8>> {
        if row.is_multiple_of(ROWS_OF_A_CACHE_LINE) {
            let next = row + ROWS_OF_A_CACHE_LINE;
            self.columns.iter().for_each(|column| column.prefetch(next));
        }
        let leftovers = self.leftovers.get(row);
        let mut walk = Walk {
            codes: CodeReader::new(self.codes.get(row).unwrap_or_default())?,
            leftovers: leftovers.map(Elements::of).transpose().ok()?,
            document: Vec::with_capacity(self.last_bytes),
            name: Vec::new(),
        };
        let is_whole = |op| (op == Op::Whole).then_some(());
        if walk.codes.before(is_whole)?.is_some() {
            body(leftovers?).ok()?;
            walk.document.extend_from_slice(leftovers?);
        } else {
            walk.document(&self.level, &self.columns, row)?;
            if walk.leftovers.is_some_and(|mut left| left.next().is_some()) {
                return None;
            }
        }
        self.last_bytes = walk.document.len();
        walk.codes.is_at_end().then_some(walk.document)
    }
}

/// The document being written and the input still to be read for it.
struct Walk<'a> {
    codes: CodeReader<'a>,
    leftovers: Option<Elements<'a>>,
    document: Vec<u8>,
    /// Reusable buffer for the name of an entry or element.
    name: Vec<u8>,
}

/// The order of a document's fields.
enum Slots<'a> {
    Of(&'a [usize]),
    Spelled(Vec<usize>),
}

/// Whether a field was written, or is absent along with this many after it.
enum Visited {
    Written,
    Absent(u64),
}

impl Walk<'_> {
    fn document(&mut self, level: &Level, columns: &[Values], row: usize) -> Option<()> {
        let start = open(&mut self.document);
        let mut entries = None;
        if let Some(rest) = level.rest {
            entries = entries_of(&level.slots[rest].item, &columns[rest], row)?;
        }
        let count = entries.as_ref().map_or(0, |(_, _, range)| range.len());
        let slots = self.slots(level, count)?;
        let (slots, is_spelled) = match &slots {
            Slots::Of(slots) => (*slots, false),
            Slots::Spelled(slots) => (&slots[..], true),
        };
        let mut absent = 0;
        for slot in slots {
            if Some(*slot) == level.rest {
                if let Some((value, entries, range)) = &mut entries {
                    let take = if is_spelled { 1 } else { range.len() };
                    for entry in range.take(take) {
                        self.entry(value, entries, entry)?;
                    }
                }
                continue;
            }
            let (Slot { name, gap, item }, column) = (&level.slots[*slot], &columns[*slot]);
            if absent > 0 {
                absent -= 1;
                if column.has_value(row) {
                    return None;
                }
                continue;
            }
            let gap = if is_spelled && *gap == Gap::Absent {
                Gap::Null
            } else {
                *gap
            };
            self.inserted()?;
            if let Visited::Absent(following) = self.value(item, gap, name, column, row)? {
                absent = following;
            }
            if self.document.len() > MAX_DOCUMENT_BYTES {
                return None;
            }
        }
        if absent > 0 || entries.is_some_and(|(_, _, range)| !range.is_empty()) {
            return None;
        }
        self.end()?;
        close(start, &mut self.document)
    }

    /// The fields the document may have, in their order.
    fn slots<'l>(&mut self, level: &'l Level, entries: usize) -> Option<Slots<'l>> {
        let chosen = self.codes.before(|op| match op {
            Op::Order(_) | Op::Spell(_) => Some(op),
            _ => None,
        })?;
        match chosen {
            None => Some(Slots::Of(&level.orders[0].slots)),
            Some(Op::Order(number)) => {
                let order = level.orders.get(usize::try_from(number).ok()?)?;
                Some(Slots::Of(&order.slots))
            }
            Some(Op::Spell(spelled)) => {
                let most = level.slots.len() + entries;
                let slots = varints(spelled).take(most + 1).map(usize::try_from);
                let slots: Vec<_> = slots.collect::<Result<_, _>>().ok()?;
                let mut named: Vec<_> = slots.clone();
                named.retain(|slot| Some(*slot) != level.rest);
                named.sort_unstable();
                let is_named_once = named.windows(2).all(|two| two[0] != two[1]);
                let is_known = named.last().is_none_or(|last| *last < level.slots.len());
                (is_named_once && is_known && slots.len() <= most).then_some(Slots::Spelled(slots))
            }
            Some(_) => None,
        }
    }

    /// Writes the leftovers that come before the next visit.
    fn inserted(&mut self) -> Option<()> {
        let is_insert = |op| (op == Op::Insert).then_some(());
        while self.codes.before(is_insert)?.is_some() {
            self.leftover()?;
        }
        Some(())
    }

    fn leftover(&mut self) -> Option<()> {
        let element: Element<'_> = self.leftovers.as_mut()?.next()?.ok()?;
        self.document.push(element.bson_type.code());
        self.document.extend_from_slice(element.name);
        self.document.push(0);
        self.document.extend_from_slice(element.value);
        (self.document.len() <= MAX_DOCUMENT_BYTES).then_some(())
    }

    /// Visits the end of a document or map.
    fn end(&mut self) -> Option<()> {
        self.inserted()?;
        self.codes.visit()?.is_none().then_some(())
    }

    fn entry(&mut self, value: &Item, entries: &Entries, entry: usize) -> Option<()> {
        self.inserted()?;
        let key = entries.keys.get(entry)?;
        if key.contains(&0) {
            return None;
        }
        self.named(key, value, &entries.values, entry)
    }

    /// Visits an entry or an element, which is never absent.
    fn named(&mut self, name: &[u8], item: &Item, column: &Values, row: usize) -> Option<()> {
        let mut with_zero = std::mem::take(&mut self.name);
        with_zero.clear();
        with_zero.extend_from_slice(name);
        with_zero.push(0);
        let visited = self.value(item, Gap::Null, &with_zero, column, row)?;
        self.name = with_zero;
        let is_written = matches!(visited, Visited::Written);
        (is_written && self.document.len() <= MAX_DOCUMENT_BYTES).then_some(())
    }
}

/// The elements of the list in a row.
fn range(offsets: &[i64], row: usize) -> Option<Range<usize>> {
    let at = |index: usize| usize::try_from(*offsets.get(index)?).ok();
    Some(at(row)?..at(row + 1)?)
}

/// A row's entries in the MAP of fields without a column, and the type of their values.
type RowEntries<'a> = (&'a Item, &'a Entries, Range<usize>);

fn entries_of<'a>(
    item: &'a Item,
    column: &'a Values,
    row: usize,
) -> Option<Option<RowEntries<'a>>> {
    match (&item.value, column) {
        (Value::Map(value), Values::Map(entries, validity)) => {
            let has_map = is_valid(validity.as_ref(), row);
            let range = range(entries.offsets.as_slice(), row)?;
            Some(has_map.then_some((value, entries, range)))
        }
        _ => None,
    }
}
