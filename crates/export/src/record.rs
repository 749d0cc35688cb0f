//! The record of a data file, written once all its parts are acknowledged and before they become an
//! object. An object without a record therefore cannot exist.

use bytes::Bytes;
use lob_columns::ColumnCounts;
use lob_core::checksum::{Crc, Digest, Documents, Sha256};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{DataFile, ExportedFile, Statistics, bounded};
use lob_core::run::{Attested, Claim, OpenRun};
use lob_core::settings::MAX_PARTS;
use lob_core::store::{StoreError, StoreErrorKind, StoredPart, UploadId};
use lob_core::store::{Verified, WrittenObject};
use lob_core::transfer::Contents;
use lob_core::transfer::FinishedParts;
use lob_mongo::DocumentId;
use serde::{Deserialize, Serialize};

use crate::place::Place;

/// The current version of the record format, and the oldest that cleanup can read.
const FORMAT_VERSION: u32 = 2;
const OLDEST_VERSION: u32 = 1;
/// Largest record that is written and read: 10,000 parts and the field names of every document take
/// a few MiB, and the `_id`s at both ends twice their bytes.
const MAX_RECORD_BYTES: u64 = 64 << 20;

/// The documents of a range covered by one record, starting where the previous record ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Interval {
    /// The documents start after this `_id`; `None` for the range's own bound.
    pub(crate) after: Option<DocumentId>,
    /// The last document's `_id`; `None` if there are no documents.
    pub(crate) last: Option<DocumentId>,
    /// Whether the range ends here.
    pub(crate) range_ends: bool,
}

/// One record: which documents, and in which data file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "RecordFields")]
pub(crate) struct Record {
    format_version: u32,
    #[serde(flatten)]
    pub(crate) place: Place,
    #[serde(flatten)]
    pub(crate) interval: Interval,
    /// Describes the data file, newest description first; empty if a range ended with nothing left.
    /// There are several if an upload was lost and the documents were scanned again.
    pub(crate) descriptions: Vec<Description>,
}

/// What a data file holds, and the upload that creates it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "DescriptionFields")]
pub(crate) struct Description {
    pub(crate) statistics: Statistics,
    pub(crate) digest: Digest,
    pub(crate) residual_rows: u64,
    pub(crate) column_counts: ColumnCounts,
    #[serde(flatten)]
    pub(crate) contents: Contents,
    pub(crate) upload_id: UploadId,
    pub(crate) parts: Vec<StoredPart>,
}

/// A record as written, on one level. To read with `flatten` would hold the values of unknown
/// fields in memory.
#[derive(Deserialize)]
struct RecordFields {
    format_version: u32,
    split_id: u32,
    range: u32,
    sequence: u32,
    after: Option<DocumentId>,
    last: Option<DocumentId>,
    range_ends: bool,
    descriptions: Vec<Description>,
}

impl From<RecordFields> for Record {
    fn from(fields: RecordFields) -> Self {
        Self {
            format_version: fields.format_version,
            place: Place {
                split_id: fields.split_id,
                range: fields.range,
                sequence: fields.sequence,
            },
            interval: Interval {
                after: fields.after,
                last: fields.last,
                range_ends: fields.range_ends,
            },
            descriptions: fields.descriptions,
        }
    }
}

/// A description as written, likewise.
#[derive(Deserialize)]
struct DescriptionFields {
    statistics: Statistics,
    digest: Digest,
    residual_rows: u64,
    #[serde(default)]
    column_counts: ColumnCounts,
    size_bytes: u64,
    sha256: Sha256,
    crc64nvme: Crc,
    upload_id: UploadId,
    #[serde(deserialize_with = "bounded::list::<{ MAX_PARTS as usize }, _, _>")]
    parts: Vec<StoredPart>,
}

impl From<DescriptionFields> for Description {
    fn from(fields: DescriptionFields) -> Self {
        Self {
            statistics: fields.statistics,
            digest: fields.digest,
            residual_rows: fields.residual_rows,
            column_counts: fields.column_counts,
            contents: Contents {
                size_bytes: fields.size_bytes,
                sha256: fields.sha256,
                crc64nvme: fields.crc64nvme,
            },
            upload_id: fields.upload_id,
            parts: fields.parts,
        }
    }
}

/// A record in S3.
#[derive(Debug, Clone)]
pub(crate) struct StandingRecord {
    pub(crate) record: Record,
    pub(crate) etag: String,
}

