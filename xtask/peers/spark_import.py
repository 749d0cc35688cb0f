"""Imports a folder of Parquet files into a collection with PySpark and MongoDB's connector."""

import sys

from pyspark.sql import SparkSession

uri, database, collection, folder = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
writer = spark.read.parquet(folder).write.format("mongodb").mode("append")
writer = writer.option("connection.uri", uri).option("database", database)
writer = writer.option("collection", collection)
writer.option("maxBatchSize", "1000").option("ordered", "false").save()
spark.stop()
