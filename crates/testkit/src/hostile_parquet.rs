//! A writer of hostile Parquet: an honest file taken apart, changed, and put together again with
//! pages and a footer that claim whatever a test says.
//!
//! What is not changed stays valid, so that a reader gets as far as the lie.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TCompactOutputProtocol};
use polars_parquet_format::{
    ColumnChunk, ColumnMetaData, CompressionCodec, DataPageHeader, DictionaryPageHeader, Encoding,
    FileMetaData, PageHeader, PageType,
};

/// Before the data and after the footer.
const MAGIC: &[u8; 4] = b"PAR1";
/// Bytes after the footer: its length, and the magic number.
const TAIL: usize = 8;

/// A file in pieces.
#[derive(Clone)]
pub struct HostileParquet {
    /// What the footer says. Offsets and compressed sizes are set when the file is put together.
    pub footer: FileMetaData,
    /// The column chunks of each row group.
    pub chunks: Vec<Vec<Chunk>>,
}

/// The pages of a column chunk, with their headers.
#[derive(Clone)]
pub struct Chunk {
    /// The page of the dictionary, if there is one.
    pub dictionary: Option<Vec<u8>>,
    /// All data pages.
    pub data: Vec<u8>,
}

impl HostileParquet {
    /// Takes an honest file apart.
    ///
    /// # Panics
    /// If it is not Parquet.
    pub fn of(file: &[u8]) -> Self {
        let (data, tail) = file.split_at(file.len() - TAIL);
        let footer_len = u32::from_le_bytes(tail[..4].try_into().unwrap()) as usize;
        let footer = &data[data.len() - footer_len..];
        let mut thrift = TCompactInputProtocol::new(footer, usize::MAX);
        let footer = FileMetaData::read_from_in_protocol(&mut thrift).unwrap();
        let groups = footer.row_groups.iter();
        let chunks = groups
            .map(|group| group.columns.iter().map(|chunk| Chunk::of(chunk, file)))
            .map(Iterator::collect)
            .collect();
        Self { footer, chunks }
    }

    /// What the footer says about a column chunk.
    ///
    /// # Panics
    /// If it says nothing.
    pub fn column(&mut self, group: usize, leaf: usize) -> &mut ColumnMetaData {
        let chunk = &mut self.footer.row_groups[group].columns[leaf];
        chunk.meta_data.as_mut().unwrap()
    }

    /// Replaces a column chunk by these pages; the footer says the same of them.
    pub fn set(&mut self, group: usize, leaf: usize, dictionary: Option<Page>, data: &[Page]) {
        let pages = dictionary.iter().chain(data);
        let uncompressed: usize = pages.map(Page::uncompressed).sum();
        let values: i32 = data.iter().map(|page| page.values).sum();
        let codec = data[0].codec;
        let column = self.column(group, leaf);
        column.codec = codec;
        column.num_values = values.into();
        column.total_uncompressed_size = uncompressed as i64;
        self.chunks[group][leaf] = Chunk {
            dictionary: dictionary.map(|page| page.bytes()),
            data: data.iter().flat_map(Page::bytes).collect(),
        };
    }

    /// Makes the file's only row group one of `rows` rows that are all like its first: each column
    /// is a page of a few bytes.
    ///
    /// # Panics
    /// If one of the columns that has a value is not a number.
    pub fn repeat(&mut self, rows: u32) {
        let leaves = self.chunks[0].len();
        for leaf in 0..leaves {
            // Our own columns come last, and are null.
            let (dictionary, level) = match leaf {
                leaf if leaf < leaves - 2 => {
                    let number = 1.5_f64.to_le_bytes();
                    (Some(Page::dictionary(number.to_vec(), 1)), 1)
                }
                _ => (None, 0),
            };
            let mut body = levels(&run(rows, level));
            if dictionary.is_some() {
                body.push(1);
                body.extend(run(rows, 0));
            }
            let encoding = match dictionary {
                Some(_) => Encoding::RLE_DICTIONARY,
                None => Encoding::PLAIN,
            };
            let page = Page::data(body, rows as i32, encoding);
            self.set(0, leaf, dictionary, &[page]);
        }
        self.footer.row_groups[0].num_rows = rows.into();
        self.footer.num_rows = rows.into();
    }

    /// Puts the file together.
    pub fn bytes(&self) -> Vec<u8> {
        self.lying(|_| ())
    }

    /// Puts the file together, with a footer that is changed after everything in it is right.
    ///
    /// # Panics
    /// If the footer cannot be written.
    pub fn lying(&self, lie: impl FnOnce(&mut FileMetaData)) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        let mut footer = self.footer.clone();
        for (group, chunks) in footer.row_groups.iter_mut().zip(&self.chunks) {
            for (column, chunk) in group.columns.iter_mut().zip(chunks) {
                chunk.write(column.meta_data.as_mut().unwrap(), &mut file);
            }
        }
        lie(&mut footer);
        let mut thrift = Vec::new();
        let mut protocol = TCompactOutputProtocol::new(&mut thrift);
        footer.write_to_out_protocol(&mut protocol).unwrap();
        let footer_len = u32::try_from(thrift.len()).unwrap();
        file.extend(thrift);
        file.extend(footer_len.to_le_bytes());
        file.extend(MAGIC);
        file
    }
}

