"""Exports a collection to one zstd Parquet file with PyMongoArrow, in chunks in `_id` order."""

import sys

import pyarrow as pa
import pyarrow.parquet as pq
from bson import ObjectId
from pymongo import MongoClient
from pymongoarrow.api import Schema, find_arrow_all
from pymongoarrow.types import ObjectIdType

ROWS = 4000
# Spelled out, because inferring it would mean reading the collection first.
SCHEMA = Schema(
    {
        "_id": ObjectIdType(),
        "timestamp": pa.timestamp("ms"),
        "timestamp_str": pa.string(),
        "role": pa.string(),
        "features": pa.list_(pa.float64()),
        "fold_id": pa.int32(),
        "fold_type": pa.string(),
    }
)

uri, database, collection, path = sys.argv[1:]
documents = MongoClient(uri)[database][collection]
writer, query = None, {}
while True:
    table = find_arrow_all(documents, query, schema=SCHEMA, sort=[("_id", 1)], limit=ROWS)
    if not table.num_rows:
        break
    last = table["_id"][-1].as_py()
    query = {"_id": {"$gt": last if isinstance(last, ObjectId) else ObjectId(last)}}
    writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
    writer.write_table(table)
if writer:
    writer.close()
