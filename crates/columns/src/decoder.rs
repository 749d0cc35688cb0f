//! Rows back into documents, byte for byte: the inverse of the encoder.
//!
//! A document is written field by field, in the order of its level: its name stands in the columns,
//! its value in its column, and the row's code says what is different. Columns, codes and leftovers
//! are untrusted: a value that is missing or not of its kind is an error.

use std::{ops::Range, sync::Arc};

use polars_arrow::array::{Array, BinaryViewArray};

use crate::{
    bson_writer::{close, open},
    codec::{BytesCodec, double_as_int64, is_driver_int32},
    codes::{CodeReader, Op, varints},
    columns::{Columns, Gap},
    decimal::Decimal,
    levels::{Item, Level, Slot, Value},
    number_runs,
    raw::{ArrayKey, BsonType, Element, Elements, MAX_DOCUMENT_BYTES, body},
    values::{Entries, Values, is_valid, number, typed},
};

/// The documents of a row group.
#[derive(Debug)]
pub(crate) struct Decoder {
    columns: Vec<Values>,
    codes: BinaryViewArray,
    leftovers: BinaryViewArray,
    level: Arc<Level>,
    last_bytes: usize,
}

impl Decoder {
    /// `arrays` are the file's columns, our own two at the end; none if they are not of the columns'
    /// types or not of `rows` rows.
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

