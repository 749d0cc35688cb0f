//! The record of a data file: written when all its parts are acknowledged, and before they become
//! an object. So an object that no record describes cannot exist.

use bson::RawDocument;
use bytes::Bytes;
use lob_columns::Digest;
use lob_core::crc::Crc;
use lob_core::hash::Sha256;
use lob_core::manifest::DataFile;
use lob_core::run::{OpenRun, PROGRESS_FOLDER};
use lob_core::statistics::Statistics;
use lob_core::store::{StoredPart, UploadId};
use serde::{Deserialize, Serialize};

use crate::data_file::WrittenFile;

/// The version of the record's form.
const FORMAT_VERSION: u32 = 1;

/// What one record says: which documents, and in which data file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) format_version: u32,
    pub(crate) split_id: u32,
    pub(crate) range: u32,
    pub(crate) sequence: u32,
    /// The documents after this `_id`; from the range's start where it is absent.
    pub(crate) after: Option<Id>,
    /// The last document's `_id`; absent where there are no documents.
    pub(crate) last: Option<Id>,
    /// Whether the range ends here.
    pub(crate) range_ends: bool,
    pub(crate) statistics: Statistics,
    pub(crate) digest: Digest,
    pub(crate) residual_rows: u64,
    /// Absent where a range ended with nothing left.
    pub(crate) file: Option<RecordedFile>,
}

/// The data file of a record, and the upload that makes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecordedFile {
    pub(crate) key: String,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: Sha256,
    pub(crate) crc64nvme: Crc,
    pub(crate) upload_id: UploadId,
    pub(crate) parts: Vec<StoredPart>,
}

/// An `_id` of any type: the hexadecimal digits of the BSON document `{_id: …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Id(String);

impl Id {
    pub(crate) fn of(document: &RawDocument) -> lob_mongo::Result<Self> {
        let id = lob_mongo::DocumentId::of(document)?;
        Ok(Self(hex::encode(id.as_document().as_bytes())))
    }
}

/// Which data file of which range of which split: what names it and its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) split_id: u32,
    pub(crate) range: u32,
    pub(crate) sequence: u32,
}

impl Place {
    /// The data file's name below the run's folder.
    pub(crate) fn file_name(self) -> String {
        let folder = lob_core::manifest::ExportedSplit::folder(self.split_id);
        format!(
            "{folder}part-{:05}-{:05}.parquet",
            self.range, self.sequence
        )
    }

    fn record_name(self) -> String {
        let Self {
            split_id,
            range,
            sequence,
        } = self;
        format!("{PROGRESS_FOLDER}/split_{split_id}/{range:05}-{sequence:05}.json")
    }
}

impl Record {
    /// The record of a written data file.
    pub(crate) fn of_file(
        place: Place,
        file: &WrittenFile,
        after: Option<Id>,
        last: Option<Id>,
        range_ends: bool,
    ) -> Self {
        Self {
            statistics: file.statistics.clone(),
            digest: file.digest,
            residual_rows: file.residual_rows,
            file: Some(RecordedFile {
                key: file.name.clone(),
                size_bytes: file.hashes.size,
                sha256: file.hashes.sha256,
                crc64nvme: file.hashes.crc,
                upload_id: file.parts.upload_id().clone(),
                parts: file.parts.parts().to_vec(),
            }),
            ..Self::of_end(place, after, last, range_ends)
        }
    }

    /// The record of a range that ended with nothing left.
    pub(crate) fn of_nothing(place: Place, after: Option<Id>) -> Self {
        Self::of_end(place, after, None, true)
    }

    fn of_end(place: Place, after: Option<Id>, last: Option<Id>, range_ends: bool) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            split_id: place.split_id,
            range: place.range,
            sequence: place.sequence,
            after,
            last,
            range_ends,
            statistics: Statistics::default(),
            digest: Digest::default(),
            residual_rows: 0,
            file: None,
        }
    }

    /// Writes the record, which must not exist yet.
    pub(crate) async fn put(&self, run: &OpenRun, place: Place) -> anyhow::Result<()> {
        let bytes = Bytes::from(serde_json::to_vec_pretty(self)?);
        run.store
            .put_new(&run.key(&place.record_name()), bytes, &run.token)
            .await?;
        Ok(())
    }
}

/// A data file with its record and its object: what the commit adds up.
#[derive(Debug, Clone)]
pub(crate) struct CompletedFile {
    pub(crate) statistics: Statistics,
    pub(crate) digest: Digest,
    pub(crate) residual_rows: u64,
    pub(crate) object: DataFile,
}
