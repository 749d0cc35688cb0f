//! Documents into row groups of columns, for one data file.
//!
//! A row is not residual only if the walk in lockstep with its shape has compared every byte of it
//! and every value has said that it comes back the same.

mod builder;
mod lockstep;
mod residual;

use std::{collections::HashMap, sync::Arc};

use builder::StructBuilder;
pub(crate) use builder::{Builder, BytesBuilder, Values};

use crate::{
    columns::Columns,
    footer::{Footer, MAX_SHAPES_BYTES},
    raw::{self, MalformedBson},
    row_group::RowGroup,
    shape::{BoundField, NoShape, Shape},
};

/// Most bytes that the lists of one document may take beyond its own size: each element takes the
/// width of all columns in it, be they null.
const MAX_LIST_BYTES: usize = 32 << 20;

/// Takes the documents of one data file, in order.
#[derive(Debug)]
pub struct Encoder {
    columns: Arc<Columns>,
    shapes: Shapes,
    /// The shape of the last document that had one: the next one's too, as a rule.
    last_shape: usize,
    pending: Pending,
    rows: u64,
    residual_rows: u64,
}

/// The row group under construction.
#[derive(Debug)]
struct Pending {
    columns: StructBuilder,
    shapes: Values<i32>,
    documents: BytesBuilder,
    rows: usize,
    bytes: usize,
    has_wide_lists: bool,
    list_bytes: usize,
}

impl Pending {
    fn new(columns: &Columns) -> Self {
        let columns = StructBuilder::new(columns.root());
        Self {
            has_wide_lists: columns.has_wide_lists(),
            columns,
            shapes: Values::default(),
            documents: BytesBuilder::default(),
            rows: 0,
            bytes: 0,
            list_bytes: 0,
        }
    }

    /// Whether the columns of the row just filled are of a sane size; if not, they are emptied.
    fn keep_row(&mut self) -> bool {
        if !self.has_wide_lists {
            return true;
        }
        let list_bytes = self.columns.list_bytes();
        if list_bytes - self.list_bytes > MAX_LIST_BYTES {
            self.columns.truncate(self.rows);
            return false;
        }
        self.list_bytes = list_bytes;
        true
    }
}

impl Encoder {
    /// Starts a data file.
    pub fn new(columns: &Columns) -> Self {
        Self {
            columns: Arc::new(columns.clone()),
            shapes: Shapes::default(),
            last_shape: 0,
            pending: Pending::new(columns),
            rows: 0,
            residual_rows: 0,
        }
    }

    /// Takes the next document.
    ///
    /// # Errors
    /// The bytes are not a BSON document; nothing has been taken then.
    pub fn push(&mut self, document: &[u8]) -> Result<(), MalformedBson> {
        match self.shape_of_row(document)? {
            Some(shape) => {
                self.last_shape = shape;
                let id = i32::try_from(shape).unwrap_or(i32::MAX);
                self.pending.shapes.put(self.pending.rows, id);
            }
            None => {
                let (fields, row) = (self.columns.root(), self.pending.rows);
                residual::fill(fields, &mut self.pending.columns, row, document);
                self.pending.keep_row();
                self.pending.documents.put_bytes(row, document);
                self.pending.bytes += document.len();
                self.residual_rows += 1;
            }
        }
        // A column takes its width for each row, be the value null.
        self.pending.bytes += document.len() + self.columns.file_leaves() * size_of::<u64>();
        self.pending.rows += 1;
        self.rows += 1;
        Ok(())
    }

    /// Appends the document by its shape; none if it is to be residual.
    fn shape_of_row(&mut self, document: &[u8]) -> Result<Option<usize>, MalformedBson> {
        if self.append(self.last_shape, document) {
            return Ok(Some(self.last_shape));
        }
        raw::check(document)?;
        let shape = match Shape::of(document) {
            Ok(shape) => shape,
            Err(NoShape::Irregular) => return Ok(None),
            Err(NoShape::Malformed(error)) => return Err(error),
        };
        let id = self.shapes.find_or_add(shape, &self.columns);
        Ok(id.filter(|id| self.append(*id, document)))
    }

