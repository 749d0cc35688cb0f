//! BSON documents as Parquet columns, and back byte for byte.
//!
//! A row is its shape plus its values: the shape (names, types, order, nulls) stands in the file's
//! footer and is named by the column [`SHAPE_COLUMN`]; the values stand in ordinary columns that any
//! Parquet reader can query. A document that is not exactly its shape plus its columns is kept
//! whole in the column [`BSON_COLUMN`] as well: a residual row.
//!
//! The way out: [`ColumnsProposal`] observes sample documents and gives [`Columns`]; an
//! [`Encoder`] takes documents and gives row groups; [`RowGroup::encode`] does the heavy work and
//! can run on several threads; a [`ParquetWriter`] puts the result in order. The way back is a
//! [`Reader`], or a [`LegacyReader`] for what the original's Spark wrote. Nothing here does I/O of
//! its own.

mod codec;
mod columns;
mod compression;
mod decoder;
mod digest;
mod encoder;
mod footer;
mod number_runs;
mod parquet_writer;
mod proposal;
mod raw;
mod reader;
mod row_group;
mod schema;
mod shape;
mod thrift;

pub use columns::{BSON_COLUMN, Columns, InvalidColumns, MAX_COLUMNS, MAX_NESTING, SHAPE_COLUMN};
pub use compression::{Compression, InvalidCompression};
pub use digest::{Digest, InvalidDigest};
pub use encoder::Encoder;
pub use footer::{Footer, InvalidFooter};
pub use parquet_writer::{ParquetWriter, WriteError};
pub use proposal::ColumnsProposal;
pub use raw::{BsonType, Element, Elements, MalformedBson};
pub use reader::{LegacyIds, LegacyReader, ReadError, Reader};
pub use row_group::{EncodedRowGroup, MAX_ROW_GROUP_BYTES, RowGroup};
