//! Pages of lists of numbers: their levels are read run by run, and their values are copied.
//!
//! For any list, the Parquet library walks the levels value by value, which took most of the time
//! of reading one. Whatever is not as the encoder writes it is left to the library, so that it
//! alone decides what else a file may hold and what is an error.

use polars_arrow::{
    array::{Array, ListArray, PrimitiveArray},
    bitmap::{Bitmap, BitmapBuilder},
    datatypes::{ArrowDataType, Field},
    offset::OffsetsBuffer,
    types::NativeType,
};
use polars_parquet::{
    parquet::page::{DataPage, split_buffer},
    read::{BasicDecompressor, ColumnChunkMetadata, DataPageHeader, PhysicalType},
    write::Encoding,
};

use super::level_runs::{Run, Runs};

/// Definition levels of an optional list of optional numbers. The level between the last two is
/// that of a null in a list.
const NULL: u32 = 0;
const EMPTY: u32 = 1;
const PRESENT: u32 = 3;
const DEFINITION_BITS: u32 = 2;

/// Repetition levels.
const FIRST: u32 = 0;
const FOLLOWING: u32 = 1;
const REPETITION_BITS: u32 = 1;

/// The array of a column of lists of numbers in plain pages without null elements; `None` for any
/// other and if anything is wrong.
pub(super) fn list_array(
    pages: BasicDecompressor,
    chunk: &ColumnChunkMetadata,
    field: &Field,
) -> Option<Box<dyn Array>> {
    let ArrowDataType::LargeList(element) = &field.dtype else {
        return None;
    };
    let leaf = &chunk.descriptor().descriptor;
    let levels = [leaf.max_rep_level, leaf.max_def_level];
    if !field.is_nullable || !element.is_nullable || levels != [FOLLOWING as i16, PRESENT as i16] {
        return None;
    }
    // Both sizes were checked, but either alone may be far larger than the column.
    let bytes = usize::try_from(chunk.uncompressed_size()).ok()?;
    let levels = usize::try_from(chunk.num_values()).ok()?;
    let most = levels.min(bytes / 8);
    let (lists, values) = match (&element.dtype, leaf.primitive_type.physical_type) {
        (ArrowDataType::Float64, PhysicalType::Double) => {
            read(pages, levels, most, f64::from_le_bytes, &element.dtype)?
        }
        (ArrowDataType::Int64, PhysicalType::Int64) => {
            read(pages, levels, most, i64::from_le_bytes, &element.dtype)?
        }
        _ => return None,
    };
    let (offsets, validity) = lists.finish()?;
    let array = ListArray::try_new(field.dtype.clone(), offsets, values, validity);
    Some(array.ok()?.boxed())
}

/// Reads all pages, with exactly `levels` levels and `most` values or fewer. A run of levels takes a
/// few bytes and stands for any number of lists, so pages cannot have more than was checked.
fn read<T: NativeType>(
    mut pages: BasicDecompressor,
    mut levels: usize,
    most: usize,
    value: impl Fn([u8; 8]) -> T,
    dtype: &ArrowDataType,
) -> Option<(Lists, Box<dyn Array>)> {
    let mut lists = Lists::default();
    let mut values = Vec::with_capacity(most);
    while let Some(page) = pages.next() {
        let page = page.ok()?;
        if !is_plain(page.page().header()) {
            return None;
        }
        let page = page.decompress(&mut pages).ok()?;
        levels = levels.checked_sub(page.num_values())?;
        let bytes = lists.add(&page)?;
        values.extend(bytes.iter().map(|bytes| value(*bytes)));
        pages.reuse_page_buffer(page);
    }
    if levels > 0 {
        return None;
    }
    let values = PrimitiveArray::try_new(dtype.clone(), values.into(), None);
    Some((lists, values.ok()?.boxed()))
}

/// Whether a page has the version and the encoding that the encoder writes.
fn is_plain(header: &DataPageHeader) -> bool {
    matches!(header, DataPageHeader::V1(header) if header.encoding == Encoding::Plain.into())
}

/// The lists whose levels have been read.
#[derive(Default)]
struct Lists {
    starts: Vec<i64>,
    validity: BitmapBuilder,
    elements: usize,
    /// Whether another element can follow.
    is_open: bool,
}

