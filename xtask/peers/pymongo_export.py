"""Exports a collection to a zstd Parquet file with pymongo and pyarrow, row group by row group."""

import sys
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
from pymongo import MongoClient

ROWS = 4000

uri, database, collection, path = sys.argv[1:]
cursor = MongoClient(uri)[database][collection].find(batch_size=1000)
writer = None
while rows := list(islice(cursor, ROWS)):
    for row in rows:
        row["_id"] = str(row["_id"])
    table = pa.Table.from_pylist(rows, schema=writer and writer.schema)
    writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
    writer.write_table(table)
if writer:
    writer.close()