impl Chunk {
    fn of(chunk: &ColumnChunk, file: &[u8]) -> Self {
        let column = chunk.meta_data.as_ref().unwrap();
        let data = column.data_page_offset as usize;
        let start = column
            .dictionary_page_offset
            .map_or(data, |offset| offset as usize);
        let end = start + column.total_compressed_size as usize;
        Self {
            dictionary: (start < data).then(|| file[start..data].to_vec()),
            data: file[data..end].to_vec(),
        }
    }

    /// Appends the pages, and says so.
    fn write(&self, column: &mut ColumnMetaData, file: &mut Vec<u8>) {
        let start = file.len();
        let dictionary = self.dictionary.as_deref();
        column.dictionary_page_offset = dictionary.map(|_| start as i64);
        file.extend_from_slice(dictionary.unwrap_or_default());
        column.data_page_offset = file.len() as i64;
        file.extend_from_slice(&self.data);
        column.total_compressed_size = (file.len() - start) as i64;
    }
}

/// A page, and what its header claims.
#[derive(Clone)]
pub struct Page {
    /// Whether it holds a dictionary.
    pub is_dictionary: bool,
    /// Its number of values.
    pub values: i32,
    /// How they are encoded.
    pub encoding: Encoding,
    /// Its size in the file, if not its true one.
    pub claims_compressed: Option<i32>,
    /// The size of what is compressed.
    pub claims_uncompressed: i32,
    /// What is in the file.
    pub body: Vec<u8>,
    /// How it is compressed, according to the footer.
    pub codec: CompressionCodec,
}

impl Page {
    /// A page of a dictionary, not compressed.
    pub fn dictionary(body: Vec<u8>, values: i32) -> Self {
        Self {
            is_dictionary: true,
            ..Self::data(body, values, Encoding::PLAIN)
        }
    }

    /// A page of data, not compressed.
    pub fn data(body: Vec<u8>, values: i32, encoding: Encoding) -> Self {
        Self {
            is_dictionary: false,
            values,
            encoding,
            claims_compressed: None,
            claims_uncompressed: body.len() as i32,
            body,
            codec: CompressionCodec::UNCOMPRESSED,
        }
    }

    /// The same page, compressed with Zstandard.
    ///
    /// # Panics
    /// If it cannot be compressed.
    #[must_use]
    pub fn zstd(self) -> Self {
        Self {
            body: zstd::encode_all(&*self.body, 1).unwrap(),
            codec: CompressionCodec::ZSTD,
            ..self
        }
    }

    fn header(&self) -> Vec<u8> {
        let compressed = self.claims_compressed.unwrap_or(self.body.len() as i32);
        let page_type = match self.is_dictionary {
            true => PageType::DICTIONARY_PAGE,
            false => PageType::DATA_PAGE,
        };
        let data = (!self.is_dictionary).then_some(DataPageHeader {
            num_values: self.values,
            encoding: self.encoding,
            definition_level_encoding: Encoding::RLE,
            repetition_level_encoding: Encoding::RLE,
            statistics: None,
        });
        let dictionary = self.is_dictionary.then_some(DictionaryPageHeader {
            num_values: self.values,
            encoding: self.encoding,
            is_sorted: None,
        });
        let header = PageHeader {
            type_: page_type,
            uncompressed_page_size: self.claims_uncompressed,
            compressed_page_size: compressed,
            crc: None,
            data_page_header: data,
            index_page_header: None,
            dictionary_page_header: dictionary,
            data_page_header_v2: None,
        };
        let mut thrift = Vec::new();
        let mut protocol = TCompactOutputProtocol::new(&mut thrift);
        header.write_to_out_protocol(&mut protocol).unwrap();
        thrift
    }

    fn bytes(&self) -> Vec<u8> {
        [self.header(), self.body.clone()].concat()
    }

    fn uncompressed(&self) -> usize {
        self.header().len() + usize::try_from(self.claims_uncompressed).unwrap_or(0)
    }
}

/// A run of `length` equal levels or indices below 256.
pub fn run(length: u32, value: u8) -> Vec<u8> {
    let (mut header, mut bytes) = (u64::from(length) << 1, Vec::new());
    while header >= 0x80 {
        bytes.push(header as u8 | 0x80);
        header >>= 7;
    }
    bytes.extend([header as u8, value]);
    bytes
}

/// The levels of a page, before its values.
///
/// # Panics
/// If they have 4 GiB.
pub fn levels(runs: &[u8]) -> Vec<u8> {
    let len = u32::try_from(runs.len()).unwrap();
    [&len.to_le_bytes()[..], runs].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parquet_files::{FeedSize, ParquetFeed};

    #[test]
    fn an_honest_file_that_is_not_changed_stays_as_it_was() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let size = FeedSize::Rows(1000);
        let feed = ParquetFeed {
            seed: 1,
            size,
            levels: 1,
        };
        feed.write(path.path()).unwrap();
        let honest = std::fs::read(path.path()).unwrap();
        let whole = HostileParquet::of(&honest);
        assert_eq!(HostileParquet::of(&whole.bytes()).bytes(), whole.bytes());
    }
}
