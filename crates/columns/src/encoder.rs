//! Encodes documents into row groups of columns, for one data file.
//!
//! Every byte of a document is either implied by its columns and code, or kept as a leftover: the
//! walk compares every byte, and a value goes into its column only if it decodes to the same bytes.

mod builder;
mod element;
mod row;
mod scalars;
mod value;
mod walk;

use std::sync::Arc;

pub(crate) use builder::{Builder, BytesBuilder, StructBuilder};

use self::{
    element::Stop,
    row::{NO_LEVEL, Row},
};
use crate::{
    codes::Op,
    column_counts::{ColumnCounts, Counter},
    columns::Columns,
    footer::Footer,
    levels::Level,
    raw::{self, MalformedBson, body},
    row_group::RowGroup,
};

/// Maximum bytes that the lists of one document may take beyond the document's own size: each
/// element takes up the width of all its columns, even where they are null.
const MAX_LIST_BYTES: usize = 32 << 20;
/// Maximum bytes of a row's code.
const MAX_CODE_BYTES: usize = 16 << 20;

/// Encodes the documents of one data file, in order.
#[derive(Debug)]
pub struct Encoder {
    columns: Arc<Columns>,
    level: Level,
    row: Row,
    counter: Counter,
    pending: Pending,
    rows: u64,
    residual_rows: u64,
}

/// The row group under construction.
#[derive(Debug)]
struct Pending {
    columns: StructBuilder,
    codes: BytesBuilder,
    leftovers: BytesBuilder,
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
            codes: BytesBuilder::default(),
            leftovers: BytesBuilder::default(),
            rows: 0,
            bytes: 0,
            list_bytes: 0,
        }
    }

    /// The next row group, which is likely to be as large.
    fn successor(&self) -> Self {
        Self {
            columns: self.columns.successor(),
            codes: self.codes.successor(),
            leftovers: self.leftovers.successor(),
            rows: 0,
            bytes: 0,
            has_wide_lists: self.has_wide_lists,
            list_bytes: 0,
        }
    }

    /// Whether the lists of the row just filled stay within the limit.
    fn has_sane_lists(&mut self) -> bool {
        if !self.has_wide_lists {
            return true;
        }
        let list_bytes = self.columns.list_bytes();
        let is_sane = list_bytes - self.list_bytes <= MAX_LIST_BYTES;
        if is_sane {
            self.list_bytes = list_bytes;
        }
        is_sane
    }
}

impl Encoder {
    /// Starts a data file.
    pub fn new(columns: &Columns) -> Self {
        let (level, paths) = Level::with_paths(columns);
        Self {
            columns: Arc::new(columns.clone()),
            level,
            row: Row::default(),
            counter: Counter::new(paths),
            pending: Pending::new(columns),
            rows: 0,
            residual_rows: 0,
        }
    }

    /// Adds the next document.
    ///
    /// # Errors
    /// The bytes are not a BSON document. Nothing has been added then.
    pub fn push(&mut self, document: &[u8]) -> Result<(), MalformedBson> {
        match self.append(document) {
            Ok(()) if self.is_row_sane() => self.count(),
            Ok(()) | Err(Stop::OtherOrder) => self.keep_whole(document)?,
            Err(Stop::Malformed(error)) => {
                self.pending.columns.truncate(self.pending.rows);
                return Err(error);
            }
        }
        let (pending, row) = (&mut self.pending, &self.row);
        let code = row.codes.bytes();
        if !code.is_empty() {
            pending.codes.put_bytes(pending.rows, code);
        }
        if !row.leftovers.is_empty() {
            pending.leftovers.put_document(pending.rows, &row.leftovers);
            self.residual_rows += 1;
        }
        // Each row takes up the width of every column, even where it is null.
        let columns = self.columns.leaves() * size_of::<u64>();
        pending.bytes += document.len() + code.len() + row.leftovers.len() + columns;
        pending.rows += 1;
        self.rows += 1;
        Ok(())
    }

