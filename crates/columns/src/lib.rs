//! BSON documents as Parquet columns, and back byte for byte.
//!
//! A row is its shape plus its values: the shape (names, types, order, nulls) stands in the file's
//! footer and is named by the column `_lob_shape`; the values stand in ordinary columns that any
//! Parquet reader can query. A document that is not exactly its shape plus its columns is kept
//! whole in the column `_lob_bson` as well: a residual row.
//!
//! The way out: [`ColumnsProposal`] observes sample documents and gives [`Columns`]; an
//! [`Encoder`] takes documents and gives row groups; [`RowGroup::encode`] does the heavy work and
//! can run on several threads; a [`ParquetWriter`] puts the result in order. The way back is a
//! [`Reader`]. Nothing here does I/O of its own.

mod compression;
mod digest;

pub use compression::Compression;
pub use digest::Digest;

// The API that the tools are written against; each item moves to its own file.
//
// impl ColumnsProposal {
//     pub fn new() -> Self;
//     pub fn observe(&mut self, document: &[u8]) -> Result<(), EncodeError>;
//     pub fn finish(self) -> Columns;
// }
// #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)] pub struct Columns
// impl Columns { pub fn list(&self) -> impl Iterator<Item = (&str, String)>  /* name, type text */ }
//
// impl Encoder {
//     pub fn new(columns: &Columns) -> Self;
//     pub fn push(&mut self, document: &[u8]) -> Result<(), EncodeError>;
//     pub fn rows(&self) -> u64;            // of the data file so far
//     pub fn residual_rows(&self) -> u64;   // of the data file so far
//     pub fn pending_rows(&self) -> usize;  // since the last take_row_group
//     pub fn pending_bytes(&self) -> usize; // cut below MAX_ROW_GROUP_BYTES
//     pub fn take_row_group(&mut self) -> RowGroup;
//     pub fn finish(self) -> Footer;        // after the last take_row_group
// }
// impl RowGroup { pub fn rows(&self) -> usize;
//     pub fn encode(self, compression: Compression) -> Result<EncodedRowGroup, WriteError>; }
// impl EncodedRowGroup { pub fn rows(&self) -> usize; pub fn bytes(&self) -> usize; }
// impl<W: Write + Send> ParquetWriter<W> {
//     pub fn new(writer: W, columns: &Columns) -> Result<Self, WriteError>;
//     pub fn write(&mut self, row_group: EncodedRowGroup) -> Result<(), WriteError>;
//     pub fn bytes_written(&self) -> u64;
//     pub fn is_full(&self) -> bool;        // close the data file now: its footer grows too large
//     pub fn finish(self, footer: Footer) -> Result<W, WriteError>;
// }
// impl<R: Read + Seek> Reader<R> {
//     pub fn open(source: R) -> Result<Self, ReadError>;
//     pub fn columns(&self) -> &Columns;
//     pub fn rows(&self) -> u64;
//     pub fn row_groups(&self) -> usize;
//     pub fn read_row_group(&mut self, index: usize)
//         -> Result<impl Iterator<Item = Result<Vec<u8>, ReadError>> + use<R>, ReadError>;
// }
