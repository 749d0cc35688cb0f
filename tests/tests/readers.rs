//! Data as other readers see it: DuckDB, pyarrow, polars and Spark open a split as one table, and
//! pymongo compares the raw documents of source and target.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "readers/everyday.rs"]
mod everyday;
#[path = "readers/irregular.rs"]
mod irregular;

use bson::RawDocumentBuf;
use lob_testkit::bson_samples;
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::python;
use lob_tests::servers::Servers;
use serde_json::Value;

const EXPORT: [&str; 2] = ["--run-id", "r1"];
const IMPORT: [&str; 4] = ["--run-id", "r1", "--collection-pattern", "back_{N}"];

/// The requested number of generated documents.
fn split_documents(count: usize, features: usize) -> Vec<RawDocumentBuf> {
    SplitDocuments::new(7, features).take(count).collect()
}

fn samples() -> Vec<RawDocumentBuf> {
    let samples = bson_samples::samples().into_iter();
    samples.map(|sample| sample.document).collect()
}

/// Downloads the data files of run `r1` into a folder of their own.
async fn download(servers: &Servers) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for key in servers
        .keys()
        .await
        .iter()
        .filter(|key| key.ends_with(".parquet"))
    {
        let name = key.rsplit('/').next().unwrap();
        std::fs::write(folder.path().join(name), servers.object(key).await).unwrap();
    }
    folder
}

/// One script per reader. Each opens the data files in the folder it is given, and prints its
/// answers to the same questions as one JSON object.
struct Scripts {
    duckdb: &'static str,
    pyarrow: &'static str,
    polars: &'static str,
    spark: &'static str,
}

impl Scripts {
    /// Panics unless every installed reader finds these answers in the data files of run `r1`.
    async fn all_find(&self, servers: &Servers, answers: &Value) {
        let folder = download(servers).await;
        let folder = folder.path().to_str().unwrap();
        let found = [
            ("DuckDB", python::run(self.duckdb, &[folder])),
            ("pyarrow", python::run(self.pyarrow, &[folder])),
            ("polars", python::run(self.polars, &[folder])),
            ("Spark", python::run_with_spark(self.spark, &[folder])),
        ];
        for (reader, found) in found {
            let Some(found) = found else { continue };
            let found: Value = serde_json::from_str(&found).unwrap();
            for (question, answer) in answers.as_object().unwrap() {
                let found = &found[question];
                let is_same = match answer.as_f64() {
                    Some(number) => found.as_f64() == Some(number),
                    None => found == answer,
                };
                assert!(is_same, "{question} by {reader}: {found} for {answer}");
            }
        }
    }
}

