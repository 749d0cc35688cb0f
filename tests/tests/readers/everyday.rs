//! What collections really hold: nulls and gaps, order books by price, decimals of two scales,
//! arrays that mix numbers, fields that are always null, old and far-off dates. Each reader opens
//! it with its default options and finds the same.

use bson::raw::{CString, cstr};
use bson::{DateTime, RawArrayBuf, RawBson, RawDocumentBuf, rawdoc};
use lob_tests::servers::Servers;
use serde_json::{Value, json};

use super::{EXPORT, IMPORT, Scripts};

const DOCUMENTS: i32 = 2000;
/// 1899-12-30, the first moment of the year 1, and the last of the year 9999.
const DAYS: [i64; 3] = [-2_209_161_600_000, -62_135_596_800_000, 253_402_300_799_000];

fn document(number: i32) -> RawDocumentBuf {
    let mut document = rawdoc! { "_id": number, "never": RawBson::Null };
    match number % 3 {
        0 => document.append(cstr!("price"), f64::from(number) + 0.25),
        1 => document.append(cstr!("price"), RawBson::Null),
        _ => {}
    }
    let amount = if number % 2 == 0 { "1.5" } else { "0.25" };
    let amount: bson::Decimal128 = amount.parse().unwrap();
    document.append(cstr!("amount"), amount);
    let mut mixed = RawArrayBuf::new();
    mixed.push(number);
    mixed.push(0.5);
    mixed.push(RawBson::Null);
    document.append(cstr!("mixed"), mixed);
    let mut bids = RawDocumentBuf::new();
    for level in 0..10 {
        let price = format!("{}.5", 100 + (number * 7 + level) % 500);
        bids.append(CString::try_from(price).unwrap(), f64::from(level));
    }
    document.append(cstr!("bids"), bids);
    let day = DateTime::from_millis(DAYS[number as usize % 3]);
    document.append(cstr!("day"), day);
    document
}

/// One number or string per question.
fn answers() -> Value {
    let numbers = || 0..DOCUMENTS;
    let at_one_price: i32 = numbers()
        .flat_map(|n| (0..10).filter(move |level| (n * 7 + level) % 500 == 50))
        .sum();
    json!({
        "rows": DOCUMENTS,
        "price": numbers().filter(|n| n % 3 == 0).map(|n| f64::from(n) + 0.25).sum::<f64>(),
        "amount": "1750.00",
        "mixed": numbers().map(|n| f64::from(n) + 0.5).sum::<f64>(),
        "bids": f64::from(at_one_price),
        "days": "0001-01-01 1899-12-30 9999-12-31",
        "left": 0,
    })
}

const DUCKDB: &str = "
import duckdb, json, sys
duckdb.sql(\"set timezone = 'UTC'\")
names = ['rows', 'price', 'amount', 'mixed', 'bids', 'days', 'left']
row = duckdb.sql(f'''
    select count(*), sum(price), sum(amount)::varchar, sum(list_sum(mixed)), sum(bids['150.5']),
        (select string_agg(strftime(day, '%Y-%m-%d'), ' ' order by day) from (select distinct day from '{sys.argv[1]}/*.parquet')),
        count(_lob_bson)
    from '{sys.argv[1]}/*.parquet'
''').fetchall()[0]
print(json.dumps(dict(zip(names, [v if isinstance(v, str) else float(v) for v in row]))))
";

const PYARROW: &str = "
import glob, json, sys
import pyarrow.compute as pc, pyarrow.dataset as ds, pyarrow.parquet as pq
row_group = pq.ParquetFile(sorted(glob.glob(sys.argv[1] + '/*.parquet'))[0]).metadata.row_group(0)
chunks = [row_group.column(index) for index in range(row_group.num_columns)]
ranges = {chunk.path_in_schema for chunk in chunks if chunk.statistics and chunk.statistics.has_min_max}
assert {'_id', 'price', 'amount', 'day'} <= ranges, ranges
table = ds.dataset(sys.argv[1]).to_table()
bids = [value for row in table['bids'].to_pylist() for key, value in row if key == '150.5']
days = sorted({day.strftime('%Y').zfill(4) + day.strftime('-%m-%d') for day in table['day'].to_pylist()})
frame = table.drop_columns(['day']).to_pandas()
assert len(frame) == table.num_rows and abs(frame['price'].sum() - pc.sum(table['price']).as_py()) < 1e-6
print(json.dumps({
    'rows': table.num_rows, 'price': pc.sum(table['price']).as_py(), 'amount': str(pc.sum(table['amount']).as_py()),
    'mixed': pc.sum(pc.list_flatten(table['mixed'])).as_py(), 'bids': sum(bids), 'days': ' '.join(days),
    'left': table.num_rows - table['_lob_bson'].null_count,
}))
";

const POLARS: &str = "
import json, polars as pl, sys
frame = pl.read_parquet(f'{sys.argv[1]}/*.parquet')
bids = [dict(row).get('150.5') or 0 for row in frame['bids'].to_list()]
days = sorted({str(day)[:10] for day in frame['day'].to_list()})
print(json.dumps({
    'rows': frame.height, 'price': frame['price'].sum(), 'amount': str(frame['amount'].sum()),
    'mixed': frame['mixed'].list.sum().sum(), 'bids': sum(bids),
    'days': ' '.join(days), 'left': frame['_lob_bson'].count(),
}))
";

const SPARK: &str = "
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false') \\
    .config('spark.sql.session.timeZone', 'UTC').getOrCreate()
spark.read.parquet(sys.argv[1]).createOrReplaceTempView('split')
row = spark.sql('''
    select count(*) as rows, sum(price) as price, cast(sum(amount) as string) as amount,
        sum(aggregate(mixed, 0D, (a, b) -> a + coalesce(b, 0D))) as mixed, sum(bids['150.5']) as bids,
        array_join(array_sort(collect_set(date_format(day, 'yyyy-MM-dd'))), ' ') as days, count(_lob_bson) as left
    from split
''').first().asDict()
print(json.dumps({key: value if isinstance(value, str) else float(value) for key, value in row.items()}))
";

#[tokio::test(flavor = "multi_thread")]
async fn everyday_data_is_one_table_for_every_reader_without_residual_rows() {
    let servers = Servers::start().await;
    let documents: Vec<_> = (0..DOCUMENTS).map(document).collect();
    servers.insert("split_0_input", &documents).await;
    let small = [
        "--file-size",
        "64KiB",
        "--row-group-size",
        "64KiB",
        "--json",
    ];
    let arguments = [&EXPORT[..], &small].concat();
    let exported = servers.run("lob-export", &arguments).await.with_status(0);
    let summary: Value = serde_json::from_str(&exported.stdout).unwrap();
    assert_eq!(summary["splits"][0]["residual_rows"], 0, "{summary}");
    servers.run("lob-import", &IMPORT).await.with_status(0);
    let back = servers.documents(&servers.database, "back_0").await;
    assert_eq!(back, documents);

    let scripts = Scripts {
        duckdb: DUCKDB,
        pyarrow: PYARROW,
        polars: POLARS,
        spark: SPARK,
    };
    scripts.all_find(&servers, &answers()).await;
}
