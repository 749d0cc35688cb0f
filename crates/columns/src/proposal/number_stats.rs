//! The numbers of a field, and the column type that suits them.

use crate::{
    codec::{int64_as_double, is_driver_int32},
    columns::ColumnType,
    raw::{BsonType, Element},
};

/// Counts of values by how a driver would write them.
#[derive(Debug, Default)]
pub(super) struct NumberStats {
    fractions: u64,
    /// Doubles that a driver would write as int32.
    whole_doubles: u64,
    int32s: u64,
    /// 64-bit integers: those that a driver would write as int32, and the others.
    small_int64s: u64,
    large_int64s: u64,
    /// Whether some 64-bit integer has no exact double.
    has_inexact: bool,
}

impl NumberStats {
    pub(super) fn observe(&mut self, element: &Element<'_>) {
        let eight = element.value.try_into();
        match element.bson_type {
            BsonType::Double => {
                if is_driver_int32(eight.map(f64::from_le_bytes).unwrap_or_default()) {
                    self.whole_doubles += 1;
                } else {
                    self.fractions += 1;
                }
            }
            BsonType::Int32 => self.int32s += 1,
            BsonType::Int64 => {
                let value = eight.map(i64::from_le_bytes).unwrap_or_default();
                if i32::try_from(value).is_ok() {
                    self.small_int64s += 1;
                } else {
                    self.large_int64s += 1;
                }
                self.has_inexact |= int64_as_double(value).is_none();
            }
            _ => {}
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.fractions += other.fractions;
        self.whole_doubles += other.whole_doubles;
        self.int32s += other.int32s;
        self.small_int64s += other.small_int64s;
        self.large_int64s += other.large_int64s;
        self.has_inexact |= other.has_inexact;
    }

    fn doubles(&self) -> u64 {
        self.fractions + self.whole_doubles
    }

    fn integers(&self) -> u64 {
        self.int32s + self.small_int64s + self.large_int64s
    }

    /// How many values fit the best column type.
    pub(super) fn count(&self) -> u64 {
        if self.has_inexact {
            self.doubles().max(self.integers())
        } else {
            self.doubles() + self.integers()
        }
    }

    pub(super) fn column_type(&self) -> ColumnType {
        let has_doubles = self.doubles() > 0;
        let is_double = if self.has_inexact {
            self.doubles() > self.integers()
        } else {
            has_doubles
        };
        if is_double {
            if self.int32s > self.whole_doubles {
                ColumnType::DriverDouble
            } else {
                ColumnType::Double
            }
        } else if self.int32s >= self.small_int64s {
            ColumnType::DriverInt64
        } else {
            ColumnType::Int64
        }
    }
}
