//! What the row under construction says besides its columns, and the order in which its fields are
//! expected.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::element::Stop;
use crate::{
    codes::{CodeWriter, Mark, Op, put_varint},
    levels::{LearnedOrder, Level, MAX_ORDERS, Order},
    limits::MAX_ORDERS_BYTES,
    raw::{self, BsonType, MalformedBson, cstring},
};

/// Marks names in a map, which are not fields of any level.
pub(super) const NO_LEVEL: usize = usize::MAX;
/// How many rows have all their fields scanned first after one in an unexpected order.
const CAREFUL_ROWS: u32 = 16;

/// The row under construction, and what earlier rows have taught.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) codes: CodeWriter,
    /// The elements that no column holds, concatenated.
    pub(super) leftovers: Vec<u8>,
    /// Column and type of values that did not fit.
    pub(super) misfits: Vec<(usize, BsonType)>,
    /// Level of each element without a column, and its offset in the leftovers.
    pub(super) strangers: Vec<(usize, usize)>,
    careful_rows: u32,
    levels: Vec<LevelState>,
    documents: u64,
    keys: Vec<Keys>,
    learned: Vec<LearnedOrder>,
    learned_bytes: usize,
}

/// The keys of a map so far, by hash. If two keys share a hash, the second becomes a leftover.
type Keys = HashSet<u64>;

/// What has been seen of a level.
#[derive(Debug, Default)]
struct LevelState {
    /// The last document in which each slot was noted; zero for none.
    noted: Vec<u64>,
    last_order: usize,
    /// The order that last followed each order.
    following: Vec<usize>,
}

/// A position in a row to return to.
pub(super) struct RowMark {
    codes: Mark,
    leftovers: usize,
    misfits: usize,
    strangers: usize,
}

impl Row {
    /// Drops the last row.
    pub(super) fn clear(&mut self) {
        self.codes.clear();
        self.leftovers.clear();
        self.misfits.clear();
        self.strangers.clear();
    }

    /// Starts a row.
    pub(super) fn begin(&mut self) {
        self.clear();
        self.careful_rows = self.careful_rows.saturating_sub(1);
    }

    /// Scans all fields first, in this row and the next few. False if that was already the case.
    pub(super) fn be_careful(&mut self) -> bool {
        self.clear();
        std::mem::replace(&mut self.careful_rows, CAREFUL_ROWS) == 0
    }

    pub(super) fn mark(&self) -> RowMark {
        RowMark {
            codes: self.codes.mark(),
            leftovers: self.leftovers.len(),
            misfits: self.misfits.len(),
            strangers: self.strangers.len(),
        }
    }

    pub(super) fn go_back(&mut self, mark: RowMark) {
        self.codes.go_back(mark.codes);
        self.leftovers.truncate(mark.leftovers);
        self.misfits.truncate(mark.misfits);
        self.strangers.truncate(mark.strangers);
    }

