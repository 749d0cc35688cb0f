"""Exports a collection to a folder of snappy Parquet files with PySpark and MongoDB's connector."""

import sys

from pyspark.sql import SparkSession

uri, database, collection, folder = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
reader = spark.read.format("mongodb").option("connection.uri", uri)
documents = reader.option("database", database).option("collection", collection).load()
documents.write.parquet(folder)
spark.stop()