    fn append(&mut self, shape: usize, document: &[u8]) -> bool {
        let Some(fields) = self.shapes.bound.get(shape) else {
            return false;
        };
        let row = self.pending.rows;
        let same = lockstep::document(fields, Some(&mut self.pending.columns), row, document);
        if same.is_none() {
            self.pending.columns.truncate(row);
            return false;
        }
        self.pending.keep_row()
    }

    /// Documents of the data file so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Documents of the data file so far that are kept whole since they do not fit the columns.
    pub fn residual_rows(&self) -> u64 {
        self.residual_rows
    }

    /// Documents since the last row group was taken.
    pub fn pending_rows(&self) -> usize {
        self.pending.rows
    }

    /// About the memory of the documents since the last row group was taken, in bytes: take a row
    /// group before it reaches [`MAX_ROW_GROUP_BYTES`](crate::MAX_ROW_GROUP_BYTES).
    pub fn pending_bytes(&self) -> usize {
        self.pending.bytes + self.pending.list_bytes
    }

    /// Cuts a row group of all pending documents.
    pub fn take_row_group(&mut self) -> RowGroup {
        let pending_bytes = self.pending_bytes();
        let pending = std::mem::replace(&mut self.pending, Pending::new(&self.columns));
        RowGroup {
            file_columns: Arc::clone(&self.columns),
            columns: pending.columns.into_children(),
            shapes: pending.shapes,
            documents: pending.documents,
            rows: pending.rows,
            pending_bytes,
        }
    }

    /// Ends the data file: what its footer must hold. Documents that are still pending are lost, so
    /// take the last row group before.
    pub fn finish(self) -> Footer {
        Footer {
            shapes: self.shapes.json,
        }
    }
}

/// The shapes of a data file, numbered as they turn up.
#[derive(Debug, Default)]
struct Shapes {
    ids: HashMap<Shape, usize>,
    bound: Vec<Vec<BoundField>>,
    /// As the footer holds them.
    json: Vec<String>,
    json_bytes: usize,
}

impl Shapes {
    /// None for a shape that the columns cannot hold, or one too many.
    fn find_or_add(&mut self, shape: Shape, columns: &Columns) -> Option<usize> {
        if let Some(id) = self.ids.get(&shape) {
            return Some(*id);
        }
        let bound = shape.bind(columns.root())?;
        let json = serde_json::to_string(&shape).ok()?;
        let json_bytes = self.json_bytes + json.len() + ",".len();
        if json_bytes > MAX_SHAPES_BYTES {
            return None;
        }
        let id = self.bound.len();
        self.json_bytes = json_bytes;
        self.json.push(json);
        self.bound.push(bound);
        self.ids.insert(shape, id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of empty documents in a column whose documents have a thousand fields.
    #[test]
    fn a_residual_row_does_not_fill_the_columns_with_nulls_either() {
        let fields: Vec<_> = (0..1000)
            .map(|n| format!(r#"{{"name":"f{n}","type":"bool"}}"#))
            .collect();
        let fields = fields.join(",");
        let columns = format!(r#"[{{"name":"l","type":{{"list":{{"struct":[{fields}]}}}}}}]"#);
        let mut encoder = Encoder::new(&serde_json::from_str(&columns).unwrap());
        let mut elements = Vec::new();
        for number in 0..10_000 {
            elements.extend(
                [
                    &[0x03],
                    raw::ArrayKey::at(number).bytes(),
                    b"\0\x05\0\0\0\0",
                ]
                .concat(),
            );
        }
        let frame = |body: &[u8]| {
            let len = i32::try_from(body.len() + 5).unwrap().to_le_bytes();
            [&len, body, b"\0"].concat()
        };
        let document = frame(&[b"\x04l\0", &frame(&elements)[..]].concat());
        encoder.push(&document).unwrap();
        assert_eq!(encoder.residual_rows(), 1);
        assert!(encoder.pending.columns.list_bytes() < MAX_LIST_BYTES);
    }
}