/// Who wrote the record that is in place.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// This process.
    Ours(StandingRecord),
    /// Another process of the run, whose record counts.
    Others,
}

impl Description {
    pub(crate) fn documents(&self) -> Documents {
        Documents {
            count: self.statistics.num_documents,
            digest: self.digest,
        }
    }

    /// The data file as the manifest describes it, once it is `object`.
    pub(crate) fn exported(&self, key: String, object: &WrittenObject) -> ExportedFile {
        ExportedFile {
            documents: self.documents(),
            residual_rows: self.residual_rows,
            file: DataFile::new(key, self.contents, object),
        }
    }
}

impl StandingRecord {
    /// Checks with the server whether the data file exists as an object, and which description fits
    /// it. If another process has replaced the record meanwhile, the new one counts.
    ///
    /// # Errors
    /// [`StoreErrorKind::AlreadyExists`] if the object is something else, or another store error.
    pub(crate) async fn identify(&mut self, run: &OpenRun) -> anyhow::Result<Option<Attested>> {
        loop {
            let another = match run.identify(&self.record.claim()).await {
                Err(error) if error.kind == StoreErrorKind::AlreadyExists => error,
                identified => return Ok(identified?),
            };
            let now = Record::read(run, self.record.place).await?;
            match now.filter(|now| now.etag != self.etag) {
                Some(now) => *self = now,
                None => return Err(another.into()),
            }
        }
    }
}

