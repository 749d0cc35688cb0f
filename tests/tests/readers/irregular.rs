//! An irregular collection as found in practice: fields that are rare, of several types, absent,
//! null or nested, in many data files, read as one table by each reader with its default options.

use bson::raw::cstr;
use bson::{DateTime, RawDocumentBuf, oid::ObjectId, rawdoc};
use lob_tests::servers::Servers;
use serde_json::{Value, json};

use super::{EXPORT, IMPORT, Scripts};

const DOCUMENTS: i32 = 3000;
/// 2024-01-01T00:00:00Z.
const START: i64 = 1_704_067_200_000;

/// Sums of these numbers are exact in whatever order a reader adds them up.
fn document(number: i32) -> RawDocumentBuf {
    let mut id = [9; 12];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let id = ObjectId::from_bytes(id);
    let role = if number % 4 == 0 { "train" } else { "test" };
    let when = DateTime::from_millis(START + i64::from(number));
    let mut document = rawdoc! { "_id": id, "role": role, "when": when };
    // Mixed numbers, which share a column.
    match number % 3 {
        0 => document.append(cstr!("price"), number),
        1 => document.append(cstr!("price"), f64::from(number) + 0.25),
        _ => document.append(cstr!("price"), i64::from(number)),
    }
    // Two types; the column takes the more frequent one.
    if has_conflict(number) {
        document.append(cstr!("size"), "many");
    } else {
        document.append(cstr!("size"), number);
    }
    // True, false, null or absent.
    if number % 5 == 0 {
        document.append(cstr!("flag"), bson::RawBson::Null);
    } else if number % 7 != 0 {
        document.append(cstr!("flag"), number % 2 == 0);
    }
    let mut book = rawdoc! { "level": number % 10, "side": "bid" };
    if is_rare(number) {
        book.append(cstr!("venue"), "XNAS");
        document.append(cstr!("remark"), "rare");
    }
    document.append(cstr!("book"), book);
    let mut trades = bson::RawArrayBuf::new();
    for trade in 0..number % 3 {
        trades.push(rawdoc! { "at": f64::from(trade) / 2.0, "count": trade + 1 });
    }
    document.append(cstr!("trades"), trades);
    let mut features = bson::RawArrayBuf::new();
    (0..8).for_each(|feature| features.push(f64::from(number * feature) / 4.0));
    document.append(cstr!("features"), features);
    document
}

fn is_rare(number: i32) -> bool {
    number % 997 == 3
}

fn has_conflict(number: i32) -> bool {
    number % 10 == 9
}

/// What each script prints: one number per question.
fn answers(residual: u64) -> Value {
    let numbers = || 0..i64::from(DOCUMENTS);
    let count = |holds: fn(i32) -> bool| (0..DOCUMENTS).filter(|n| holds(*n)).count();
    let sum = |value: fn(i64) -> f64| numbers().map(value).sum::<f64>();
    json!({
        "rows": DOCUMENTS,
        "train": count(|n| n % 4 == 0),
        "last": START + i64::from(DOCUMENTS) - 1,
        "price": sum(|n| n as f64 + if n % 3 == 1 { 0.25 } else { 0.0 }),
        "size": sum(|n| if n % 10 == 9 { 0.0 } else { n as f64 }),
        "flag": count(|n| n % 5 != 0 && n % 7 != 0),
        "level": sum(|n| (n % 10) as f64),
        "venue": count(is_rare),
        "remark": count(is_rare),
        "trades": sum(|n| ((n % 3) * (n % 3 + 1) / 2) as f64),
        "features": sum(|n| (n * 28) as f64 / 4.0),
        "whole": residual,
    })
}

const DUCKDB: &str = "
import duckdb, json, sys
names = ['rows', 'train', 'last', 'price', 'size', 'flag', 'level', 'venue', 'remark', 'trades', 'features', 'whole']
row = duckdb.sql(f'''
    select count(*), count(*) filter (role = 'train'), epoch_ms(max(\"when\")), sum(price), sum(size), count(flag),
        sum(book.level), count(book.venue), count(remark), sum(list_sum([t.count for t in trades])),
        sum(list_sum(features)), count(_lob_bson)
    from '{sys.argv[1]}/*.parquet'
''').fetchall()[0]
print(json.dumps(dict(zip(names, map(float, row)))))
";

