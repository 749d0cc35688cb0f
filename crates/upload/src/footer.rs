//! Reads the row count and the column names from the footer of a Parquet file.
//!
//! An encrypted footer gives neither. The file may be damaged or not Parquet at all. Only the front
//! of the footer is decoded, field by field, so a large footer costs no memory and a deeply nested
//! one no stack; column types newer than this tool do not matter.

use std::collections::HashSet;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use polars_parquet_format::thrift::Error as ThriftError;
use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TInputProtocol, TType};

/// The magic bytes at both ends.
const MAGIC: [u8; 4] = *b"PAR1";
/// The magic bytes if the footer is encrypted.
const ENCRYPTED_MAGIC: [u8; 4] = *b"PARE";
/// Magic, footer length and magic: no Parquet file is smaller.
const SMALLEST: u64 = 12;
/// Footer length and magic.
const TAIL: u64 = 8;
/// `FileMetaData.schema` and `FileMetaData.num_rows` in parquet.thrift.
const SCHEMA: i16 = 2;
const NUM_ROWS: i16 = 3;
/// `SchemaElement.name` and `SchemaElement.num_children`.
const NAME: i16 = 4;
const NUM_CHILDREN: i16 = 5;
/// The Thrift reader charges each list entry 8 bytes and each string its size; a schema entry takes
/// at least 4 bytes.
const CHARGE_PER_BYTE: usize = 4;

/// What the footer says about the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footer {
    /// Rows in all row groups; `None` if the footer is encrypted.
    pub(crate) rows: Option<u64>,
    /// Names of the top-level columns in schema order; empty if the footer is encrypted.
    pub(crate) columns: Arc<[String]>,
}

/// The schemas seen so far: files with the same schema share its names, even a hundred thousand of
/// them.
#[derive(Debug, Default)]
pub(crate) struct Schemas(HashSet<Arc<[String]>>);

impl Schemas {
    /// Returns the same footer with shared names.
    pub(crate) fn share(&mut self, footer: Footer) -> Footer {
        let known = self.0.get(&footer.columns).cloned();
        let columns = known.unwrap_or_else(|| {
            self.0.insert(Arc::clone(&footer.columns));
            footer.columns
        });
        Footer { columns, ..footer }
    }
}

/// Why a file is not accepted as Parquet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FooterError {
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    #[error("it has {0} bytes, fewer than any Parquet file")]
    TooShort(u64),
    #[error("it does not begin with `PAR1`")]
    Head,
    #[error("it does not end with `PAR1`; it is cut off or not Parquet")]
    Tail,
    #[error("its footer has {0} bytes, more than the file")]
    Length(u64),
    #[error("its footer cannot be decoded")]
    Thrift(#[source] ThriftError),
    #[error("its footer has no schema")]
    Schema,
    #[error("its footer has no row count")]
    Rows,
}

impl FooterError {
    /// Whether the problem is the file, not the machine.
    pub(crate) fn is_of_the_file(&self) -> bool {
        match self {
            Self::Io(error) => error.kind() == io::ErrorKind::UnexpectedEof,
            _ => true,
        }
    }
}

/// Remembers the I/O error: the Thrift reader reports an unreadable disk just like invalid bytes.
struct Watched<R> {
    inner: R,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failure = Some(error);
            }
            kind.into()
        })
    }
}

impl Footer {
    /// Reads both ends of the file, but no data.
    pub(crate) fn read(file: impl Read + Seek) -> Result<Self, FooterError> {
        let mut file = BufReader::new(file);
        let size = file.seek(SeekFrom::End(0))?;
        if size < SMALLEST {
            return Err(FooterError::TooShort(size));
        }
        let (mut head, mut length, mut tail) = ([0; 4], [0; 4], [0; 4]);
        file.rewind()?;
        file.read_exact(&mut head)?;
        file.seek(SeekFrom::Start(size - TAIL))?;
        file.read_exact(&mut length)?;
        file.read_exact(&mut tail)?;
        if head != MAGIC && head != ENCRYPTED_MAGIC {
            return Err(FooterError::Head);
        }
        if tail != head {
            return Err(FooterError::Tail);
        }
        let length = u64::from(u32::from_le_bytes(length));
        if length > size - SMALLEST {
            return Err(FooterError::Length(length));
        }
        if head == ENCRYPTED_MAGIC {
            return Ok(Self {
                rows: None,
                columns: Vec::new().into(),
            });
        }
        file.seek(SeekFrom::Start(size - TAIL - length))?;
        let mut footer = Watched {
            inner: file.take(length),
            failure: None,
        };
        let decoded = Self::decode(&mut footer, length);
        match footer.failure {
            Some(error) => Err(FooterError::Io(error)),
            None => decoded,
        }
    }

