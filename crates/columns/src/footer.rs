//! What a data file's footer says about the file: format version, columns and field orders.
//!
//! They are JSON in the Parquet key-value metadata. Together with the column values they are all
//! that a reader needs.

use polars_parquet::write::KeyValue;

use crate::{
    columns::Columns,
    levels::{LearnedOrder, Level},
    limits::MAX_ORDERS_BYTES,
};

pub(crate) const VERSION_KEY: &str = "lob.format_version";
pub(crate) const COLUMNS_KEY: &str = "lob.columns";
const ORDERS_KEY: &str = "lob.orders";
pub(crate) const VERSION: &str = "2";
/// Makes Spark read dates before 1900 unchanged: it does so if the file says Spark 3.0 or later.
const SPARK: (&str, &str) = ("org.apache.spark.version", "3.5.0");

/// What the encoder learned from the documents of one data file, as returned by
/// [`Encoder::finish`](crate::Encoder::finish).
#[derive(Debug)]
pub struct Footer {
    pub(crate) orders: Vec<LearnedOrder>,
}

/// A footer that lob-export did not write.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFooter {
    /// A key is missing: not a file of `lob-export`.
    #[error("the footer has no {0}")]
    Missing(&'static str),
    /// A file of another format version.
    #[error("unknown format version {0:?}")]
    UnknownVersion(String),
    /// The columns, orders or shapes cannot be read.
    #[error("the footer's {key} is not valid")]
    Invalid {
        /// The footer key.
        key: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It exceeds what the encoder writes.
    #[error("the footer's {0} is too large")]
    TooLarge(&'static str),
    /// A field order does not fit its level.
    #[error("the footer's orders do not match its columns")]
    Orders,
    /// A version 1 shape does not fit its columns.
    #[error("shape {0} of the footer does not match its columns")]
    Unbound(usize),
}

impl Footer {
    pub(crate) fn key_values(&self, columns: &Columns) -> Result<Vec<KeyValue>, serde_json::Error> {
        let key_value = |key: &str, value| KeyValue {
            key: key.into(),
            value: Some(value),
        };
        Ok(vec![
            key_value(VERSION_KEY, VERSION.into()),
            key_value(COLUMNS_KEY, serde_json::to_string(columns)?),
            key_value(ORDERS_KEY, serde_json::to_string(&self.orders)?),
            key_value(SPARK.0, SPARK.1.into()),
        ])
    }
}

/// Reads the columns, and the level a decoder walks, from a file's key-value metadata, which is
/// untrusted.
pub(crate) fn read(key_values: &[KeyValue]) -> Result<(Columns, Level), InvalidFooter> {
    let invalid = |key| move |source| InvalidFooter::Invalid { key, source };
    let columns = value_of(key_values, COLUMNS_KEY)?;
    let columns: Columns = serde_json::from_str(columns).map_err(invalid(COLUMNS_KEY))?;
    let orders = value_of(key_values, ORDERS_KEY)?;
    if orders.len() > MAX_ORDERS_BYTES + "[]".len() {
        return Err(InvalidFooter::TooLarge(ORDERS_KEY));
    }
    let orders: Vec<_> = serde_json::from_str(orders).map_err(invalid(ORDERS_KEY))?;
    let mut level = Level::of(&columns);
    level.add_orders(&orders).ok_or(InvalidFooter::Orders)?;
    Ok((columns, level))
}

/// The value of a key in a file's metadata.
pub(crate) fn value_of<'a>(
    key_values: &'a [KeyValue],
    key: &'static str,
) -> Result<&'a str, InvalidFooter> {
    let found = key_values.iter().find(|pair| pair.key == key);
    found
        .and_then(|pair| pair.value.as_deref())
        .ok_or(InvalidFooter::Missing(key))
}
