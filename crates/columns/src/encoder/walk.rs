//! Walks a document in lockstep with its columns.
//!
//! The bytes before each value are compared with the name expected next, and the value is appended
//! to its column: no lookup, no allocation, no intermediate document. The row's code records
//! whatever differs; what no column can hold becomes a leftover.

use super::{
    builder::{Builder, StructBuilder},
    element::{Ahead, Stop},
    row::Row,
};
use crate::{
    columns::Gap,
    levels::{Level, Slot},
    raw::{BsonType, body, cstring},
};

impl Row {
    /// Appends a document at row `at` of its columns.
    pub(super) fn document(
        &mut self,
        level: &mut Level,
        columns: &mut StructBuilder,
        at: usize,
        document: &[u8],
    ) -> Result<(), Stop> {
        let mut bytes = body(document)?;
        columns.open(at);
        let document = self.begin_document(level.number, level.slots.len());
        let (expected, spelled) = self.order_of(level, bytes)?;
        let is_spelled = spelled.is_some();
        let Level {
            number,
            slots,
            positions,
            rest,
            orders,
        } = level;
        let order = spelled.as_ref().unwrap_or(&orders[expected]);
        let mut position = 0;
        let mut entries = None;
        while !bytes.is_empty() {
            let after = &bytes[1..];
            let slot = match order.slots.get(position) {
                Some(slot) if Some(*slot) != *rest && begins_with(after, &slots[*slot].name) => {
                    *slot
                }
                _ => {
                    let name = cstring(after)?;
                    let place = positions.get(name).map(|slot| (*slot, order.rank(*slot)));
                    match (place, *rest) {
                        (Some((slot, Some(rank))), rest) if rank >= position => {
                            let skipped = &order.slots[position..rank];
                            self.skip(slots, skipped, rest);
                            self.note(*number, skipped, document);
                            position = rank;
                            slot
                        }
                        (Some((slot, _)), _) if self.is_noted(*number, slot, document) => {
                            return Err(Stop::OtherOrder);
                        }
                        (None, Some(rest)) if self.is_new_key(&mut entries, name) => {
                            if is_spelled {
                                position += 1;
                            } else {
                                let rank = order.rank(rest).filter(|rank| *rank >= position);
                                let rank = rank.ok_or(Stop::OtherOrder)?;
                                let skipped = &order.slots[position..rank];
                                self.skip(slots, skipped, None);
                                self.note(*number, skipped, document);
                                position = rank;
                            }
                            let ahead = Ahead {
                                bytes,
                                name_len: name.len() + 1,
                            };
                            let (item, map) = (&mut slots[rest].item, columns.child(rest));
                            bytes = self.entry(item, map, ahead)?;
                            continue;
                        }
                        // A duplicate name, or one without a column.
                        _ => {
                            bytes = self.insert(*number, bytes)?;
                            continue;
                        }
                    }
                }
            };
            position += 1;
            let Slot { name, gap, item } = &mut slots[slot];
            let gap = if is_spelled && *gap == Gap::Absent {
                Gap::Null
            } else {
                *gap
            };
            let ahead = Ahead {
                bytes,
                name_len: name.len(),
            };
            bytes = self.value(item, gap, columns.child(slot), at, ahead)?;
        }
        if !is_spelled {
            self.skip(slots, &order.slots[position..], *rest);
        }
        self.codes.visit(1);
        if let Some(keys) = entries {
            self.free_keys(keys);
            if let Some(Builder::Map(map)) = rest.map(|rest| columns.child(rest)) {
                map.close(at);
            }
        }
        Ok(())
    }

    /// Skips fields that the document does not have.
    fn skip(&mut self, slots: &[Slot], skipped: &[usize], rest: Option<usize>) {
        let fields = || skipped.iter().filter(|slot| Some(**slot) != rest);
        let (mut visits, mut first, mut last) = (0, None, 0);
        for slot in fields() {
            if slots[*slot].gap != Gap::Absent {
                first.get_or_insert(visits);
                last = visits;
            }
            visits += 1;
        }
        match first {
            None => self.codes.visit(visits),
            Some(first) => {
                self.codes.visit(last + 1);
                self.codes.absent(last + 1 - first);
                self.codes.visit(visits - last - 1);
            }
        }
    }

    /// The fields of a document whose body is `bytes`, in order: without unexpected fields, and
    /// with those of the MAP as its slot.
    pub(super) fn slots_of(&mut self, level: &Level, mut bytes: &[u8]) -> Result<Vec<usize>, Stop> {
        let document = self.begin_document(level.number, level.slots.len());
        let mut keys = None;
        let mut found = Vec::with_capacity(level.slots.len());
        while !bytes.is_empty() {
            let name = cstring(&bytes[1..])?;
            let name_len = name.len() + 1;
            match (level.positions.get(name), level.rest) {
                (Some(slot), _) => {
                    if !self.is_noted(level.number, *slot, document) {
                        self.note(level.number, &[*slot], document);
                        found.push(*slot);
                    }
                }
                (None, Some(rest)) if self.is_new_key(&mut keys, name) => found.push(rest),
                (None, _) => {}
            }
            let ahead = Ahead { bytes, name_len };
            (_, bytes) = ahead.split(BsonType::of(ahead.code())?)?;
        }
        if let Some(keys) = keys {
            self.free_keys(keys);
        }
        Ok(found)
    }
}

/// Whether `bytes` start with `name`, without the cost of a call if it is short, as most names are.
#[inline]
fn begins_with(bytes: &[u8], name: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..name.len()) else {
        return false;
    };
    match name.len() {
        8..=16 => {
            bytes.first_chunk::<8>() == name.first_chunk()
                && bytes.last_chunk::<8>() == name.last_chunk()
        }
        4..=7 => {
            bytes.first_chunk::<4>() == name.first_chunk()
                && bytes.last_chunk::<4>() == name.last_chunk()
        }
        _ => bytes == name,
    }
}