    fn decode(footer: impl Read, length: u64) -> Result<Self, FooterError> {
        let limit = usize::try_from(length).unwrap_or(usize::MAX);
        let mut thrift = TCompactInputProtocol::new(footer, limit.saturating_mul(CHARGE_PER_BYTE));
        let (mut columns, mut rows) = (None, None);
        thrift.read_struct_begin()?;
        while columns.is_none() || rows.is_none() {
            let field = thrift.read_field_begin()?;
            match (field.id, field.field_type) {
                (_, TType::Stop) => break,
                (Some(SCHEMA), TType::List) => columns = Some(top_level_names(&mut thrift)?),
                (Some(NUM_ROWS), TType::I64) => rows = Some(thrift.read_i64()?),
                (_, other) => thrift.skip(other)?,
            }
        }
        Ok(Self {
            columns: columns.ok_or(FooterError::Schema)?.into(),
            rows: Some(
                rows.and_then(|rows| u64::try_from(rows).ok())
                    .ok_or(FooterError::Rows)?,
            ),
        })
    }
}

/// Reads the schema, a tree written as a list in depth-first order, starting with its root.
fn top_level_names(thrift: &mut impl TInputProtocol) -> Result<Vec<String>, FooterError> {
    let list = thrift.read_list_begin()?;
    let mut names = Vec::new();
    // Children still to come on each level.
    let mut open: Vec<u32> = Vec::new();
    for position in 0..list.size {
        let (name, children) = schema_element(thrift)?;
        match open.last_mut() {
            Some(left) => *left -= 1,
            None if position == 0 => {}
            None => return Err(FooterError::Schema),
        }
        if open.len() == 1 {
            names.push(name);
        }
        open.push(children);
        while open.pop_if(|left| *left == 0).is_some() {}
    }
    if list.size > 0 && open.is_empty() {
        Ok(names)
    } else {
        Err(FooterError::Schema)
    }
}

/// The name of a schema element and its number of children.
fn schema_element(thrift: &mut impl TInputProtocol) -> Result<(String, u32), FooterError> {
    let (mut name, mut children) = (None, 0);
    thrift.read_struct_begin()?;
    loop {
        let field = thrift.read_field_begin()?;
        match (field.id, field.field_type) {
            (_, TType::Stop) => break,
            (Some(NAME), TType::String) => name = Some(thrift.read_string()?),
            (Some(NUM_CHILDREN), TType::I32) => children = thrift.read_i32()?,
            (_, other) => thrift.skip(other)?,
        }
    }
    thrift.read_struct_end()?;
    let children = u32::try_from(children).map_err(|_| FooterError::Schema)?;
    Ok((name.ok_or(FooterError::Schema)?, children))
}

