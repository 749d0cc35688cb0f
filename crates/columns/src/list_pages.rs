//! Pages of lists of numbers: their levels are computed list by list, and their values are copied.
//!
//! For any list, the Parquet library asks an iterator for the levels of each value, which took a
//! fifth of an export's CPU time.

use std::ops::Range;

use polars_arrow::{
    array::{Array, PrimitiveArray},
    datatypes::PhysicalType,
    offset::OffsetsBuffer,
    types::{NativeType, PrimitiveType as Physical},
};
use polars_parquet::{
    parquet::{
        CowBuffer,
        metadata::Descriptor,
        page::{DataPage, DataPageHeader, DataPageHeaderV1},
        schema::types::PrimitiveType,
    },
    write::{Encoding, Nested, Page},
};

use crate::values::typed;

const _: () = assert!(
    cfg!(target_endian = "little"),
    "values lie in pages as in memory, which must be little-endian"
);

/// As the library cuts pages.
const PAGE_BYTES: usize = 1 << 20;

/// The plain pages of a column of lists of numbers without null elements; `None` for any other.
pub(crate) fn list_pages(
    values: &dyn Array,
    nested: &[Nested],
    parquet_type: &PrimitiveType,
) -> Option<Vec<Page>> {
    let [Nested::LargeList(list), Nested::Primitive(element)] = nested else {
        return None;
    };
    let bits = list.validity.as_ref();
    let lists = Lists {
        offsets: &list.offsets,
        is_null: |row| bits.is_some_and(|bits| !bits.get_bit(row)),
        is_optional: list.is_optional,
        has_optional_elements: element.is_optional,
    };
    if values.null_count() > 0 || lists.has_null_with_elements() {
        return None;
    }
    match values.dtype().to_physical_type() {
        PhysicalType::Primitive(Physical::Float64) => {
            let values: PrimitiveArray<f64> = typed(values)?;
            Some(lists.pages(values.values(), parquet_type))
        }
        PhysicalType::Primitive(Physical::Int64) => {
            let values: PrimitiveArray<i64> = typed(values)?;
            Some(lists.pages(values.values(), parquet_type))
        }
        _ => None,
    }
}

struct Lists<'a, F> {
    offsets: &'a OffsetsBuffer<i64>,
    is_null: F,
    is_optional: bool,
    has_optional_elements: bool,
}

impl<F: Fn(usize) -> bool> Lists<'_, F> {
    fn has_null_with_elements(&self) -> bool {
        (0..self.offsets.len_proxy())
            .any(|row| (self.is_null)(row) && !self.elements(row).is_empty())
    }

    fn elements(&self, row: usize) -> Range<usize> {
        let (start, end) = self.offsets.start_end(row);
        start..end
    }

    fn pages<T: NativeType>(&self, values: &[T], parquet_type: &PrimitiveType) -> Vec<Page> {
        let rows = self.offsets.len_proxy();
        let row_bytes = size_of_val(values) / rows.max(1);
        let rows_per_page = (PAGE_BYTES / (row_bytes + 1)).max(1);
        let starts = (0..rows).step_by(rows_per_page);
        let pages = starts.map(|start| {
            let page_rows = start..rows.min(start + rows_per_page);
            let first = self.elements(page_rows.start).start;
            let end = self.elements(page_rows.end - 1).end;
            self.page(page_rows, &values[first..end], parquet_type)
        });
        pages.collect()
    }

    fn page<T: NativeType>(
        &self,
        rows: Range<usize>,
        values: &[T],
        parquet_type: &PrimitiveType,
    ) -> Page {
        let num_rows = rows.len();
        let Levels {
            repetition,
            definition,
        } = self.levels(rows);
        let num_values = repetition.count;
        let (repetition, definition) = (repetition.finish(), definition.finish());
        let levels_bytes = 8 + repetition.len() + definition.len();
        let mut buffer = Vec::with_capacity(levels_bytes + size_of_val(values));
        for levels in [repetition, definition] {
            buffer.extend((levels.len() as u32).to_le_bytes());
            buffer.extend(levels);
        }
        buffer.extend_from_slice(bytemuck::cast_slice(values));
        let header = DataPageHeaderV1 {
            num_values: num_values as i32,
            encoding: Encoding::Plain.into(),
            definition_level_encoding: Encoding::Rle.into(),
            repetition_level_encoding: Encoding::Rle.into(),
            statistics: None,
        };
        let descriptor = Descriptor {
            primitive_type: parquet_type.clone(),
            max_def_level: 0,
            max_rep_level: 0,
        };
        let (header, buffer) = (DataPageHeader::V1(header), CowBuffer::Owned(buffer));
        Page::Data(DataPage::new(header, buffer, descriptor, num_rows))
    }

    fn levels(&self, rows: Range<usize>) -> Levels {
        let empty = u8::from(self.is_optional);
        let present = empty + 1 + u8::from(self.has_optional_elements);
        let mut repetition = Runs::of_levels_up_to(1);
        let mut definition = Runs::of_levels_up_to(present);
        for row in rows {
            repetition.push(0, 1);
            let count = self.elements(row).len();
            if count > 0 {
                repetition.push(1, count - 1);
                definition.push(present, count);
            } else {
                let is_null = (self.is_null)(row);
                definition.push(if is_null { 0 } else { empty }, 1);
            }
        }
        Levels {
            repetition,
            definition,
        }
    }
}

