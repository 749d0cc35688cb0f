//! Checks a file before the Parquet library decodes it.
//!
//! The library allocates whatever sizes a file claims, so a small file could ask for any amount of
//! memory. The checks compare the claims with the file's own size and with the most that the
//! encoder writes.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

use crc_fast::crc32_iso_hdlc;
use polars_arrow::array::View;
use polars_parquet::read::{ColumnChunkMetadata, FileMetadata, PhysicalType};

use crate::{
    error::ReadError,
    limits::{MAX_ELEMENTS, MAX_NESTING},
    limits::{MAX_FOOTER_BYTES, MAX_ROW_GROUP_BYTES},
    thrift::{is_sound_footer, page_header},
};

const MAGIC: &[u8] = b"PAR1";

/// Each level of lists produces two levels of groups.
const MAX_SCHEMA_DEPTH: usize = 2 * MAX_NESTING + 2;

/// Those of the columns, the MAP of other fields, the root and our own columns.
const MAX_SCHEMA_ELEMENTS: usize = MAX_ELEMENTS + 8;

/// Decimals as text take almost three times as many bytes as in BSON.
const MAX_UNCOMPRESSED_BYTES: u64 = 3 * 2 * MAX_ROW_GROUP_BYTES as u64;

/// Maximum number of values in a row group, across all columns and including nulls. The smallest
/// value is four bytes of BSON, in an array, and a null counts as many bytes as a number.
const MAX_VALUES: usize = 2 * MAX_ROW_GROUP_BYTES / 4 + 2 * MAX_ROW_GROUP_BYTES / size_of::<u64>();

/// Maximum bytes of a column chunk, and so of a page.
pub(super) const MAX_CHUNK_BYTES: usize = MAX_UNCOMPRESSED_BYTES as usize;

/// How many times its bytes in the file a row group may always take in memory. Compression and
/// dictionaries save less, unless nearly all values are the same.
const MAX_GROWTH: u64 = 32;

/// Reads the footer; also returns where the data before it ends.
pub(super) fn footer<R: Read + Seek>(source: &mut R) -> Result<(Vec<u8>, u64), ReadError> {
    let len = source.seek(SeekFrom::End(0))?;
    let ends_at = |tail: u64| {
        len.checked_sub(tail)
            .ok_or(ReadError::Unsound("it is too short"))
    };
    if ends_at(12).is_err() || read_range(source, 0, 4)? != MAGIC {
        return Err(ReadError::Unsound("it does not begin with PAR1"));
    }
    let tail = read_range(source, ends_at(8)?, 8)?;
    let Some((footer_len, MAGIC)) = tail.split_first_chunk::<4>() else {
        return Err(ReadError::Unsound("it does not end with PAR1"));
    };
    let footer_len = u64::from(u32::from_le_bytes(*footer_len));
    let data_end = ends_at(8 + footer_len)?;
    if footer_len > MAX_FOOTER_BYTES as u64 || data_end < 4 {
        return Err(ReadError::Unsound(
            "the footer is larger than the file or than lob-export writes",
        ));
    }
    let footer = read_range(source, data_end, footer_len)?;
    if !is_sound_footer(&footer, MAX_SCHEMA_DEPTH, MAX_SCHEMA_ELEMENTS) {
        return Err(ReadError::Unsound(
            "the footer or its schema cannot be read or is too large",
        ));
    }
    Ok((footer, data_end))
}

/// Checks what the footer claims about row groups and column chunks.
pub(super) fn row_groups(metadata: &FileMetadata, data_end: u64) -> Result<(), ReadError> {
    // Starts after the magic number. Chunks must come in order and share no bytes, so that a small
    // file cannot hold many row groups.
    let mut free = MAGIC.len() as u64;
    let mut rows = 0_usize;
    for row_group in &metadata.row_groups {
        let (mut bytes, mut values) = (0_u64, 0_usize);
        for chunk in row_group.parquet_columns() {
            let range = chunk_range(chunk)?;
            if range.start < free || range.end > data_end {
                return Err(ReadError::Unsound(
                    "a column chunk is outside the file or overlaps another",
                ));
            }
            free = range.end;
            let uncompressed = u64::try_from(chunk.uncompressed_size()).ok();
            let count = usize::try_from(chunk.num_values()).ok();
            bytes = uncompressed
                .and_then(|more| bytes.checked_add(more))
                .unwrap_or(u64::MAX);
            values = count
                .and_then(|more| values.checked_add(more))
                .unwrap_or(usize::MAX);
        }
        if bytes > MAX_UNCOMPRESSED_BYTES || values > MAX_VALUES {
            return Err(ReadError::Unsound(
                "a row group is larger than lob-export writes",
            ));
        }
        if row_group.num_rows() > values {
            return Err(ReadError::Unsound(
                "a row group has the wrong number of rows",
            ));
        }
        rows = rows.saturating_add(row_group.num_rows());
    }
    if rows == metadata.num_rows {
        Ok(())
    } else {
        Err(ReadError::Unsound(
            "the rows of the row groups do not add up to those of the file",
        ))
    }
}

