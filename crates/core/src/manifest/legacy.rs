//! The manifest of a legacy run.
//!
//! It has no format version, lists no data files and contains no hashes: it gives the number of
//! documents of each split, and a checksum over its own statistics. The legacy scripts wrote it
//! through Spark, as the text of a field `manifest_json`; a plain object is accepted too.

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Deserializer};

use super::bounded;
use super::reading::{MAX_SPLITS, ManifestError, check_splits, missing, parse};
use super::statistics::{Role, checksum_of};
use crate::settings::RunId;

/// Limit on the names that are listed for one split: of fields, and of roles.
const MAX_NAMES: usize = 100_000;

/// The manifest of a legacy run. Its other fields are not needed, or not to be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyManifest {
    /// The id of the run.
    pub run_id: RunId,
    /// The number of splits.
    pub num_splits: u64,
    /// The splits.
    pub splits: Vec<LegacySplit>,
    /// Documents in all splits.
    pub total_documents: u64,
}

/// One split of a legacy run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LegacySplit {
    /// The number of the split.
    pub split_id: u32,
    /// The number of documents.
    pub num_documents: u64,
    /// Documents by role.
    #[serde(default, deserialize_with = "bounded::map::<MAX_NAMES, _, _>")]
    role_distribution: BTreeMap<String, u64>,
    /// The names of all top-level fields, in the order that the checksum uses.
    #[serde(default, deserialize_with = "bounded::list::<MAX_NAMES, _, _>")]
    schema_fields: Vec<String>,
    /// The length of `features` in one document.
    #[serde(default)]
    feature_length: Option<u64>,
    /// `md5:` over these statistics, or what the legacy scripts fell back to.
    checksum: String,
}

/// How a recorded checksum relates to the statistics beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedChecksum {
    /// It is their checksum.
    Same,
    /// It is the checksum of different statistics.
    Other {
        /// The checksum of the recorded statistics.
        computed: String,
    },
    /// It is not a checksum of statistics: it is an ETag, or the legacy scripts failed to compute
    /// one.
    Incomparable,
}

/// The legacy manifest, or the line from Spark that contains it as text.
#[derive(Deserialize)]
struct Fields {
    manifest_json: Option<String>,
    run_id: Option<RunId>,
    num_splits: Option<u64>,
    #[serde(default, deserialize_with = "splits")]
    splits: Option<Vec<LegacySplit>>,
    total_documents: Option<u64>,
}

fn splits<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<LegacySplit>>, D::Error> {
    bounded::list::<MAX_SPLITS, _, _>(deserializer).map(Some)
}

impl LegacyManifest {
    /// Reads a manifest as untrusted input.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn read(source: impl Read) -> Result<Self, ManifestError> {
        let mut fields: Fields = parse(source)?;
        if let Some(text) = fields.manifest_json.take() {
            fields = parse(text.as_bytes())?;
        }
        let manifest = Self {
            run_id: fields.run_id.ok_or_else(|| missing("run_id"))?,
            num_splits: fields.num_splits.ok_or_else(|| missing("num_splits"))?,
            splits: fields.splits.ok_or_else(|| missing("splits"))?,
            total_documents: fields
                .total_documents
                .ok_or_else(|| missing("total_documents"))?,
        };
        let splits = manifest.splits.iter();
        let splits = splits.map(|split| (split.split_id, split.num_documents));
        check_splits(splits, manifest.num_splits, manifest.total_documents)?;
        Ok(manifest)
    }
}

impl LegacySplit {
    /// The checksum as it was recorded.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }

    /// Compares the recorded checksum with the checksum of the recorded statistics.
    pub fn check(&self) -> RecordedChecksum {
        if !self.checksum.starts_with("md5:") {
            return RecordedChecksum::Incomparable;
        }
        let computed = self.computed(|key| Role::String(key.to_owned()));
        if [&computed, &self.computed(python_key)].contains(&&self.checksum) {
            RecordedChecksum::Same
        } else {
            RecordedChecksum::Other { computed }
        }
    }

    fn computed(&self, role: fn(&str) -> Role) -> String {
        let roles = self.role_distribution.iter();
        let roles: BTreeMap<_, _> = roles.map(|(key, count)| (role(key), *count)).collect();
        let fields = self.schema_fields.iter().map(String::as_str);
        checksum_of(self.num_documents, fields, self.feature_length, &roles)
    }
}

