//! Imports of a run whose data file was made to do harm: what is asserted of each.

use bson::{RawDocumentBuf, rawdoc};
use lob_testkit::hostile_parquet::HostileParquet;
use lob_testkit::peak_memory::Measured;

use crate::bed::{BUCKET, Bed, data_file, manifest, split_of};

const KEY: &str = "split_0.parquet/part-00000-00000.parquet";
/// Not what lob-export writes, or not what the manifest says.
pub(crate) const DAMAGE: i32 = 3;
/// Larger than `--memory` allows.
const TOO_LARGE: i32 = 1;
/// What an import of hardly anything takes in a debug build.
pub(crate) const LITTLE: u64 = 80;
/// The memory of the bed's tools.
pub(crate) const ALLOWED: u64 = 256;

/// An import of a run with one hostile data file, over an existing target.
pub(crate) struct Hostile(pub(crate) Bed);

impl Hostile {
    pub(crate) async fn new() -> Self {
        let bed = Bed::with(<_>::default()).await;
        bed.put_old();
        Self(bed)
    }

    /// Imports a run whose only data file has these bytes, and in the manifest these rows and the
    /// digest of `documents`.
    pub(crate) async fn import(
        &self,
        bytes: Vec<u8>,
        rows: u64,
        documents: &[RawDocumentBuf],
    ) -> Measured {
        let mut file = data_file(KEY.to_owned(), documents);
        (file.bytes, file.rows) = (bytes.clone(), rows);
        let splits = vec![split_of(0, &[file])];
        let manifest = manifest("run-1", "2025-11-15T09:30:00Z", splits);
        self.0.put_manifest("run-1", &manifest.to_string());
        let key = format!("processed-splits/run-1/{KEY}");
        self.0.s3.put_raw(BUCKET, &key, bytes);
        let run = ["--run-id", "run-1", "--log-level", "error"];
        self.0.measure(&run).await
    }

    /// The same, of a file made from these documents.
    pub(crate) async fn refused(&self, what: &str, case: Case, documents: &[RawDocumentBuf]) {
        let Case {
            status,
            said,
            most,
            rows,
            bytes,
        } = case;
        let measured = self.import(bytes, rows, documents).await;
        let shown = measured.finished.shown();
        assert!(shown.contains(said), "{what}: {shown}");
        measured.expect(status, most);
        self.0.assert_target_untouched();
    }
}

/// A hostile file, and what becomes of its import.
pub(crate) struct Case {
    pub(crate) status: i32,
    pub(crate) said: &'static str,
    pub(crate) most: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Damage that is found without taking memory.
pub(crate) fn damage(said: &'static str, bytes: Vec<u8>) -> Case {
    Case {
        status: DAMAGE,
        said,
        most: LITTLE,
        rows: 1,
        bytes,
    }
}

pub(crate) fn too_large(rows: u64, bytes: Vec<u8>) -> Case {
    let said = "a row group needs";
    Case {
        status: TOO_LARGE,
        said,
        most: LITTLE,
        rows,
        bytes,
    }
}

pub(crate) fn honest(documents: &[RawDocumentBuf]) -> Vec<u8> {
    data_file(String::new(), documents).bytes
}

pub(crate) fn one() -> Vec<RawDocumentBuf> {
    vec![rawdoc! { "_id": 1.5 }]
}

pub(crate) fn parts(documents: &[RawDocumentBuf]) -> HostileParquet {
    HostileParquet::of(&honest(documents))
}