/// Checks that no row group takes more than `most` bytes of memory as arrays, or as much as its
/// size in the file accounts for: a few bytes can stand for millions of equal values.
pub(super) fn memory(metadata: &FileMetadata, most: u64) -> Result<(), ReadError> {
    let mut largest = 0;
    for row_group in &metadata.row_groups {
        let (mut need, mut in_file) = (0_u64, 0_u64);
        for chunk in row_group.parquet_columns() {
            let range = chunk_range(chunk)?;
            in_file += range.end - range.start;
            need = need.saturating_add(memory_of(chunk));
        }
        if need > most.max(MAX_GROWTH.saturating_mul(in_file)) {
            largest = need.max(largest);
        }
    }
    match largest {
        0 => Ok(()),
        need => Err(ReadError::TooLarge { need, most }),
    }
}

/// The most memory that a column chunk takes as an array: its values, the offset of a list for each
/// of its levels, and a bit for what is null. Texts are views of the pages.
fn memory_of(chunk: &ColumnChunkMetadata) -> u64 {
    let leaf = &chunk.descriptor().descriptor;
    let value = match leaf.primitive_type.physical_type {
        PhysicalType::ByteArray | PhysicalType::FixedLenByteArray(_) => size_of::<View>(),
        _ => size_of::<u64>(),
    };
    let lists = usize::try_from(leaf.max_rep_level).unwrap_or_default();
    let value = (value + lists * size_of::<i64>() + 1) as u64;
    let [values, pages] = [chunk.num_values(), chunk.uncompressed_size()]
        .map(|claimed| u64::try_from(claimed).unwrap_or(u64::MAX));
    values.saturating_mul(value).saturating_add(pages)
}

/// The position of a column chunk in the file.
pub(super) fn chunk_range(chunk: &ColumnChunkMetadata) -> Result<Range<u64>, ReadError> {
    let start = chunk
        .dictionary_page_offset()
        .unwrap_or(chunk.data_page_offset());
    let start = u64::try_from(start).ok();
    let range = start.zip(u64::try_from(chunk.compressed_size()).ok());
    range
        .and_then(|(start, len)| Some(start..start.checked_add(len)?))
        .ok_or(ReadError::Unsound(
            "a column chunk has no offset in the file",
        ))
}

/// Checks that the pages of a chunk fill it, claim no more than the footer does, and match their
/// CRC if the writer added one, as Spark does.
pub(super) fn pages(bytes: &[u8], chunk: &ColumnChunkMetadata) -> Result<(), ReadError> {
    let (mut rest, mut values, mut uncompressed) = (bytes, 0_usize, 0_usize);
    while !rest.is_empty() {
        let header = page_header(rest).ok_or(ReadError::Unsound("a page has no valid header"))?;
        let page_bytes = header.header_bytes.saturating_add(header.compressed_bytes);
        let (page, after) = rest
            .split_at_checked(page_bytes)
            .ok_or(ReadError::Unsound("a page ends outside its chunk"))?;
        rest = after;
        let body = &page[header.header_bytes..];
        if header.crc.is_some_and(|crc| crc != crc32_iso_hdlc(body)) {
            return Err(ReadError::Unsound("a page's CRC does not match"));
        }
        uncompressed = uncompressed
            .saturating_add(header.header_bytes)
            .saturating_add(header.uncompressed_bytes);
        if !header.is_dictionary {
            values = values.saturating_add(header.values);
        } else if header.values > header.uncompressed_bytes {
            return Err(ReadError::Unsound(
                "a dictionary has more values than bytes",
            ));
        }
    }
    let claimed = (
        usize::try_from(chunk.num_values()),
        usize::try_from(chunk.uncompressed_size()),
    );
    if claimed == (Ok(values), Ok(uncompressed)) {
        Ok(())
    } else {
        Err(ReadError::Unsound(
            "the pages of a column do not match the footer",
        ))
    }
}

/// Reads `len` bytes, with room for them at once: whoever asks knows that the file has them.
pub(super) fn read_range<R: Read + Seek>(
    source: &mut R,
    start: u64,
    len: u64,
) -> Result<Vec<u8>, ReadError> {
    source.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    let room = bytes.try_reserve_exact(usize::try_from(len).unwrap_or(usize::MAX));
    room.map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
    source.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == len {
        Ok(bytes)
    } else {
        Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }
}
