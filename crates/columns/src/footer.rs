//! What a data file's footer says about itself: format version, columns and orders of fields.
//!
//! They stand in the Parquet key-value metadata as JSON; with the columns' values they are all that
//! a reader needs.

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
/// Spark reads dates before 1900 as they are where it finds its own version of 3.0 or later.
const SPARK: (&str, &str) = ("org.apache.spark.version", "3.5.0");

/// What the documents of one data file taught, as
/// [`Encoder::finish`](crate::Encoder::finish) gives it.
#[derive(Debug)]
pub struct Footer {
    pub(crate) orders: Vec<LearnedOrder>,
}

/// A footer that is not one of ours.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFooter {
    /// A key is missing: not a file of `lob-export`.
    #[error("the footer has no {0}")]
    Missing(&'static str),
    /// A file of another version of the format.
    #[error("format version {0:?} is not known")]
    UnknownVersion(String),
    /// The columns, orders or shapes cannot be read.
    #[error("the footer's {key} is not valid")]
    Invalid {
        /// Which of the footer's keys.
        key: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is more than the encoder writes.
    #[error("the footer's {0} is too large")]
    TooLarge(&'static str),
    /// An order of fields is none of its columns.
    #[error("the footer's orders do not fit its columns")]
    Orders,
    /// A shape of version 1 says something that its columns cannot hold.
    #[error("shape {0} of the footer does not fit its columns")]
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

/// Columns, and how a decoder walks them, from the key-value metadata of a file; both are untrusted
/// until they are read.
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

/// What the metadata of a file says of a key.
pub(crate) fn value_of<'a>(
    key_values: &'a [KeyValue],
    key: &'static str,
) -> Result<&'a str, InvalidFooter> {
    let found = key_values.iter().find(|pair| pair.key == key);
    found
        .and_then(|pair| pair.value.as_deref())
        .ok_or(InvalidFooter::Missing(key))
}