const TABLE: &str = "
import sys, glob, duckdb, polars, pyarrow.dataset
folder = sys.argv[1]
split = duckdb.sql(f\"select * from read_parquet('{folder}/*.parquet')\")
types = dict(zip(split.columns, map(str, split.types)))
assert types['_id'] == 'VARCHAR', types
assert types['timestamp'] == 'TIMESTAMP WITH TIME ZONE', types
assert types['features'] == 'DOUBLE[]', types
assert types['role'] == 'VARCHAR', types
assert types['fold_id'] in ('BIGINT', 'INTEGER'), types
count = duckdb.sql('select count(*) from split').fetchall()[0][0]
arrow = pyarrow.dataset.dataset(folder).to_table()
frame = polars.read_parquet(f'{folder}/*.parquet')
assert count == arrow.num_rows == frame.height, (count, arrow.num_rows, frame.height)
total = duckdb.sql('select sum(list_sum(features)) from split').fetchall()[0][0]
by_polars = frame['features'].list.sum().sum()
assert abs(total - by_polars) < 1e-6 * max(1, abs(total)), (total, by_polars)
assert len(set(arrow['_id'].to_pylist())) == count
print(count)
";

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_pyarrow_and_polars_read_a_split_as_one_table() {
    let servers = Servers::start().await;
    servers
        .insert("split_0_input", &split_documents(1000, 30))
        .await;
    let small = [
        &EXPORT[..],
        &["--file-size", "100KiB", "--row-group-size", "30KiB"],
    ]
    .concat();
    servers.run("lob-export", &small).await.with_status(0);
    let folder = download(&servers).await;
    assert!(std::fs::read_dir(&folder).unwrap().count() > 1);
    if let Some(count) = python::run(TABLE, &[folder.path().to_str().unwrap()]) {
        assert_eq!(count.trim(), "1000");
    }
}

/// Compares every value in an ordinary column, or in the MAP of rare fields, with the document's
/// value. Residual rows may leave columns empty.
const VALUES: &str = "
import sys, math, duckdb, pymongo, pyarrow.dataset
from bson import ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from datetime import datetime
folder, uri, database = sys.argv[1:]
class FirstOfEachName(dict):
    def __setitem__(self, name, value):
        self.setdefault(name, value)
options = CodecOptions(document_class=FirstOfEachName, tz_aware=True, unicode_decode_error_handler='replace',
                       datetime_conversion=DatetimeConversion.DATETIME_AUTO)
documents = pymongo.MongoClient(uri)[database].get_collection('split_0_input', options).find()
arrow = pyarrow.dataset.dataset(folder).to_table().to_pylist()
split = duckdb.sql(f\"select * from read_parquet('{folder}/*.parquet')\")
by_duckdb = {row[0]: dict(zip(split.columns, row)) for row in split.fetchall()}
by_arrow = {row['_id']: row for row in arrow}
for row in [*by_arrow.values(), *by_duckdb.values()]:
    row.update(dict(row['_lob_fields'] or ()))
assert len(by_arrow) == len(arrow) == len(by_duckdb)
def plain(value):
    return str(value) if isinstance(value, ObjectId) else value
def same(a, b):
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))
compared = 0
for document in documents:
    for name, value in document.items():
        if not isinstance(value, (str, bool, int, float, ObjectId, datetime)):
            continue
        for rows in (by_arrow, by_duckdb):
            found = rows[document['_id']].get(name)
            if found is not None and type(found) is type(plain(value)) or name == '_id':
                assert same(found, plain(value)), (document['_id'], name, found, value)
                compared += 1
assert compared > 2 * len(arrow), compared
print(len(arrow))
";

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_of_oddities_has_the_right_values_in_its_ordinary_columns() {
    let servers = Servers::start().await;
    let samples = samples();
    servers.insert("split_0_input", &samples).await;
    servers.run("lob-export", &EXPORT).await.with_status(0);
    let folder = download(&servers).await;
    let arguments = [
        folder.path().to_str().unwrap(),
        &servers.mongodb_uri,
        &servers.database,
    ];
    if let Some(count) = python::run(VALUES, &arguments) {
        assert_eq!(count.trim(), samples.len().to_string());
    }
}

const COMPARE: &str = "
import sys, pymongo
from bson.raw_bson import RawBSONDocument
from bson.codec_options import CodecOptions
uri, database, source, target = sys.argv[1:]
options = CodecOptions(document_class=RawBSONDocument)
database = pymongo.MongoClient(uri)[database]
def raw(name):
    cursor = database.get_collection(name, codec_options=options).find().sort('_id', 1)
    return [document.raw for document in cursor]
assert raw(source) == raw(target)
print(len(raw(source)))
";

#[tokio::test(flavor = "multi_thread")]
async fn pymongo_finds_source_and_target_equal_byte_for_byte() {
    let servers = Servers::start().await;
    servers
        .insert("split_0_input", &split_documents(500, 20))
        .await;
    servers.insert("split_1_input", &samples()).await;
    servers.run("lob-export", &EXPORT).await.with_status(0);
    servers.run("lob-import", &IMPORT).await.with_status(0);
    for (split, count) in [(0, 500), (1, samples().len())] {
        let (source, target) = (format!("split_{split}_input"), format!("back_{split}"));
        let arguments = [&*servers.mongodb_uri, &servers.database, &source, &target];
        if let Some(compared) = python::run(COMPARE, &arguments) {
            assert_eq!(compared.trim(), count.to_string());
        }
    }
}