const PYARROW: &str = "
import json, sys
import pyarrow.compute as pc, pyarrow.dataset as ds
table = ds.dataset(sys.argv[1]).to_table()
column = table.column
book = column('book').combine_chunks()
trades = pc.list_flatten(column('trades')).combine_chunks()
print(json.dumps({key: float(value) for key, value in {
    'rows': table.num_rows, 'train': pc.sum(pc.equal(column('role'), 'train')).as_py(),
    'last': pc.max(column('when').cast('int64')).as_py(), 'price': pc.sum(column('price')).as_py(),
    'size': pc.sum(column('size')).as_py(), 'flag': pc.count(column('flag')).as_py(),
    'level': pc.sum(pc.struct_field(book, 'level')).as_py(), 'venue': pc.count(pc.struct_field(book, 'venue')).as_py(),
    'remark': pc.count(column('remark')).as_py(), 'trades': pc.sum(pc.struct_field(trades, 'count')).as_py(),
    'features': pc.sum(pc.list_flatten(column('features'))).as_py(), 'whole': pc.count(column('_lob_bson')).as_py(),
}.items()}))
";

const POLARS: &str = "
import json, polars as pl, sys
frame = pl.read_parquet(f'{sys.argv[1]}/*.parquet')
trades = frame['trades'].explode().struct.field('count')
print(json.dumps({key: float(value) for key, value in {
    'rows': frame.height, 'train': (frame['role'] == 'train').sum(), 'last': frame['when'].dt.epoch('ms').max(),
    'price': frame['price'].sum(), 'size': frame['size'].sum(), 'flag': frame['flag'].count(),
    'level': frame['book'].struct.field('level').sum(), 'venue': frame['book'].struct.field('venue').count(),
    'remark': frame['remark'].count(), 'trades': trades.sum(), 'features': frame['features'].list.sum().sum(),
    'whole': frame['_lob_bson'].count(),
}.items()}))
";

const SPARK: &str = "
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false').getOrCreate()
spark.read.parquet(sys.argv[1]).createOrReplaceTempView('split')
row = spark.sql('''
    select count(*) as rows, count_if(role = 'train') as train, unix_millis(max(`when`)) as last, sum(price) as price,
        sum(size) as size, count(flag) as flag, sum(book.level) as level, count(book.venue) as venue,
        count(remark) as remark, sum(aggregate(trades.count, 0L, (a, b) -> a + b)) as trades,
        sum(aggregate(features, 0D, (a, b) -> a + b)) as features, count(_lob_bson) as whole
    from split
''').first().asDict()
print(json.dumps({key: float(value) for key, value in row.items()}))
";

/// Exports the collection in small data files, and checks what each reader finds in them.
async fn exported(servers: &Servers, sample: &[&str]) -> Value {
    let documents: Vec<_> = (0..DOCUMENTS).map(document).collect();
    servers.insert("split_0_input", &documents).await;
    let small = [
        "--file-size",
        "16KiB",
        "--row-group-size",
        "16KiB",
        "--json",
    ];
    let arguments = [&EXPORT[..], &small, sample].concat();
    let exported = servers.run("lob-export", &arguments).await.with_status(0);
    let summary: Value = serde_json::from_str(&exported.stdout).unwrap();
    assert!(
        summary["splits"][0]["files"].as_u64().unwrap() > 5,
        "{summary}"
    );

    servers.run("lob-import", &IMPORT).await.with_status(0);
    let back = servers.documents(&servers.database, "back_0").await;
    assert_eq!(back, documents);
    summary["splits"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_irregular_collection_is_one_table_for_every_reader() {
    let servers = Servers::start().await;
    let split = exported(&servers, &["--columns-sample", "all"]).await;
    // Exactly those rows whose type does not fit the column.
    assert_eq!(split["residual_rows"], 300, "{split}");
    let scripts = Scripts {
        duckdb: DUCKDB,
        pyarrow: PYARROW,
        polars: POLARS,
        spark: SPARK,
    };
    scripts.all_find(&servers, &answers(300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_the_sample_missed_are_counted_and_named_in_the_summary() {
    let servers = Servers::start().await;
    let split = exported(&servers, &[]).await;
    let residual = split["residual_rows"].as_u64().unwrap();
    // The sample may have included the rare ones.
    let rare = (0..DOCUMENTS).filter(|number| is_rare(*number) && !has_conflict(*number));
    assert!(
        (300..=300 + rare.count() as u64).contains(&residual),
        "{split}"
    );
    let manifest = servers.manifest("r1").await;
    assert_eq!(manifest["splits"][0]["residual_rows"], residual);

    let again = [
        "--run-id",
        "r2",
        "--columns-sample",
        "1",
        "--columns-from",
        "none",
    ];
    let exported = servers.run("lob-export", &again).await.with_status(0);
    let named = "documents have values that fit no column: they are kept in `_lob_bson`";
    assert!(exported.stdout.contains(named), "{}", exported.stdout);
}