impl Lists {
    /// Adds the lists of a page and returns the bytes of its values.
    fn add<'a>(&mut self, page: &'a DataPage) -> Option<&'a [[u8; 8]]> {
        let split = split_buffer(page).ok()?;
        let levels = page.num_values();
        let repetition = Runs::new(split.rep, REPETITION_BITS, levels);
        let definition = Runs::new(split.def, DEFINITION_BITS, levels);
        let before = self.elements;
        self.add_levels(repetition, definition, levels)?;
        let (values, rest) = split.values.as_chunks();
        (rest.is_empty() && values.len() == self.elements - before).then_some(values)
    }

    fn add_levels(
        &mut self,
        mut repetition: Runs<'_>,
        mut definition: Runs<'_>,
        mut levels: usize,
    ) -> Option<()> {
        let (mut repeated, mut defined) = (Run::default(), Run::default());
        while levels > 0 {
            if repeated.length == 0 {
                repeated = repetition.next()?;
            }
            if defined.length == 0 {
                defined = definition.next()?;
            }
            let length = repeated.length.min(defined.length);
            match (repeated.level, defined.level) {
                (FIRST, PRESENT) => {
                    let starts = self.elements..self.elements + length;
                    self.starts.extend(starts.map(|start| start as i64));
                    self.validity.extend_constant(length, true);
                    self.elements += length;
                    self.is_open = true;
                }
                (FOLLOWING, PRESENT) if self.is_open => self.elements += length,
                (FIRST, NULL | EMPTY) => {
                    let start = self.elements as i64;
                    self.starts.extend(std::iter::repeat_n(start, length));
                    self.validity
                        .extend_constant(length, defined.level == EMPTY);
                    self.is_open = false;
                }
                _ => return None,
            }
            repeated.length -= length;
            defined.length -= length;
            levels -= length;
        }
        Some(())
    }

    /// Where each list starts and ends, and which are not null if some are.
    fn finish(mut self) -> Option<(OffsetsBuffer<i64>, Option<Bitmap>)> {
        self.starts.push(self.elements as i64);
        let offsets = OffsetsBuffer::try_from(self.starts).ok()?;
        Some((offsets, self.validity.into_opt_validity()))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Cursor,
        panic::{AssertUnwindSafe, catch_unwind},
    };

    use bson::rawdoc;
    use polars_parquet::{
        parquet::{
            CowBuffer, encoding::hybrid_rle::encode, metadata::Descriptor, page::DataPageHeaderV1,
            schema::types::PrimitiveType,
        },
        read::{PageReader, column_iter_to_arrays},
        write::{CompressedPage, Page, compress},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ColumnsProposal, Compression, Encoder, ParquetWriter, Reader,
        reader::checks,
        schema::{View, arrow_type},
    };

    /// A list of numbers, as their bits; null, or with null elements.
    type List = Option<Vec<Option<u64>>>;

    fn list() -> impl Strategy<Value = List> {
        let length = prop_oneof![4 => 0_usize..3, 4 => 0..20_usize, 1 => 0..900_usize];
        let list = (length, any::<u64>()).prop_map(|(length, first)| {
            let bits = |number| first.wrapping_mul(2 * number + 1);
            Some(
                (0..length as u64)
                    .map(|number| Some(bits(number)))
                    .collect(),
            )
        });
        prop_oneof![1 => Just(None), 5 => list]
    }

    /// The repetition and definition levels of a list, and its values.
    fn levels(list: &List) -> Vec<(u32, u32, Option<u64>)> {
        let one = |level| vec![(FIRST, level, None)];
        match list {
            None => one(NULL),
            Some(elements) if elements.is_empty() => one(EMPTY),
            Some(elements) => {
                let repetition = [FIRST].into_iter().chain(std::iter::repeat(FOLLOWING));
                let definition = |bits: &Option<u64>| PRESENT - u32::from(bits.is_none());
                let elements = elements.iter().zip(repetition);
                elements
                    .map(|(bits, repetition)| (repetition, definition(bits), *bits))
                    .collect()
            }
        }
    }

    fn page(levels: &[(u32, u32, Option<u64>)], compression: Compression) -> CompressedPage {
        let mut buffer = Vec::new();
        let repetition = levels.iter().map(|level| level.0).collect::<Vec<_>>();
        let definition = levels.iter().map(|level| level.1).collect::<Vec<_>>();
        for (levels, bits) in [(repetition, REPETITION_BITS), (definition, DEFINITION_BITS)] {
            let mut bytes = Vec::new();
            encode(&mut bytes, levels.into_iter(), bits).unwrap();
            buffer.extend((bytes.len() as u32).to_le_bytes());
            buffer.extend(bytes);
        }
        buffer.extend(
            levels
                .iter()
                .filter_map(|level| level.2)
                .flat_map(u64::to_le_bytes),
        );
        let header = DataPageHeader::V1(DataPageHeaderV1 {
            num_values: levels.len() as i32,
            encoding: Encoding::Plain.into(),
            definition_level_encoding: Encoding::Rle.into(),
            repetition_level_encoding: Encoding::Rle.into(),
            statistics: None,
        });
        let descriptor = Descriptor {
            primitive_type: PrimitiveType::from_physical("element".into(), PhysicalType::Double),
            max_def_level: 0,
            max_rep_level: 0,
        };
        let rows = levels.iter().filter(|level| level.0 == FIRST).count();
        let page = DataPage::new(header, CowBuffer::Owned(buffer), descriptor, rows);
        compress(Page::Data(page), Vec::new(), compression.options()).unwrap()
    }

    /// A file with a column of these lists, in pages of `page_levels` levels.
    fn file(lists: &[List], page_levels: usize, compression: Compression) -> Vec<u8> {
        let mut proposal = ColumnsProposal::new();
        let document = rawdoc! { "l": [0.5, 1.5] };
        proposal.observe(document.as_bytes()).unwrap();
        let columns = proposal.finish();
        let mut encoder = Encoder::new(&columns);
        for _ in lists {
            encoder.push(rawdoc! {}.as_bytes()).unwrap();
        }
        let mut row_group = encoder.take_row_group().encode(compression).unwrap();
        let levels: Vec<_> = lists.iter().flat_map(levels).collect();
        let pages = levels.chunks(page_levels);
        row_group.leaves[0] = pages.map(|levels| page(levels, compression)).collect();
        let mut writer = ParquetWriter::new(Vec::new(), &columns).unwrap();
        writer.write(row_group).unwrap();
        writer.finish(encoder.finish()).unwrap()
    }

    /// The bytes of the column of lists.
    fn chunk_of<'a>(
        reader: &'a Reader<Cursor<Vec<u8>>>,
        file: &[u8],
    ) -> (&'a ColumnChunkMetadata, Vec<u8>, Field) {
        let chunk = &reader.metadata.row_groups[0].parquet_columns()[0];
        let range = checks::chunk_range(chunk).unwrap();
        let column = reader.columns.root().in_file().next().unwrap();
        let dtype = arrow_type(&column.column_type, View::Decoder);
        let bytes = file[range.start as usize..range.end as usize].to_vec();
        (chunk, bytes, Field::new("l".into(), dtype, true))
    }

    fn pages(chunk: &ColumnChunkMetadata, bytes: &[u8]) -> BasicDecompressor {
        let bytes = Cursor::new(bytes.to_vec().into());
        let reader = PageReader::new(bytes, chunk, Vec::new(), checks::MAX_CHUNK_BYTES);
        BasicDecompressor::new(reader, Vec::new())
    }

    fn lists(array: &dyn Array) -> Vec<List> {
        let array = array.as_any().downcast_ref::<ListArray<i64>>().unwrap();
        let list = |list: Box<dyn Array>| {
            let numbers: PrimitiveArray<f64> = crate::values::typed(list.as_ref()).unwrap();
            let bits = numbers.iter().map(|number| number.map(|n| n.to_bits()));
            bits.collect()
        };
        array.iter().map(|found| found.map(list)).collect()
    }

    /// What the library reads.
    fn general(chunk: &ColumnChunkMetadata, bytes: &[u8], field: Field) -> Option<Vec<List>> {
        let leaf = &chunk.descriptor().descriptor.primitive_type;
        let read = || column_iter_to_arrays(vec![pages(chunk, bytes)], vec![leaf], field, None);
        let (arrays, _) = catch_unwind(AssertUnwindSafe(read)).ok()?.ok()?;
        Some(lists(arrays[0].as_ref()))
    }

    proptest! {
        #[test]
        fn lists_are_read_wherever_their_pages_end(
            written in prop::collection::vec(list(), 1..40),
            page_levels in prop_oneof![1..40_usize, 1..4000_usize],
            compression in prop::sample::select(vec![Compression::None, Compression::Lz4]),
        ) {
            let file = file(&written, page_levels, compression);
            let reader = Reader::open(Cursor::new(file.clone())).unwrap();
            let (chunk, bytes, field) = chunk_of(&reader, &file);
            let found = list_array(pages(chunk, &bytes), chunk, &field);
            prop_assert_eq!(lists(found.unwrap().as_ref()), written.clone());
            prop_assert_eq!(general(chunk, &bytes, field), Some(written));
        }

        #[test]
        fn null_elements_are_left_to_the_library(
            mut written in prop::collection::vec(list(), 1..20),
            at in any::<prop::sample::Index>(),
        ) {
            let at = at.index(written.len());
            written[at].get_or_insert_default().push(None);
            let file = file(&written, 50, Compression::None);
            let reader = Reader::open(Cursor::new(file.clone())).unwrap();
            let (chunk, bytes, field) = chunk_of(&reader, &file);
            prop_assert!(list_array(pages(chunk, &bytes), chunk, &field).is_none());
            prop_assert_eq!(general(chunk, &bytes, field), Some(written));
        }

        #[test]
        fn a_damaged_page_reads_as_the_library_reads_it(
            written in prop::collection::vec(list(), 1..8),
            page_levels in 1..100_usize,
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let file = file(&written, page_levels, Compression::None);
            let reader = Reader::open(Cursor::new(file.clone())).unwrap();
            let (chunk, mut bytes, field) = chunk_of(&reader, &file);
            for (at, byte) in damages {
                // The levels are near the start.
                let at = at.index(bytes.len().min(100));
                bytes[at] = byte;
            }
            if checks::pages(&bytes, chunk).is_err() {
                return Ok(());
            }
            let general = general(chunk, &bytes, field.clone());
            match catch_unwind(|| list_array(pages(chunk, &bytes), chunk, &field)) {
                Ok(Some(found)) => prop_assert_eq!(Some(lists(found.as_ref())), general),
                Ok(None) => {}
                Err(_) => prop_assert_eq!(None, general),
            }
        }
    }
}