    /// Whether the columns and code of the row just appended stay within their limits.
    fn is_row_sane(&mut self) -> bool {
        self.row.codes.bytes().len() <= MAX_CODE_BYTES && self.pending.has_sane_lists()
    }

    /// Keeps the whole document as a leftover, with no values in its columns.
    fn keep_whole(&mut self, document: &[u8]) -> Result<(), MalformedBson> {
        self.pending.columns.truncate(self.pending.rows);
        raw::check(document)?;
        self.row.clear();
        self.row.codes.before(Op::Whole);
        self.row.leftovers.extend_from_slice(body(document)?);
        self.counter.whole_documents += 1;
        Ok(())
    }

    /// Appends the document to its columns and records in the row what deviates.
    fn append(&mut self, document: &[u8]) -> Result<(), Stop> {
        self.row.begin();
        loop {
            let (columns, at) = (&mut self.pending.columns, self.pending.rows);
            match self.row.document(&mut self.level, columns, at, document) {
                Err(Stop::OtherOrder) if self.row.be_careful() => {
                    self.pending.columns.truncate(at);
                }
                appended => return appended,
            }
        }
    }

    /// Counts what the columns could not hold.
    fn count(&mut self) {
        for (column, bson_type) in &self.row.misfits {
            self.counter.add_misfit(*column, *bson_type);
        }
        for (level, start) in &self.row.strangers {
            if *level == NO_LEVEL {
                self.counter.add_odd_key();
            } else {
                let name = raw::cstring(&self.row.leftovers[start + 1..]).unwrap_or_default();
                self.counter.add_stranger(*level, name);
            }
        }
    }

    /// Documents in the data file so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Documents in the data file so far that have leftovers.
    pub fn residual_rows(&self) -> u64 {
        self.residual_rows
    }

    /// Documents since the last row group was taken.
    pub fn pending_rows(&self) -> usize {
        self.pending.rows
    }

    /// Approximate memory, in bytes, of the documents since the last row group was taken. Take a
    /// row group before it reaches [`MAX_ROW_GROUP_BYTES`](crate::MAX_ROW_GROUP_BYTES).
    pub fn pending_bytes(&self) -> usize {
        self.pending.bytes + self.pending.list_bytes
    }

    /// Cuts a row group of all pending documents.
    pub fn take_row_group(&mut self) -> RowGroup {
        let pending_bytes = self.pending_bytes();
        let next = self.pending.successor();
        let pending = std::mem::replace(&mut self.pending, next);
        RowGroup {
            file_columns: Arc::clone(&self.columns),
            columns: pending.columns.into_children(),
            codes: pending.codes,
            leftovers: pending.leftovers,
            rows: pending.rows,
            pending_bytes,
        }
    }

    /// What the columns could not hold so far, and whatever else the next run chooses its columns
    /// by.
    pub fn counts(&self) -> ColumnCounts {
        self.counter.counts(&self.level)
    }

    /// Finishes the data file and returns what its footer must hold. Pending documents are lost, so
    /// take the last row group first.
    pub fn finish(self) -> Footer {
        Footer {
            orders: self.row.into_learned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of empty documents in a column whose documents have a thousand fields.
    #[test]
    fn a_list_of_empty_documents_does_not_fill_the_columns_with_nulls() {
        let fields: Vec<_> = (0..1000)
            .map(|n| format!(r#"{{"name":"f{n}","type":"bool","gap":"null"}}"#))
            .collect();
        let fields = fields.join(",");
        let columns =
            format!(r#"[{{"name":"l","type":{{"list":{{"struct":[{fields}]}}}},"gap":"null"}}]"#);
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
        // The limits hold in each row group.
        for row_groups in 1..3 {
            encoder.push(&document).unwrap();
            assert_eq!(encoder.residual_rows(), row_groups);
            assert!(encoder.pending.columns.list_bytes() < MAX_LIST_BYTES);
            encoder.take_row_group();
        }
    }
}
