//! What a data file's footer says about itself: format version, columns and shapes.
//!
//! They stand in the Parquet key-value metadata as JSON; with the columns' values they are all that
//! a reader needs.

use polars_parquet::write::KeyValue;

use crate::{columns::Columns, shape::Shape};

pub(crate) const VERSION_KEY: &str = "lob.format_version";
const COLUMNS_KEY: &str = "lob.columns";
const SHAPES_KEY: &str = "lob.shapes";
const VERSION: &str = "1";

/// Most bytes of shapes, as JSON, in a footer; documents of further shapes are residual.
pub(crate) const MAX_SHAPES_BYTES: usize = 16 << 20;

/// The shapes of one data file, as [`Encoder::finish`](crate::Encoder::finish) gives them.
#[derive(Debug)]
pub struct Footer {
    /// Each as JSON.
    pub(crate) shapes: Vec<String>,
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
    /// The columns or shapes cannot be read.
    #[error("the footer's {key} is not valid")]
    Invalid {
        /// Which of the footer's keys.
        key: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There are more shapes than the encoder writes.
    #[error("the footer's shapes are too large")]
    TooManyShapes,
    /// A shape says something that its columns cannot hold.
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
            key_value(SHAPES_KEY, format!("[{}]", self.shapes.join(","))),
        ])
    }
}

/// Columns and shapes from the key-value metadata of a file; both are untrusted until they are
/// read.
pub(crate) fn read(key_values: &[KeyValue]) -> Result<(Columns, Vec<Shape>), InvalidFooter> {
    let find = |key: &'static str| {
        let found = key_values.iter().find(|pair| pair.key == key);
        found
            .and_then(|pair| pair.value.as_deref())
            .ok_or(InvalidFooter::Missing(key))
    };
    let version = find(VERSION_KEY)?;
    if version != VERSION {
        return Err(InvalidFooter::UnknownVersion(
            version.chars().take(20).collect(),
        ));
    }
    let invalid = |key| move |source| InvalidFooter::Invalid { key, source };
    let columns = serde_json::from_str(find(COLUMNS_KEY)?).map_err(invalid(COLUMNS_KEY))?;
    let shapes = find(SHAPES_KEY)?;
    if shapes.len() > MAX_SHAPES_BYTES + "[]".len() {
        return Err(InvalidFooter::TooManyShapes);
    }
    let shapes = serde_json::from_str(shapes).map_err(invalid(SHAPES_KEY))?;
    Ok((columns, shapes))
}
