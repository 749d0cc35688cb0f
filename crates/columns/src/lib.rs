//! BSON documents as Parquet columns, and back byte for byte.
//!
//! A row is its columns plus what they do not tell: which of several types a value has, which
//! fields are absent, and the order of the fields. That goes into a short code in the column
//! [`DIFF_COLUMN`], which is null for almost all rows. Elements that no column holds go into the
//! column [`BSON_COLUMN`]: a row that has any is a residual row.
//!
//! To export, [`ColumnsProposal`] observes sample documents and yields [`Columns`]; an [`Encoder`]
//! takes documents and yields row groups; [`RowGroup::encode`] does the heavy work and can run on
//! several threads; a [`ParquetWriter`] writes the results in order. To import, use a [`Reader`],
//! or a [`LegacyReader`] for the files that Spark wrote in a legacy run. Nothing here does I/O of
//! its own.

mod bson_writer;
mod codec;
mod codes;
mod column_counts;
mod columns;
mod compression;
mod decimal;
mod decoder;
mod dictionary;
mod encoder;
mod error;
mod footer;
mod levels;
mod limits;
mod list_pages;
mod number_runs;
mod own_columns;
mod parquet_writer;
mod path;
mod proposal;
mod raw;
mod reader;
mod row_group;
mod schema;
mod thrift;
mod values;
mod version_1;

pub use column_counts::ColumnCounts;
pub use columns::{Columns, InvalidColumns};
pub use compression::{Compression, InvalidCompression};
pub use encoder::Encoder;
pub use error::{ReadError, WriteError};
pub use footer::{Footer, InvalidFooter};
pub use limits::{MAX_COLUMNS, MAX_NESTING, MAX_ROW_GROUP_BYTES};
pub use own_columns::{BSON_COLUMN, DIFF_COLUMN, is_own_name};
pub use parquet_writer::ParquetWriter;
pub use proposal::ColumnsProposal;
pub use raw::{BsonType, Element, Elements, MalformedBson};
pub use reader::{LegacyIds, LegacyReader, Reader};
pub use row_group::{EncodedRowGroup, RowGroup};