/// JSON keys are always strings, so roles that were not strings were converted to text.
fn python_key(key: &str) -> Role {
    match key {
        "null" => Role::Null,
        "true" => Role::Bool(true),
        "false" => Role::Bool(false),
        _ => key.parse().map(Role::Int).unwrap_or_else(|_| {
            let double = key.parse::<f64>().ok();
            double.map_or_else(
                || Role::String(key.to_owned()),
                |double| Role::Double(double.to_bits()),
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPARK: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/legacy-run/processed-splits/20251115_093000/manifest.json/",
        "part-00000-9cb1e84a-6a0b-407d-b09c-cf95144d2967-c000.json"
    ));

    fn plain() -> serde_json::Value {
        let line: serde_json::Value = serde_json::from_str(SPARK).unwrap();
        serde_json::from_str(line["manifest_json"].as_str().unwrap()).unwrap()
    }

    fn read(manifest: &serde_json::Value) -> Result<LegacyManifest, ManifestError> {
        LegacyManifest::read(&*serde_json::to_vec(manifest).unwrap())
    }

    #[test]
    fn a_legacy_manifest_is_read_as_spark_wrote_it_and_as_a_plain_object() {
        let by_spark = LegacyManifest::read(SPARK.as_bytes()).unwrap();
        assert_eq!(by_spark, read(&plain()).unwrap());
        assert_eq!(by_spark.run_id.to_string(), "20251115_093000");
        let documents = by_spark.splits.iter().map(|split| split.num_documents);
        assert_eq!(documents.collect::<Vec<_>>(), [60, 60, 60]);
    }

    #[test]
    fn a_recorded_checksum_of_other_statistics_is_detected() {
        let checksum_of_first = |change: fn(&mut serde_json::Value)| {
            let mut manifest = plain();
            change(&mut manifest["splits"][0]);
            read(&manifest).unwrap().splits[0].check()
        };
        assert_eq!(checksum_of_first(|_| ()), RecordedChecksum::Same);
        let changes: [fn(&mut serde_json::Value); 3] = [
            |split| split["role_distribution"]["train"] = 18.into(),
            |split| split["feature_length"] = 13.into(),
            |split| split["schema_fields"] = serde_json::json!(["_id"]),
        ];
        for change in changes {
            let checked = checksum_of_first(change);
            assert!(matches!(checked, RecordedChecksum::Other { .. }));
        }
        for none in ["unknown", "etag:\"0\""] {
            let mut manifest = plain();
            manifest["splits"][0]["checksum"] = none.into();
            let manifest = read(&manifest).unwrap();
            assert_eq!(manifest.splits[0].check(), RecordedChecksum::Incomparable);
        }
    }

    /// `md5("2:['_id']:None:[(None, 2)]")`, and the same with `[(1, 1), (2, 1)]`.
    #[test]
    fn roles_turned_into_json_strings_keep_the_checksum_that_python_computed() {
        for (roles, checksum) in [
            (
                serde_json::json!({ "null": 2 }),
                "md5:7f65dee792e047acef3b7d8b983fae29",
            ),
            (
                serde_json::json!({ "2": 1, "1": 1 }),
                "md5:4ad0d61bbec52545f49bbae7021211d4",
            ),
        ] {
            let split = serde_json::json!({
                "split_id": 0, "num_documents": 2, "role_distribution": roles, "schema_fields": ["_id"],
                "feature_length": null, "checksum": checksum,
            });
            let split: LegacySplit = serde_json::from_value(split).unwrap();
            assert_eq!(split.check(), RecordedChecksum::Same);
        }
    }

    #[test]
    fn an_inconsistent_or_malformed_legacy_manifest_is_an_error() {
        let changes: [fn(&mut serde_json::Value); 5] = [
            |manifest| manifest["num_splits"] = 2.into(),
            |manifest| manifest["total_documents"] = 181.into(),
            |manifest| manifest["splits"][1]["split_id"] = 0.into(),
            |manifest| manifest["splits"][1]["num_documents"] = u64::MAX.into(),
            |manifest| manifest["run_id"] = "../other".into(),
        ];
        for change in changes {
            let mut manifest = plain();
            change(&mut manifest);
            assert!(read(&manifest).is_err(), "{manifest}");
        }
        let twice = format!("{SPARK}{SPARK}");
        for other in [&twice, "", "[]", r#"{"manifest_json": "{"}"#] {
            assert!(LegacyManifest::read(other.as_bytes()).is_err(), "{other}");
        }
    }
}