impl Record {
    pub(crate) fn new(place: Place, interval: Interval, description: Option<Description>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            place,
            interval,
            descriptions: description.into_iter().collect(),
        }
    }

    /// The same documents in another data file; the earlier descriptions may still turn out to be
    /// true.
    pub(crate) fn described_again(&self, description: Description) -> Self {
        let mut again = self.clone();
        again.descriptions.insert(0, description);
        again
    }

    /// Whether one of the descriptions matches the manifest's entry for the data file.
    pub(crate) fn describes(&self, file: &ExportedFile) -> bool {
        self.descriptions.iter().any(|description| {
            description.documents() == file.documents
                && description.residual_rows == file.residual_rows
                && description.contents == file.file.contents
        })
    }

    /// The possible contents of this record's data file.
    pub(crate) fn claim(&self) -> Claim {
        let candidates = self.descriptions.iter().map(|d| d.contents);
        Claim {
            name: self.place.file_name(),
            candidates: candidates.collect(),
        }
    }

    /// The upload that creates the data file, ready to be completed.
    pub(crate) fn upload(&self, run: &OpenRun) -> Option<(FinishedParts, Contents)> {
        let description = self.descriptions.first()?;
        let upload = FinishedParts::recorded(
            &run.store,
            &run.key(&self.place.file_name()),
            description.upload_id.clone(),
            description.parts.clone(),
        );
        Some((upload, description.contents))
    }

    /// Aborts the upload that was to create the data file.
    pub(crate) async fn abort(&self, run: &OpenRun) -> Result<(), StoreError> {
        match self.descriptions.first() {
            Some(description) => {
                let key = run.key(&self.place.file_name());
                run.store
                    .abort_multipart(&key, &description.upload_id)
                    .await
            }
            None => Ok(()),
        }
    }

    /// The record of this place, if there is one.
    ///
    /// # Errors
    /// A record that this version cannot read (exit status 3), or a store error.
    pub(crate) async fn read(
        run: &OpenRun,
        place: Place,
    ) -> anyhow::Result<Option<StandingRecord>> {
        let key = run.key(&place.record_name());
        let reading = run.store.get_small_with_etag(&key, MAX_RECORD_BYTES);
        let (bytes, etag) = match reading.await {
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let refused = || {
            let message = format!("the record `{}` cannot be used", run.store.url(&key));
            Failure::integrity(message).lasting()
        };
        let record: Self =
            serde_json::from_slice(&bytes).map_err(|error| refused().caused_by(error))?;
        let is_known = (OLDEST_VERSION..=FORMAT_VERSION).contains(&record.format_version);
        if !is_known || record.place != place {
            return Err(refused().into());
        }
        Ok(Some(StandingRecord { record, etag }))
    }

    /// The serialized record.
    ///
    /// # Errors
    /// The record is too large to be read back.
    fn to_json(&self) -> anyhow::Result<Bytes> {
        let bytes = Bytes::from(serde_json::to_vec_pretty(self)?);
        let size = bytes.len() as u64;
        if size > MAX_RECORD_BYTES {
            let name = self.place.file_name();
            let message = format!(
                "the record of `{name}` would have {size} bytes, more than the {MAX_RECORD_BYTES} \
                 that can be read back"
            );
            return Err(Failure::new(ExitStatus::Failed, message).lasting().into());
        }
        Ok(bytes)
    }

    /// Writes the record if there is none, or over `seen`. If another process was faster, its
    /// record stands. If this fails, it may be unknown whether the record exists; its upload must
    /// not be aborted then.
    pub(crate) async fn put(
        self,
        run: &OpenRun,
        seen: Option<&StandingRecord>,
    ) -> anyhow::Result<Claimed> {
        let key = run.key(&self.place.record_name());
        let bytes = self.to_json()?;
        let put = match seen {
            None => run.store.put_new(&key, bytes).await,
            Some(seen) => run.store.put_over(&key, bytes, &seen.etag).await,
        };
        // Size alone does not tell our record from another's.
        let is_proved = run.store.endpoint().proof_of_put() != Verified::SizeOnly;
        match put {
            Ok(object) if is_proved => {
                return Ok(Claimed::Ours(StandingRecord {
                    record: self,
                    etag: object.etag,
                }));
            }
            Err(error) if error.kind != StoreErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        self.whose(run).await.map_err(|unanswered| {
            let url = run.store.url(&key);
            let message = format!("it is unknown whether the record `{url}` is ours");
            let cause = unanswered.reallocate_into_boxed_dyn_error_without_backtrace();
            Failure::new(ExitStatus::Unknown, message)
                .caused_by(cause)
                .into()
        })
    }

    /// Reads the record in place: if it has our own upload id, only the reply was lost.
    async fn whose(&self, run: &OpenRun) -> anyhow::Result<Claimed> {
        let upload = |record: &Self| record.descriptions.first().map(|d| d.upload_id.clone());
        match Self::read(run, self.place).await? {
            Some(standing) if upload(&standing.record) == upload(self) => {
                Ok(Claimed::Ours(standing))
            }
            Some(_) => Ok(Claimed::Others),
            None => {
                let url = run.store.url(&run.key(&self.place.record_name()));
                Err(Failure::integrity(format!("the record `{url}` has disappeared")).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn a_record_is_written_as_it_was_read() {
        let written = r#"{
  "format_version": 2,
  "split_id": 0,
  "range": 1,
  "sequence": 2,
  "after": null,
  "last": null,
  "range_ends": true,
  "descriptions": [
    {
      "statistics": {
        "num_documents": 3,
        "role_distribution": [
          [
            {
              "int": -1
            },
            3
          ]
        ],
        "further_roles": 0,
        "schema_fields": [
          "_id"
        ],
        "has_further_fields": false,
        "feature_length": null
      },
      "digest": "000000000000000000000000000000ff",
      "residual_rows": 1,
      "column_counts": {
        "misfits": {
          "a": {
            "string": 1
          }
        },
        "types": {
          "a": "INT64"
        },
        "without_column": {},
        "differ_in_case": {},
        "further_without_column": 0,
        "whole_documents": 0,
        "beyond_double": []
      },
      "size_bytes": 7,
      "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "crc64nvme": "AAAAAAAAAAA=",
      "upload_id": "upload",
      "parts": [
        {
          "number": 1,
          "etag": "e",
          "crc": "AAAAAAAAAAA="
        }
      ]
    }
  ]
}"#;
        let record: Record = serde_json::from_str(written).unwrap();
        assert_eq!(record.to_json().unwrap(), written);
    }

    #[test]
    fn a_record_too_large_to_read_back_is_not_written() {
        let id = |bytes: usize| DocumentId::of(&rawdoc! { "_id": "x".repeat(bytes) }).ok();
        let json = |after, last| {
            let interval = Interval {
                after,
                last,
                range_ends: true,
            };
            Record::new(Place::first(0, 0), interval, None).to_json()
        };
        // The largest MongoDB documents have 16 MiB.
        assert!(json(None, id(16 << 20)).is_ok());
        let error = json(id(16 << 20), id(16 << 20)).unwrap_err();
        assert!(error.to_string().contains("split_0.parquet"), "{error}");
        let told = Failure::incomplete(error, "the run", "go on").hint.unwrap();
        assert!(told.contains("would fail again"), "{told}");
    }
}
