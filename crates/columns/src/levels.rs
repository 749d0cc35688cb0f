//! The columns as encoder and decoder walk them: nested documents, each with its fields in some
//! order.
//!
//! A level's first order is that of its columns. The encoder learns further ones from documents
//! whose fields come in a different order; they are kept in the footer.

use std::collections::{HashMap, HashSet};

use crate::{
    codec::BytesCodec,
    columns::{ColumnType, Columns, Fields, Gap},
    own_columns::REST_COLUMN,
    path,
};

/// Maximum number of orders per level; beyond that, a row spells out its own.
pub(crate) const MAX_ORDERS: usize = 64;

/// The fields of a document: the top level, or a struct.
#[derive(Debug)]
pub(crate) struct Level {
    /// Counted across all levels, from the top.
    pub(crate) number: usize,
    pub(crate) slots: Vec<Slot>,
    pub(crate) positions: HashMap<Box<[u8]>, usize>,
    /// The slot of the MAP that holds fields without a column; no field has its name.
    pub(crate) rest: Option<usize>,
    pub(crate) orders: Vec<Order>,
}

/// The slots of a level in some order: all of them, or just those that a row names.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) slots: Vec<usize>,
    /// The position of each slot in the order.
    ranks: Vec<Option<usize>>,
}

/// A field with a column.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Including its zero byte.
    pub(crate) name: Box<[u8]>,
    pub(crate) gap: Gap,
    pub(crate) item: Item,
}

/// A field, an element of a list, or a value of a map.
#[derive(Debug)]
pub(crate) struct Item {
    /// Counted across all columns, from the top.
    pub(crate) column: usize,
    pub(crate) value: Value,
}

/// What a column holds.
#[derive(Debug)]
pub(crate) enum Value {
    Double {
        by_driver: bool,
    },
    Int64 {
        by_driver: bool,
        /// The bits of all values the encoder has taken, with negative ones inverted.
        magnitude: u64,
    },
    Bool,
    Date,
    Decimal(u8),
    Bytes(BytesCodec),
    Null,
    List(Box<Item>),
    Map(Box<Item>),
    Document(Box<Level>),
}

impl Order {
    /// All slots must be below `count`.
    pub(crate) fn new(slots: Vec<usize>, count: usize) -> Self {
        let mut ranks = vec![None; count];
        for (rank, slot) in slots.iter().enumerate() {
            ranks[*slot] = Some(rank);
        }
        Self { slots, ranks }
    }

    pub(crate) fn rank(&self, slot: usize) -> Option<usize> {
        self.ranks[slot]
    }
}

impl Level {
    /// The top level.
    pub(crate) fn of(columns: &Columns) -> Self {
        Paths::default().level(columns.root(), None)
    }

    /// The top level, and the paths of everything in it.
    pub(crate) fn with_paths(columns: &Columns) -> (Self, Paths) {
        let mut paths = Paths::default();
        let level = paths.level(columns.root(), Some(String::new()));
        (level, paths)
    }

    /// Adds the orders in a footer to this level and those below it. `None` if one does not fit its
    /// level, or there are too many.
    pub(crate) fn add_orders(&mut self, orders: &[LearnedOrder]) -> Option<()> {
        let mut by_level: HashMap<usize, Vec<&[usize]>> = HashMap::new();
        for LearnedOrder(level, slots) in orders {
            by_level.entry(*level).or_default().push(slots);
        }
        self.take_orders(&mut by_level)?;
        by_level.is_empty().then_some(())
    }

    fn take_orders(&mut self, by_level: &mut HashMap<usize, Vec<&[usize]>>) -> Option<()> {
        for slots in by_level.remove(&self.number).unwrap_or_default() {
            let count = self.slots.len();
            let distinct: HashSet<_> = slots.iter().filter(|slot| **slot < count).collect();
            if slots.len() != count || distinct.len() != count || self.orders.len() >= MAX_ORDERS {
                return None;
            }
            self.orders.push(Order::new(slots.to_vec(), count));
        }
        for slot in &mut self.slots {
            slot.item.take_orders(by_level)?;
        }
        Some(())
    }
}

/// The number of a level, and one of its orders.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct LearnedOrder(pub(crate) usize, pub(crate) Vec<usize>);

impl Item {
    fn take_orders(&mut self, by_level: &mut HashMap<usize, Vec<&[usize]>>) -> Option<()> {
        match &mut self.value {
            Value::Document(level) => level.take_orders(by_level),
            Value::List(item) | Value::Map(item) => item.take_orders(by_level),
            _ => Some(()),
        }
    }
}

impl Columns {
    /// Whether the documents at a path, such as `legs[].books`, are in a MAP or STRUCT column.
    pub fn has_documents_at(&self, path: &str) -> bool {
        let (_, paths) = Level::with_paths(self);
        let mut columns = paths.columns.iter().zip(paths.types);
        columns.any(|(column, kind)| column == path && matches!(&*kind, "map" | "struct"))
    }
}

