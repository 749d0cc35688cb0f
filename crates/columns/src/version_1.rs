//! Data files of format version 1, which are still read but no longer written.
//!
//! Names, types, order and nulls were in a row's shape, and the shapes were in the footer. A
//! document that no shape fully described was kept whole.

mod codec;
mod columns;
mod decoder;
mod shape;

use polars_parquet::write::KeyValue;

use self::shape::{BoundField, Shape};
pub(crate) use self::{columns::OWN_COLUMNS, decoder::Decoder};
use crate::{
    columns::Columns,
    footer::{COLUMNS_KEY, InvalidFooter, value_of},
};

pub(crate) const VERSION: &str = "1";
const SHAPES_KEY: &str = "lob.shapes";
/// Maximum bytes of shapes, as JSON, in a footer.
const MAX_SHAPES_BYTES: usize = 16 << 20;

/// The shapes of a data file, bound to its columns.
#[derive(Debug)]
pub(crate) struct Shapes(Vec<Vec<BoundField>>);

/// Reads columns and shapes from a file's key-value metadata.
pub(crate) fn read_footer(key_values: &[KeyValue]) -> Result<(Columns, Shapes), InvalidFooter> {
    let invalid = |key| move |source| InvalidFooter::Invalid { key, source };
    let columns =
        columns::read(value_of(key_values, COLUMNS_KEY)?).map_err(invalid(COLUMNS_KEY))?;
    let shapes = value_of(key_values, SHAPES_KEY)?;
    if shapes.len() > MAX_SHAPES_BYTES + "[]".len() {
        return Err(InvalidFooter::TooLarge(SHAPES_KEY));
    }
    let shapes: Vec<Shape> = serde_json::from_str(shapes).map_err(invalid(SHAPES_KEY))?;
    let bind = |(position, shape): (usize, &Shape)| {
        let bound = shape.bind(columns.root());
        bound.ok_or(InvalidFooter::Unbound(position))
    };
    let shapes = shapes.iter().enumerate().map(bind);
    let shapes = Shapes(shapes.collect::<Result<_, _>>()?);
    Ok((columns, shapes))
}