struct Levels {
    repetition: Runs,
    definition: Runs,
}

/// Levels in Parquet's hybrid of run lengths and bit packing: equal levels in a row are a run,
/// others are packed in groups of eight.
struct Runs {
    bits: u32,
    /// All levels that were pushed.
    count: usize,
    bytes: Vec<u8>,
    /// Levels before the current run that are to be packed.
    packed: Vec<u8>,
    level: u8,
    length: usize,
}

/// The size of a group of packed levels. A shorter run is packed.
const GROUP: usize = 8;

impl Runs {
    fn of_levels_up_to(highest: u8) -> Self {
        Self {
            bits: u8::BITS - highest.leading_zeros(),
            count: 0,
            bytes: Vec::new(),
            packed: Vec::new(),
            level: 0,
            length: 0,
        }
    }

    fn push(&mut self, level: u8, count: usize) {
        if level != self.level {
            self.end_run();
            self.level = level;
        }
        self.length += count;
        self.count += count;
    }

    fn end_run(&mut self) {
        // Only full groups can come before a run.
        let fill = (GROUP - self.packed.len() % GROUP) % GROUP;
        let rest = self.length.saturating_sub(fill);
        let packed = if rest < GROUP { self.length } else { fill };
        self.packed.extend(std::iter::repeat_n(self.level, packed));
        if rest >= GROUP {
            self.end_packed();
            self.header(rest << 1);
            self.bytes.push(self.level);
        }
        self.length = 0;
    }

    /// Writes the packed levels, with zeros up to the end of the last group.
    fn end_packed(&mut self) {
        if self.packed.is_empty() {
            return;
        }
        let groups = self.packed.len().div_ceil(GROUP);
        self.header(groups << 1 | 1);
        for group in self.packed.chunks(GROUP) {
            let packed = group.iter().rev().fold(0_u64, |packed, level| {
                packed << self.bits | u64::from(*level)
            });
            self.bytes
                .extend(&packed.to_le_bytes()[..self.bits as usize]);
        }
        self.packed.clear();
    }

    /// Appends a number in groups of seven bits, the lowest first.
    fn header(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn finish(mut self) -> Vec<u8> {
        self.end_run();
        self.end_packed();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use polars_arrow::bitmap::Bitmap;
    use polars_parquet::{
        parquet::encoding::hybrid_rle::HybridRleDecoder,
        write::{Version, write_rep_and_def},
    };
    use proptest::prelude::*;

    use super::*;

    /// Decodes the levels that a page of version 1 starts with.
    fn decoded(mut bytes: &[u8], bits: [u32; 2], count: usize) -> [Vec<u32>; 2] {
        bits.map(|bits| {
            let (length, rest) = bytes.split_first_chunk().unwrap();
            let (levels, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
            bytes = rest;
            HybridRleDecoder::new(levels, bits, count)
                .collect()
                .unwrap()
        })
    }

    proptest! {
        #[test]
        fn levels_computed_by_list_are_those_of_the_library(
            lengths in prop::collection::vec(
                prop_oneof![Just(None), (0_usize..20).prop_map(Some), (0_usize..900).prop_map(Some)],
                1..60,
            ),
            is_optional: bool,
            has_optional_elements: bool,
        ) {
            let lengths: Vec<_> =
                lengths.into_iter().map(|length| length.or((!is_optional).then_some(0))).collect();
            let ends = lengths.iter().scan(0, |end, length| {
                *end += length.unwrap_or(0) as i64;
                Some(*end)
            });
            let offsets: Vec<i64> = [0].into_iter().chain(ends).collect();
            let count = *offsets.last().unwrap() as usize;
            let offsets = OffsetsBuffer::try_from(offsets).unwrap();
            let validity = Bitmap::from_iter(lengths.iter().map(Option::is_some));
            let nested = [
                Nested::large_list(is_optional.then(|| validity.clone()), is_optional, offsets.clone()),
                Nested::primitive(None, has_optional_elements, count),
            ];
            let mut expected = Vec::new();
            write_rep_and_def(Version::V1, &nested, &mut expected).unwrap();

            let lists = Lists {
                offsets: &offsets,
                is_null: |row| !validity.get_bit(row),
                is_optional,
                has_optional_elements,
            };
            let Levels { repetition, definition } = lists.levels(0..lengths.len());
            let (levels, bits) = (repetition.count, [1, definition.bits]);
            let mut found = Vec::new();
            for levels in [repetition.finish(), definition.finish()] {
                found.extend((levels.len() as u32).to_le_bytes());
                found.extend(levels);
            }
            prop_assert_eq!(decoded(&found, bits, levels), decoded(&expected, bits, levels));
        }
    }
}