impl From<ThriftError> for FooterError {
    fn from(error: ThriftError) -> Self {
        Self::Thrift(error)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
    use polars_parquet_format::SchemaElement;
    use polars_parquet_format::thrift::protocol::{
        TCompactOutputProtocol, TFieldIdentifier, TListIdentifier, TOutputProtocol as _,
    };
    use proptest::prelude::*;

    use super::*;

    fn feed() -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let feed = ParquetFeed {
            seed: 1,
            size: FeedSize::Rows(100),
            levels: 1,
        };
        feed.write(file.path()).unwrap();
        std::fs::read(file.path()).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Footer, FooterError> {
        Footer::read(Cursor::new(bytes))
    }

    /// A file whose footer holds this schema, given as names and numbers of children.
    fn with_schema(elements: &[(&str, i32)]) -> Vec<u8> {
        let mut footer = Vec::new();
        let mut thrift = TCompactOutputProtocol::new(&mut footer);
        let list = TListIdentifier::new(TType::Struct, elements.len() as u32);
        thrift
            .write_field_begin(&TFieldIdentifier::new("schema", TType::List, SCHEMA))
            .unwrap();
        thrift.write_list_begin(&list).unwrap();
        for (name, children) in elements {
            let element = SchemaElement {
                type_: None,
                type_length: None,
                repetition_type: None,
                name: (*name).to_owned(),
                num_children: Some(*children),
                converted_type: None,
                scale: None,
                precision: None,
                field_id: None,
                logical_type: None,
            };
            element.write_to_out_protocol(&mut thrift).unwrap();
        }
        thrift
            .write_field_begin(&TFieldIdentifier::new("rows", TType::I64, NUM_ROWS))
            .unwrap();
        thrift.write_i64(7).unwrap();
        thrift.write_field_stop().unwrap();
        let length = (footer.len() as u32).to_le_bytes();
        [&MAGIC, footer.as_slice(), &length, &MAGIC].concat()
    }

    #[test]
    fn rows_and_top_level_columns_are_read() {
        let footer = read(&feed()).unwrap();
        assert_eq!(footer.rows, Some(100));
        assert_eq!(footer.columns[..3], ["timestamp", "sequence", "symbol"]);
        assert_eq!(footer.columns.len(), 10);
        let nested = with_schema(&[("root", 2), ("a", 1), ("b", 1), ("c", 0), ("d", 0)]);
        let footer = read(&nested).unwrap();
        assert_eq!(*footer.columns, ["a", "d"]);
        assert_eq!(footer.rows, Some(7));
    }

    #[test]
    fn an_encrypted_footer_gives_no_rows_or_columns_but_must_be_complete() {
        let file = |head: &[u8], length: u32, tail: &[u8]| {
            read(&[head, b"secret", &length.to_le_bytes(), tail].concat())
        };
        let footer = file(b"PARE", 6, b"PARE").unwrap();
        assert_eq!((footer.rows, &*footer.columns), (None, &[][..]));
        for broken in [
            file(b"PARE", 7, b"PARE"),
            file(b"PARE", 6, b"PAR1"),
            file(b"PAR1", 6, b"PARE"),
        ] {
            assert!(broken.is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_schema_that_is_not_a_tree_is_refused_at_any_depth() {
        let no_trees: [&[(&str, i32)]; 4] = [
            &[],
            &[("root", 2), ("a", 0)],
            &[("root", 0), ("a", 0)],
            &[("root", -1)],
        ];
        for schema in no_trees {
            assert!(read(&with_schema(schema)).is_err(), "{schema:?}");
        }
        assert!(read(&with_schema(&vec![("deep", 1); 100_000])).is_err());
    }

    #[test]
    fn a_file_truncated_anywhere_is_refused() {
        let bytes = feed();
        for size in 0..bytes.len() {
            assert!(read(&bytes[..size]).is_err(), "{size}");
        }
    }

    /// A disk that cannot read byte number `bad`.
    struct BadDisk {
        file: Cursor<Vec<u8>>,
        bad: u64,
    }

    impl Read for BadDisk {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let left = self.bad.saturating_sub(self.file.position());
            if left == 0 && self.file.position() == self.bad {
                return Err(io::Error::from_raw_os_error(5));
            }
            let count = match left {
                0 => buffer.len(),
                left => buffer.len().min(left as usize),
            };
            self.file.read(&mut buffer[..count])
        }
    }

    impl Seek for BadDisk {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.file.seek(to)
        }
    }

    #[test]
    fn a_footer_on_a_failing_disk_is_not_blamed_on_the_file() {
        let mut schema = vec![("a", 0); 20_000];
        schema[0] = ("root", 19_999);
        let bytes = with_schema(&schema);
        assert!(read(&bytes).is_ok());
        let size = bytes.len() as u64;
        for bad in [0, size / 2, size - TAIL] {
            let file = Cursor::new(bytes.clone());
            let failed = Footer::read(BadDisk { file, bad }).unwrap_err();
            assert!(!failed.is_of_the_file(), "{bad}: {failed:?}");
        }
    }

    #[test]
    fn a_flipped_bit_in_the_footer_never_panics() {
        let bytes = feed();
        let length = u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap());
        for position in bytes.len() - 8 - length as usize..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[position] ^= 1 << bit;
                let _ = read(&flipped);
            }
        }
    }

    proptest! {
        #[test]
        fn an_arbitrary_footer_never_panics(footer in proptest::collection::vec(any::<u8>(), 0..200)) {
            let length = (footer.len() as u32).to_le_bytes();
            let _ = read(&[&MAGIC, footer.as_slice(), &length, &MAGIC].concat());
        }
    }
}
