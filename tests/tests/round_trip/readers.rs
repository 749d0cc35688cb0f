//! What others read: DuckDB, pyarrow and polars open a split as one table, and pymongo compares
//! the raw documents of source and target.

use super::{EXPORT, out_and_back, samples, split_documents};
use lob_tests::python;
use lob_tests::servers::Servers;

/// The data files of run `r1` in a folder of their own.
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

const TABLE: &str = "
import sys, glob, duckdb, polars, pyarrow.dataset
folder = sys.argv[1]
table = duckdb.sql(f\"select * from read_parquet('{folder}/*.parquet')\")
types = dict(zip(table.columns, map(str, table.types)))
assert types['_id'] == 'VARCHAR', types
assert types['timestamp'] == 'TIMESTAMP WITH TIME ZONE', types
assert types['features'] == 'DOUBLE[]', types
assert types['role'] == 'VARCHAR', types
assert types['fold_id'] in ('BIGINT', 'INTEGER'), types
count = duckdb.sql('select count(*) from table').fetchone()[0]
arrow = pyarrow.dataset.dataset(folder).to_table()
frame = polars.read_parquet(f'{folder}/*.parquet')
assert count == arrow.num_rows == frame.height, (count, arrow.num_rows, frame.height)
total = duckdb.sql('select sum(list_sum(features)) from table').fetchone()[0]
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

const SAMPLES: &str = "
import sys, glob, duckdb, pyarrow.dataset
folder = sys.argv[1]
arrow = pyarrow.dataset.dataset(folder).to_table().to_pylist()
rows = duckdb.sql(f\"select * from read_parquet('{folder}/*.parquet') order by _id\")
ids = [row['_id'] for row in arrow]
assert ids == [row[0] for row in rows.project('_id').fetchall()], ids
print(len(ids))
";

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_of_oddities_is_a_table_as_well() {
    let servers = Servers::start().await;
    servers.insert("split_0_input", &samples()).await;
    servers.run("lob-export", &EXPORT).await.with_status(0);
    let folder = download(&servers).await;
    if let Some(count) = python::run(SAMPLES, &[folder.path().to_str().unwrap()]) {
        assert_eq!(count.trim(), samples().len().to_string());
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
async fn pymongo_finds_the_raw_documents_of_source_and_target_equal() {
    let servers = Servers::start().await;
    servers
        .insert("split_0_input", &split_documents(500, 20))
        .await;
    servers.insert("split_1_input", &samples()).await;
    out_and_back(&servers).await;
    for (split, count) in [(0, 500), (1, samples().len())] {
        let (source, target) = (format!("split_{split}_input"), format!("back_{split}"));
        let arguments = [&*servers.mongodb_uri, &servers.database, &source, &target];
        if let Some(compared) = python::run(COMPARE, &arguments) {
            assert_eq!(compared.trim(), count.to_string());
        }
    }
}