    /// The document of a row; none if the row is not what it claims to be.
    pub(crate) fn document(&mut self, row: usize) -> Option<Vec<u8>> {
        let leftovers = self.leftovers.get(row);
        let mut walk = Walk {
            codes: CodeReader::new(self.codes.get(row).unwrap_or_default())?,
            leftovers: leftovers.map(Elements::of).transpose().ok()?,
            document: Vec::with_capacity(self.last_bytes),
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

/// The document that is written, and what is left to say of it.
struct Walk<'a> {
    codes: CodeReader<'a>,
    leftovers: Option<Elements<'a>>,
    document: Vec<u8>,
}

/// In which order the fields of a document come.
enum Slots<'a> {
    Of(&'a [usize]),
    Spelled(Vec<usize>),
}

/// Whether a field was written, or it and so many that follow are absent.
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

    /// The fields that the document may have, in their order.
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

    /// Writes what stands before the next visit and in no column.
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

    fn header(&mut self, bson_type: BsonType, name: &[u8]) {
        self.document.push(bson_type.code());
        self.document.extend_from_slice(name);
    }

    /// Visits a field, an element or an entry of this name, which ends with a zero byte.
    fn value(
        &mut self,
        item: &Item,
        gap: Gap,
        name: &[u8],
        column: &Values,
        row: usize,
    ) -> Option<Visited> {
        let op = self.codes.visit()?;
        match op {
            None | Some(Op::Type(_) | Op::Exponent(_)) => {}
            _ if column.has_value(row) => return None,
            Some(Op::Absent(following)) => return Some(Visited::Absent(following)),
            Some(Op::Left) => return self.leftover().map(|()| Visited::Written),
            Some(_) => return None,
        }
        if !column.has_value(row) {
            self.valueless(item, gap, name, op)?;
            return Some(Visited::Written);
        }
        match (&item.value, column, op) {
            (Value::Double { by_driver }, Values::Double(array), op) => {
                let value = number(array, row)?;
                let default = if *by_driver && is_driver_int32(value) {
                    BsonType::Int32
                } else {
                    BsonType::Double
                };
                self.double(name, value, type_said(op, default)?)?;
            }
            (Value::Int64 { by_driver, .. }, Values::Int64(array), op) => {
                let value = number(array, row)?;
                let default = if *by_driver && i32::try_from(value).is_ok() {
                    BsonType::Int32
                } else {
                    BsonType::Int64
                };
                self.int64(name, value, type_said(op, default)?)?;
            }
            (Value::Date, Values::Int64(array), None) => {
                self.int64(name, number(array, row)?, BsonType::Date)?;
            }
            (Value::Bool, Values::Bool(array), None) => {
                self.header(BsonType::Bool, name);
                self.document.push(array.get(row)?.into());
            }
            (Value::Decimal(scale), Values::Decimal(array), op) => {
                let exponent = match op {
                    None => -i32::from(*scale),
                    Some(Op::Exponent(exponent)) => exponent,
                    Some(_) => return None,
                };
                let decimal = Decimal::of_scale(number(array, row)?, *scale, exponent)?;
                self.header(BsonType::Decimal128, name);
                self.document.extend_from_slice(&decimal.bytes()?);
            }
            (Value::Bytes(codec), Values::Bytes(array), op) => {
                let codec = codec.for_type(type_said(op, codec.bson_type())?)?;
                self.bytes(name, codec, array.get(row)?)?;
            }
            (Value::List(item), Values::List(offsets, elements, _), None) => {
                let range = range(offsets.as_slice(), row)?;
                self.header(BsonType::Array, name);
                self.list(item, elements, range)?;
            }
            (Value::Map(value), Values::Map(entries, _), None) => {
                self.header(BsonType::Document, name);
                let start = open(&mut self.document);
                for entry in range(entries.offsets.as_slice(), row)? {
                    self.entry(value, entries, entry)?;
                }
                self.end()?;
                close(start, &mut self.document)?;
            }
            (Value::Document(level), Values::Struct(columns, _), None) => {
                self.header(BsonType::Document, name);
                self.document(level, columns, row)?;
            }
            _ => return None,
        }
        Some(Visited::Written)
    }

    /// Writes what has no value: what the column means by that, or what the code says.
    fn valueless(&mut self, item: &Item, gap: Gap, name: &[u8], op: Option<Op<'_>>) -> Option<()> {
        let bson_type = match (op, gap) {
            (None, Gap::Absent) => return Some(()),
            (None, Gap::Null) => BsonType::Null,
            (None, Gap::Array) => BsonType::Array,
            (None, Gap::Document) => BsonType::Document,
            (Some(Op::Type(bson_type)), _) => bson_type,
            (Some(_), _) => return None,
        };
        let is_empty = matches!(bson_type, BsonType::Array | BsonType::Document);
        if !(bson_type.is_valueless() || is_empty && matches!(item.value, Value::Null)) {
            return None;
        }
        self.header(bson_type, name);
        if is_empty {
            let start = open(&mut self.document);
            close(start, &mut self.document)?;
        }
        Some(())
    }

    fn double(&mut self, name: &[u8], value: f64, bson_type: BsonType) -> Option<()> {
        self.header(bson_type, name);
        match bson_type {
            BsonType::Double => self.document.extend_from_slice(&value.to_le_bytes()),
            BsonType::Int32 if is_driver_int32(value) => {
                self.document
                    .extend_from_slice(&(value as i32).to_le_bytes());
            }
            BsonType::Int64 => {
                let value = double_as_int64(value)?;
                self.document.extend_from_slice(&value.to_le_bytes());
            }
            _ => return None,
        }
        Some(())
    }

    fn int64(&mut self, name: &[u8], value: i64, bson_type: BsonType) -> Option<()> {
        self.header(bson_type, name);
        match bson_type {
            BsonType::Int64 | BsonType::Date => {
                self.document.extend_from_slice(&value.to_le_bytes());
            }
            BsonType::Int32 => {
                let value = i32::try_from(value).ok()?;
                self.document.extend_from_slice(&value.to_le_bytes());
            }
            BsonType::Double => {
                let double = value as f64;
                if double_as_int64(double) != Some(value) {
                    return None;
                }
                self.document.extend_from_slice(&double.to_le_bytes());
            }
            _ => return None,
        }
        Some(())
    }

    fn bytes(&mut self, name: &[u8], codec: BytesCodec, cell: &[u8]) -> Option<()> {
        self.header(codec.bson_type(), name);
        codec.decode(cell, &mut self.document).then_some(())
    }

    fn list(&mut self, item: &Item, elements: &Values, range: Range<usize>) -> Option<()> {
        let start = open(&mut self.document);
        let written = self.numbers(item, elements, range.clone())?;
        let mut key = ArrayKey::at(written);
        let mut name = Vec::with_capacity(8);
        for element in range.start + written..range.end {
            name.clear();
            name.extend_from_slice(key.bytes());
            name.push(0);
            let Visited::Written = self.value(item, Gap::Null, &name, elements, element)? else {
                return None;
            };
            // One element is as large as a document at most; all of them must be no larger.
            if self.document.len() > MAX_DOCUMENT_BYTES {
                return None;
            }
            key.advance();
        }
        close(start, &mut self.document)
    }

    /// Writes the leading elements of an array of plain numbers, whose layout is known in advance:
    /// how many.
    fn numbers(&mut self, item: &Item, elements: &Values, range: Range<usize>) -> Option<usize> {
        let count = range.len().min(number_runs::MAX_ELEMENTS);
        let range = range.start..range.start + count;
        let (code, document) = (BsonType::code, &mut self.document);
        match (&item.value, elements) {
            (Value::Double { by_driver }, Values::Double(array)) if array.null_count() == 0 => {
                let values = array.values().get(range)?;
                let is_plain = !by_driver || !values.iter().any(|value| is_driver_int32(*value));
                if is_plain && self.codes.visit_alike(count) {
                    let double = code(BsonType::Double);
                    number_runs::write(double, values, f64::to_le_bytes, document);
                    return Some(count);
                }
            }
            (Value::Int64 { by_driver, .. }, Values::Int64(array)) if array.null_count() == 0 => {
                let values = array.values().get(range)?;
                let fits = |value: &i64| i32::try_from(*value).is_ok();
                if !by_driver && self.codes.visit_alike(count) {
                    let int64 = code(BsonType::Int64);
                    number_runs::write(int64, values, i64::to_le_bytes, document);
                    return Some(count);
                }
                if *by_driver && values.iter().all(fits) && self.codes.visit_alike(count) {
                    let bytes = |value: i64| (value as i32).to_le_bytes();
                    number_runs::write(code(BsonType::Int32), values, bytes, document);
                    return Some(count);
                }
            }
            _ => {}
        }
        Some(0)
    }

    fn entry(&mut self, value: &Item, entries: &Entries, entry: usize) -> Option<()> {
        self.inserted()?;
        let key = entries.keys.get(entry)?;
        if key.contains(&0) {
            return None;
        }
        let name = [key, b"\0"].concat();
        let visited = self.value(value, Gap::Null, &name, &entries.values, entry)?;
        let is_written = matches!(visited, Visited::Written);
        (is_written && self.document.len() <= MAX_DOCUMENT_BYTES).then_some(())
    }
}

/// The type that a code says, or the one that goes without saying.
fn type_said(op: Option<Op<'_>>, default: BsonType) -> Option<BsonType> {
    match op {
        None => Some(default),
        Some(Op::Type(bson_type)) => Some(bson_type),
        Some(_) => None,
    }
}

/// The elements of the list in a row.
fn range(offsets: &[i64], row: usize) -> Option<Range<usize>> {
    let at = |index: usize| usize::try_from(*offsets.get(index)?).ok();
    Some(at(row)?..at(row + 1)?)
}

/// The entries in a row of the MAP of fields without a column, and what their values are.
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