/// The paths that people use for columns and levels, by their numbers: `legs[].price`, `book.*`.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    pub(crate) columns: Vec<String>,
    /// What each column holds.
    pub(crate) types: Vec<String>,
    levels: Vec<String>,
}

impl Paths {
    /// The path of a field in a level.
    pub(crate) fn in_level(&self, level: usize, name: &str) -> String {
        path::of_field(&self.levels[level], name)
    }

    /// Without a path, nothing gets one: a decoder never names a column.
    fn level(&mut self, fields: &Fields, path: Option<String>) -> Level {
        let number = self.levels.len();
        self.levels.push(path.clone().unwrap_or_default());
        let slots: Vec<_> = fields
            .list()
            .iter()
            .map(|column| Slot {
                name: [column.name.as_bytes(), b"\0"].concat().into_boxed_slice(),
                gap: column.gap,
                item: {
                    let path = path.as_ref().map(|path| path::of_field(path, &column.name));
                    self.item(&column.column_type, path)
                },
            })
            .collect();
        let rest = fields.position(REST_COLUMN).filter(|_| number == 0);
        let names = fields.list().iter().map(|column| column.name.as_bytes());
        let positions = names
            .enumerate()
            .filter(|(position, _)| rest != Some(*position))
            .map(|(position, name)| (name.into(), position))
            .collect();
        Level {
            number,
            positions,
            rest,
            orders: vec![Order::new((0..slots.len()).collect(), slots.len())],
            slots,
        }
    }

    fn item(&mut self, column_type: &ColumnType, path: Option<String>) -> Item {
        let column = self.columns.len();
        self.columns.push(path.clone().unwrap_or_default());
        let below = |of: fn(&str) -> String| path.as_deref().map(of);
        self.types.push(column_type.said());
        let value = match column_type {
            ColumnType::Double => Value::Double { by_driver: false },
            ColumnType::DriverDouble => Value::Double { by_driver: true },
            ColumnType::Int64 => Value::Int64 {
                by_driver: false,
                magnitude: 0,
            },
            ColumnType::DriverInt64 => Value::Int64 {
                by_driver: true,
                magnitude: 0,
            },
            ColumnType::Bool => Value::Bool,
            ColumnType::Date => Value::Date,
            ColumnType::Decimal(scale) => Value::Decimal(*scale),
            ColumnType::Null => Value::Null,
            ColumnType::List(element) => {
                Value::List(Box::new(self.item(element, below(path::of_elements))))
            }
            ColumnType::Map(value) => {
                Value::Map(Box::new(self.item(value, below(path::of_values))))
            }
            ColumnType::Struct(fields) => Value::Document(Box::new(self.level(fields, path))),
            ColumnType::String => Value::Bytes(BytesCodec::String),
            ColumnType::ObjectId => Value::Bytes(BytesCodec::ObjectId),
            ColumnType::DecimalText => Value::Bytes(BytesCodec::DecimalText),
            ColumnType::Binary(subtype) => Value::Bytes(BytesCodec::Binary(*subtype)),
            ColumnType::Raw(bson_type) => Value::Bytes(BytesCodec::Raw(*bson_type)),
        };
        Item { column, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_by_the_paths_people_write() {
        let columns = r#"[{"name":"legs","type":{"list":{"struct":[{"name":"bids","type":{"map":"double"},"gap":"null"}]}},"gap":"null"},{"name":"x","type":"bool","gap":"null"}]"#;
        let columns: Columns = serde_json::from_str(columns).unwrap();
        for (path, has) in [
            ("legs[]", true),
            ("legs[].bids", true),
            ("legs", false),
            ("legs.bids", false),
            ("legs[].bids.*", false),
            ("x", false),
        ] {
            assert_eq!(columns.has_documents_at(path), has, "{path}");
        }
    }

    #[test]
    fn rejects_an_order_of_another_level_or_with_a_repeated_slot() {
        let columns = r#"[{"name":"a","type":"bool","gap":"null"},{"name":"s","type":{"list":{"struct":[{"name":"x","type":"bool","gap":"null"},{"name":"y","type":"bool","gap":"null"}]}},"gap":"null"}]"#;
        let columns: Columns = serde_json::from_str(columns).unwrap();
        let accepts = |orders: &str| {
            let orders: Vec<LearnedOrder> = serde_json::from_str(orders).unwrap();
            Level::of(&columns).add_orders(&orders).is_some()
        };
        assert!(accepts("[[0,[1,0]],[1,[1,0]],[0,[0,1]]]"));
        for refused in [
            "[[0,[1,1]]]",
            "[[0,[1]]]",
            "[[1,[0,2]]]",
            "[[2,[0,1]]]",
            "[[9,[]]]",
        ] {
            assert!(!accepts(refused), "{refused}");
        }
        let many = vec!["[0,[1,0]]"; MAX_ORDERS].join(",");
        assert!(!accepts(&format!("[{many}]")));
    }
}
