//! What can be typed, and what is answered before anything begins.

use crate::bed::{Bed, assert_shown};

#[tokio::test]
async fn help_tells_every_flag() {
    assert_shown!(Bed::new().await.run(&["--help"]).await, @r#"
    exit status: 0
    ----- stdout -----
    Export MongoDB split collections to Parquet on S3

    Each collection `split_{N}_input` becomes a folder of Parquet files that Spark, DuckDB, pyarrow and
    polars read as one table, and from which lob-import brings back every document byte for byte. The
    manifest of the run is written last: a run without one does not exist.

    Several processes can share a run: one plans it, any number work, and one commits it.

    Every option has an environment variable: `LOB_` and its name, such as LOB_BUCKET, or `LOB_EXPORT_`
    and its name where only this tool is meant.

    Usage: lob-export [OPTIONS] [COMMAND]

    Commands:
      plan     Plan a run: its splits, their columns and ranges
      work     Export the ranges of a planned run that are this worker's
      commit   Commit a planned run of which every range is exported
      cleanup  List what a run left unfinished: multipart uploads that take space and cost money
      latest   Name the latest committed run, and where its splits are

    Options:
          --database <NAME>
              Database to export from [default: raw]

          --collection-pattern <PATTERN>
              Names of the split collections, `{N}` for the number [default: split_{N}_input]

          --split <NUMBERS>
              Splits to export, such as `0,2,5` [default: all]

          --run-id <NAME>
              Name of the run; one that was stopped is resumed [default: the time in UTC, but `work` and
              `commit` need a name]

          --compression <NAME>
              Compression of Parquet pages: `auto`, `zstd[:LEVEL]`, `lz4`, `snappy` or `none` [default:
              auto, which is zstd:1 but none for a column that does not shrink]

          --file-size <SIZE>
              Size at which a Parquet file ends and the next one begins [default: 256MiB]

          --row-group-size <SIZE>
              Size in memory of one row group; about eight of them are held at once [default: 16MiB]

          --ranges <COUNT>
              Ranges of `_id` that each split is cut into: `auto` or a number up to 10000 [default:
              auto]

          --range-size <SIZE>
              Size of the documents of one range where their number is `auto` [default: 1GiB]

          --snapshot
              Read all documents as they are at the time of the plan, whatever changes meanwhile

              Only a replica set or a cluster can do this, and only for as long as it keeps its history
              (`minSnapshotHistoryWindowInSeconds`, five minutes by default).

          --jobs <COUNT>
              Ranges that this process exports at once; each takes memory of its own for --read-ahead
              and for eight times --row-group-size [default: one for every two cores]

          --read-ahead <SIZE>
              Bytes of documents that are read ahead, of each range [default: 16MiB]

          --columns-sample <COUNT>
              Documents by which the columns of a split are chosen: as many from its start and as many
              all over it, or `all`, which reads the whole collection before it is exported [default:
              1000]

          --columns-from <RUN>
              Run whose columns are taken over, so that readers find all runs alike: `latest`, which is
              the last one of the same collection below --prefix, `none`, or the name of a run, complete
              or not [default: latest]

              New fields become columns at the end, and integers become doubles where doubles are met;
              no other type changes but by --map and --struct.

          --map <PATH>
              Documents whose field names are data, such as an order book by price: they become MAP
              columns; may be repeated [default: what the sample shows]

              A path is written as in `legs[].books.bids`.

          --struct <PATH>
              Documents whose field names are not data: they become STRUCT columns; may be repeated
              [default: what the sample shows]

          --max-misfits <PERCENT>
              Publish nothing if more than this share of a split's documents have values that no column
              holds, which are kept in `_lob_bson` [default: no limit]

          --max-shrink <PERCENT>
              Publish nothing if a split lost more of its documents since the last run of its collection
              below --prefix; `100%` allows any loss [default: 20%]

          --checksum <KIND>
              What the manifest's `checksum` is made of [default: statistics]

              Possible values:
              - statistics: The MD5 of the statistics
              - etag:       The ETags of the data files

          --manifest-dir <DIR>
              Folder for the local copy of the manifest [default: artifacts/s3_exports]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    MongoDB:
          --mongodb-uri <URI>
              MongoDB connection string [default: mongodb://localhost:27017/]

              Better set in the environment variable MONGODB_URI than here, where other users of the
              machine can read a password in it.

          --mongodb-uri-file <FILE>
              File that holds the MongoDB connection string

          --mongodb-connect-timeout <DURATION>
              Time that opening one connection may take [default: 10s]

          --mongodb-server-selection-timeout <DURATION>
              Time to look for a usable MongoDB server [default: 15s]

          --mongodb-operation-timeout <DURATION>
              Time that one MongoDB command may take [default: 2m]

          --mongodb-retry-timeout <DURATION>
              Time to go on trying when MongoDB is away or overloaded [default: 20m]

          --mongodb-pool-size <COUNT>
              Most connections to one MongoDB server [default: 16]

    S3:
          --bucket <NAME>
              Bucket that holds the runs, or `s3://NAME/PREFIX` (required)

          --prefix <PREFIX>
              Folder of runs in the bucket [default: lob-data, or processed-splits for exports]

          --endpoint-url <URL>
              Endpoint of an S3-compatible server [env: also AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL]

          --region <REGION>
              Region of the bucket [env: also AWS_REGION, AWS_DEFAULT_REGION]

          --profile <NAME>
              Profile of the AWS configuration files [env: also AWS_PROFILE]

          --ca-bundle <FILE>
              CA certificates in PEM, trusted beside the system's [env: also AWS_CA_BUNDLE]

          --path-style <STYLE>
              Whether the bucket is in the path of a URL or a host [default: auto]

              Possible values:
              - auto:    In the path with an endpoint URL, but for S3 Transfer Acceleration; else as a
                host
              - path:    In the path
              - virtual: As a host, for servers that know nothing else

          --expected-bucket-owner <ACCOUNT>
              Account id that must own the bucket; sent with every request

          --retry-timeout <DURATION>
              How long an S3 request is repeated when it fails for reasons that pass [default: 20m]

          --connect-timeout <DURATION>
              Time-out for an S3 connection to be made [default: 30s]

          --attempt-timeout <DURATION>
              Time-out of one attempt, beside the time that its body takes at [SPEED] [default: 1m]

          --part-size <SIZE>
              Size of one part of a multipart upload, 5 MiB to 5 GiB [default: 8MiB]

          --buffer-size <SIZE>
              Bytes of parts in memory at once, over all files [default: 64MiB, 32MiB for exports]

          --parts-in-flight <COUNT>
              Parts that are sent at once, over all files; fewer while S3 asks to slow down [default: 8]

          --max-bandwidth <SIZE>
              Bytes per second that are sent to S3, downloaded, and read from MongoDB, each over all
              files, such as `50MiB` [default: no limit]

    Objects:
          --storage-class <CLASS>
              Storage class of the data files, such as STANDARD_IA [default: the bucket's]

          --sse <KIND>
              Encryption by the server [default: the bucket's]

              Possible values:
              - AES256:       Keys that S3 keeps
              - aws:kms:      A key of AWS KMS
              - aws:kms:dsse: Two layers with a key of AWS KMS

          --sse-kms-key-id <KEY>
              KMS key for `--sse aws:kms` [default: the account's]

          --metadata <NAME=VALUE>
              Metadata of the data files; may be repeated

    Common:
          --config <FILE>
              Settings file [default: `lob.toml` in the working directory, where there is one]

          --show-settings
              Print every setting and where it came from, and do nothing else

          --json
              Print the result as one JSON object

          --progress <FORM>
              What to show while working [default: bars on a terminal, else log]

              Possible values:
              - none: Nothing
              - bars: Bars, redrawn in place
              - log:  A log line every ten seconds
              - json: A JSON object every ten seconds

          --log-format <FORM>
              Form of the log on stderr

              Possible values:
              - text: For people
              - json: One JSON object a line

              [default: text]

      -v, --verbose
              Log every step also where bars are shown, which else leave room for warnings only

      -q, --quiet
              Show neither progress nor anything of the log but errors

          --log-level <FILTER>
              What to log, as a level or a filter such as `info,lob_core=debug` [env: also RUST_LOG]

          --metrics-file <FILE>
              Write the counters of S3 and MongoDB operations, and how the command ended, to this file

          --metrics-format <FORM>
              Form of the metrics file

              Possible values:
              - prometheus: Prometheus's text format, such as for the node exporter's textfile collector
              - emf:        CloudWatch's embedded metric format: lines of JSON

              [default: prometheus]
    ----- stderr -----
    "#);
}

#[tokio::test]
async fn an_unknown_flag_is_wrong_usage() {
    assert_shown!(Bed::new().await.run(&["--splits", "1"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: unexpected argument '--splits' found

      tip: a similar argument exists: '--split'

    Usage: lob-export --split <NUMBERS>

    For more information, try '--help'.
    "#);
}

#[tokio::test]
async fn a_run_id_with_a_slash_is_wrong_usage() {
    assert_shown!(Bed::new().await.run(&["--run-id", "a/b"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'a/b' for '--run-id <NAME>': `a/b` is not a run id: 1 to 128 letters, digits, `.`, `_` or `-`, the first a letter or a digit

    For more information, try '--help'.
    "#);
}

#[tokio::test]
async fn a_selection_of_splits_that_is_none_is_wrong_usage() {
    assert_shown!(Bed::new().await.run(&["--split", "first"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'first' for '--split <NUMBERS>': `first` selects no splits: give `all`, or numbers with commas between them

    For more information, try '--help'.
    "#);
}

#[tokio::test]
async fn a_pattern_without_a_number_is_wrong_usage() {
    assert_shown!(Bed::new().await.run(&["--collection-pattern", "split"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'split' for '--collection-pattern <PATTERN>': `split` is no collection pattern: it must hold `{N}` exactly once

    For more information, try '--help'.
    "#);
}

#[tokio::test]
async fn row_groups_that_no_reader_takes_are_wrong_usage() {
    let bed = Bed::new().await;
    assert_shown!(bed.export(&["--row-group-size", "8GiB"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `row_group_size` 8GiB is outside of what readers take, 1 B to 128MiB
        `row_group_size`: flag `--row-group-size`
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn more_ranges_than_there_can_be_are_wrong_usage() {
    let bed = Bed::new().await;
    assert_shown!(bed.export(&["--ranges", "10001"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `ranges` 10001 is more than the 10000 ranges that a split is cut into at most
        `ranges`: flag `--ranges`
    "#);
    bed.assert_nothing_written();
}

#[tokio::test]
async fn a_bucket_that_is_not_named_is_wrong_usage() {
    let bed = Bed::new().await;
    let mut command = bed.command(&["--log-level", "error"]);
    assert_shown!(crate::bed::finish(command.env_remove("LOB_BUCKET").spawn().unwrap()).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: no bucket is given
    hint: name it with --bucket or LOB_BUCKET
    "#);
}

#[tokio::test]
async fn every_setting_is_shown_with_its_origin() {
    let bed = Bed::new().await;
    bed.write(
        "lob.toml",
        "retry_timeout = '5m'\n[export]\nfile_size = '64MiB'\n",
    );
    let mut command = bed.command(&["--show-settings", "--split", "0,2"]);
    command.env(
        "MONGODB_URI",
        "mongodb://user:opensesame@db.example/?authSource=admin",
    );
    assert_shown!(crate::bed::finish(command.spawn().unwrap()).await, @r#"
    exit status: 0
    ----- stdout -----
    attempt_timeout = "1m"  # default
    bucket = "lob-test"  # environment variable `LOB_BUCKET`
    buffer_size = "32MiB"  # default
    # ca_bundle = (not set)  # default
    checksum = "statistics"  # default
    collection_pattern = "split_{N}_input"  # default
    columns_from = "latest"  # default
    columns_sample = "1000"  # default
    compression = "auto"  # default
    connect_timeout = "30s"  # default
    database = "raw"  # default
    endpoint_url = "http://[SERVER]"  # environment variable `AWS_ENDPOINT_URL`
    # expected_bucket_owner = (not set)  # default
    file_size = "64MiB"  # file `lob.toml`, section `[export]`
    # jobs = (not set)  # default
    manifest_dir = "artifacts/s3_exports"  # default
    # map = (not set)  # default
    # max_bandwidth = (not set)  # default
    # max_misfits = (not set)  # default
    max_shrink = "20%"  # default
    # metadata = (not set)  # default
    mongodb_connect_timeout = "10s"  # default
    mongodb_operation_timeout = "2m"  # default
    mongodb_pool_size = 16  # default
    mongodb_retry_timeout = "20m"  # default
    mongodb_server_selection_timeout = "15s"  # default
    # mongodb_uri = mongodb://db.example/ and ***  # environment variable `MONGODB_URI`
    # mongodb_uri_file = (not set)  # default
    part_size = "8MiB"  # default
    parts_in_flight = 8  # default
    path_style = "auto"  # default
    prefix = "processed-splits"  # default
    # profile = (not set)  # default
    range_size = "1GiB"  # default
    ranges = "auto"  # default
    read_ahead = "16MiB"  # default
    region = "eu-central-1"  # environment variable `AWS_REGION`
    retry_timeout = "5m"  # file `lob.toml`
    row_group_size = "16MiB"  # default
    # run_id = (not set)  # default
    snapshot = false  # default
    split = "0,2"  # flag `--split`
    # sse = (not set)  # default
    # sse_kms_key_id = (not set)  # default
    # storage_class = (not set)  # default
    # struct = (not set)  # default
    # worker = (not set)  # default
    # workers = (not set)  # default
    ----- stderr -----
    "#);
}
