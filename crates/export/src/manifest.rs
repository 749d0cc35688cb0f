//! The manifest of an export, with what stands in it for the columns of a split: written as they
//! are, and read back as far as the summary needs them.

use lob_columns::{ColumnCounts, Columns};
use lob_core::manifest::{ExportManifest, ExportedSplit, PublishedExport};
use serde::de::IgnoredAny;

/// As it is written.
pub(crate) type Manifest = ExportManifest<Columns, ColumnCounts>;
/// A split of it.
pub(crate) type Split = ExportedSplit<Columns, ColumnCounts>;
/// As it is read back.
pub(crate) type Published = PublishedExport<IgnoredAny, ColumnCounts>;