    /// Numbers this pass over a document of the level, which tells its slots from those of other
    /// passes.
    pub(super) fn begin_document(&mut self, level: usize, slots: usize) -> u64 {
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, LevelState::default);
        }
        self.levels[level].noted.resize(slots, 0);
        self.documents += 1;
        self.documents
    }

    pub(super) fn note(&mut self, level: usize, slots: &[usize], document: u64) {
        let noted = &mut self.levels[level].noted;
        slots.iter().for_each(|slot| noted[*slot] = document);
    }

    pub(super) fn is_noted(&self, level: usize, slot: usize, document: u64) -> bool {
        self.levels[level].noted[slot] == document
    }

    /// The learned orders.
    pub(super) fn into_learned(self) -> Vec<LearnedOrder> {
        self.learned
    }

    /// Whether a name can be a key of the map: it is text and not taken yet.
    pub(super) fn is_new_key(&mut self, keys: &mut Option<Keys>, name: &[u8]) -> bool {
        if std::str::from_utf8(name).is_err() {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let keys = keys.get_or_insert_with(|| self.keys.pop().unwrap_or_default());
        keys.insert(hasher.finish())
    }

    pub(super) fn free_keys(&mut self, mut keys: Keys) {
        keys.clear();
        self.keys.push(keys);
    }

    /// Makes the first element of `bytes`, which has no column, a leftover and returns what follows
    /// it.
    pub(super) fn insert<'a>(
        &mut self,
        level: usize,
        bytes: &'a [u8],
    ) -> Result<&'a [u8], MalformedBson> {
        self.codes.before(Op::Insert);
        self.strangers.push((level, self.leftovers.len()));
        let name_len = cstring(&bytes[1..])?.len() + 1;
        self.leave(bytes, BsonType::of(bytes[0])?, name_len)
    }

    pub(super) fn leave<'a>(
        &mut self,
        bytes: &'a [u8],
        bson_type: BsonType,
        name_len: usize,
    ) -> Result<&'a [u8], MalformedBson> {
        let value = &bytes[1 + name_len..];
        let (value, rest) = value.split_at(bson_type.value_len(value)?);
        if matches!(bson_type, BsonType::Document | BsonType::Array) {
            raw::check(value)?;
        }
        self.leftovers
            .extend_from_slice(&bytes[..bytes.len() - rest.len()]);
        Ok(rest)
    }

    /// The order in which to expect the fields of a document, recorded in its code unless it is the
    /// first; an order of its own if none of the level's fits. Call it after `begin_document`.
    pub(super) fn order_of(
        &mut self,
        level: &mut Level,
        bytes: &[u8],
    ) -> Result<(usize, Option<Order>), Stop> {
        let order = if self.careful_rows == 0 {
            let state = &self.levels[level.number];
            state.following.get(state.last_order).copied().unwrap_or(0)
        } else {
            let found = self.slots_of(level, bytes)?;
            let known = (0..level.orders.len())
                .find(|order| fits(&level.orders[*order], &found, level.rest));
            match known.or_else(|| self.learn(level, &found)) {
                Some(order) => order,
                None => {
                    let mut spelled = Vec::new();
                    found
                        .iter()
                        .for_each(|slot| put_varint(*slot as u64, &mut spelled));
                    self.codes.before(Op::Spell(&spelled));
                    return Ok((0, Some(Order::new(found, level.slots.len()))));
                }
            }
        };
        let state = &mut self.levels[level.number];
        if state.following.len() < level.orders.len() {
            let known = state.following.len();
            state.following.extend(known..level.orders.len());
        }
        state.following[state.last_order] = order;
        state.last_order = order;
        if order != 0 {
            self.codes.before(Op::Order(order as u64));
        }
        Ok((order, None))
    }

    /// Adds an order to the level: the fields found in the order they came, and every other field
    /// after the one it follows in the first order.
    fn learn(&mut self, level: &mut Level, found: &[usize]) -> Option<usize> {
        let mut slots = found.to_vec();
        slots.dedup();
        let count = level.slots.len();
        let (mut is_found, mut leading, mut followers) =
            (vec![false; count], Vec::new(), vec![Vec::new(); count]);
        for slot in &slots {
            // The MAP occurs twice, with other fields in between.
            if std::mem::replace(&mut is_found[*slot], true) {
                return None;
            }
        }
        let mut last = None;
        for slot in &level.orders[0].slots {
            match (is_found[*slot], last) {
                (true, _) => last = Some(*slot),
                (false, Some(last)) => followers[last].push(*slot),
                (false, None) => leading.push(*slot),
            }
        }
        for slot in slots {
            leading.push(slot);
            leading.append(&mut followers[slot]);
        }
        let learned = LearnedOrder(level.number, leading);
        let bytes = serde_json::to_string(&learned).ok()?.len() + ",".len();
        if level.orders.len() >= MAX_ORDERS || self.learned_bytes + bytes > MAX_ORDERS_BYTES {
            return None;
        }
        self.learned_bytes += bytes;
        level.orders.push(Order::new(learned.1.clone(), count));
        self.learned.push(learned);
        Some(level.orders.len() - 1)
    }
}

/// Whether the fields found come in this order, with those of the MAP next to each other.
fn fits(order: &Order, found: &[usize], rest: Option<usize>) -> bool {
    let ranks = found.iter().map(|slot| order.rank(*slot));
    let mut last = None;
    for (rank, slot) in ranks.zip(found) {
        let is_after = rank > last || rank == last && Some(*slot) == rest;
        if !is_after {
            return false;
        }
        last = rank;
    }
    true
}
