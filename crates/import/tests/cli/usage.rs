//! What can be typed, and what is answered before anything begins.

use crate::bed::{Bed, assert_shown};

#[tokio::test]
async fn help_tells_every_flag() {
    assert_shown!(Bed::new().await.run(&["--help"]).await, @r#"
    exit status: 0
    ----- stdout -----
    Import an export from S3 into MongoDB split collections

    Each data file is proved by its SHA-256 before a byte of it is decoded. Documents go into a staging
    collection, which takes the target's place only when digest and counts are those of the manifest: at
    every instant a target is the old collection or the new one.

    Every option has an environment variable: `LOB_` and its name, such as LOB_BUCKET, or `LOB_IMPORT_`
    and its name where only this tool is meant.

    Usage: lob-import [OPTIONS] [COMMAND]

    Commands:
      verify  Read the target collections, and compare their digests with the manifest of a run

    Options:
          --latest
              Import the run with the latest time in its manifest, whatever LOB_RUN_ID or a file names,
              unless --run-id is typed

          --list
              List the runs that can be imported, and do nothing else

          --dry-run
              Say what would be imported and what it would replace, and write nothing

          --run-id <NAME>
              Run to import

          --split <NUMBERS>
              Splits to import, such as `0,2,5` [default: all]

          --database <NAME>
              Database to import into [default: raw]

          --collection-pattern <PATTERN>
              Names of the target collections, `{N}` for the number [default: split_{N}_input]

          --no-replace
              Fail where a target collection exists, instead of replacing it

          --keep-previous
              Keep a target collection that exists as `{target}__lob_previous_{ID}`

              This takes two renames, and between them there is no target: it is the one option with
              such a gap. A process that dies in it leaves both collections under other names, and the
              same command again puts the new one in its place.

          --max-shrink <PERCENT>
              Import nothing if the run has fewer documents than a target collection by more than this;
              `100%` allows any loss [default: 20%]

          --no-indexes
              Build no index but the one on `_id`

          --no-ttl
              Build no TTL index, by which the server would remove documents that were just restored

          --check <KIND>
              How the server's documents are checked before a target is replaced [default: standard]

              Possible values:
              - standard:  It counts the documents by the index on `_id`
              - estimated: It says how many there should be, and counts them if that is another number
              - full:      It counts them, and all are read back and compared by their digest

          --legacy-ids <KIND>
              What becomes of an `_id` of 24 hexadecimal digits in a run of the original scripts
              [default: object-id]

              Possible values:
              - object-id: The ObjectId that it was
              - string:    The string that the original made of it

          --count-tolerance <PERCENT>
              Percent of the documents by which a split of the original scripts may differ from its
              manifest [default: 0]

          --insert-workers <COUNT>
              Insert commands that are under way at once [default: 4]

          --max-bandwidth <SIZE>
              Bytes per second that are downloaded, and moved to or from MongoDB, such as `50MiB`
              [default: no limit]

          --spool-dir <DIR>
              Folder for data files while they are checked; one or two of them at a time [default: the
              system's temporary folder]

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

    MongoDB writes:
          --write-concern <MEMBERS>
              Members that must have a write in their journal: `majority` or a number [default:
              majority]

          --write-concern-timeout <DURATION>
              Time to wait for those members [default: 1m]

          --insert-batch-size <SIZE>
              Most bytes of one insert command, up to 16MiB [default: 4MiB]

          --insert-batch-documents <COUNT>
              Most documents of one insert command, up to 100000 [default: 10000]

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
    assert_shown!(Bed::new().await.run(&["--no-replase"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: unexpected argument '--no-replase' found

      tip: a similar argument exists: '--no-replace'

    Usage: lob-import --no-replace

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
async fn a_database_of_the_server_itself_is_wrong_usage() {
    let bed = Bed::new().await;
    for database in ["admin", "config", "local"] {
        let refused = bed.import(&["--database", database]).await;
        let stderr = &refused.stderr;
        assert_eq!(refused.status.code(), Some(2), "{stderr}");
        let told = format!("nothing is imported into `{database}`");
        assert!(stderr.contains(&told), "{stderr}");
        assert_eq!(bed.mongo.collections(database), []);
    }
}

#[tokio::test]
async fn no_run_is_wrong_usage() {
    let bed = Bed::new().await;
    assert_shown!(bed.run(&["--log-level", "error"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: no run is named
    hint: name it with --run-id, or take the last one with --latest
    "#);
    assert_eq!(bed.collections(), [""; 0]);
}

#[tokio::test]
async fn batches_that_no_server_takes_are_wrong_usage() {
    let bed = Bed::new().await;
    assert_shown!(bed.import(&["--insert-batch-size", "64MiB"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: a batch of 67108864 bytes and 10000 documents is outside of what MongoDB takes
        `insert_batch_documents`: default
        `insert_batch_size`: flag `--insert-batch-size`
    hint: --insert-batch-size takes up to 16MiB, --insert-batch-documents up to 100000
    "#);
}

#[tokio::test]
async fn a_bucket_that_is_not_named_is_wrong_usage() {
    let bed = Bed::new().await;
    let mut command = bed.command(&["--latest"]);
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
        "retry_timeout = '5m'\n[import]\ninsert_workers = 2\n",
    );
    let mut command = bed.command(&["--show-settings", "--no-replace"]);
    command
        .env(
            "MONGODB_URI",
            "mongodb://user:opensesame@db.example/?authSource=admin",
        )
        .env("LOB_WRITE_CONCERN", "1")
        .env("LOB_SPOOL_DIR", "/spool");
    assert_shown!(crate::bed::finish(command.spawn().unwrap()).await, @r#"
    exit status: 0
    ----- stdout -----
    attempt_timeout = "1m"  # default
    bucket = "lob-test"  # environment variable `LOB_BUCKET`
    # ca_bundle = (not set)  # default
    check = "standard"  # default
    collection_pattern = "split_{N}_input"  # default
    connect_timeout = "30s"  # default
    count_tolerance = 0  # default
    database = "raw"  # default
    endpoint_url = "http://[SERVER]"  # environment variable `AWS_ENDPOINT_URL`
    # expected_bucket_owner = (not set)  # default
    insert_batch_documents = 10000  # default
    insert_batch_size = "4MiB"  # default
    insert_workers = 2  # file `lob.toml`, section `[import]`
    keep_previous = false  # default
    legacy_ids = "object-id"  # default
    # max_bandwidth = (not set)  # default
    max_shrink = "20%"  # default
    mongodb_connect_timeout = "10s"  # default
    mongodb_operation_timeout = "2m"  # default
    mongodb_pool_size = 16  # default
    mongodb_retry_timeout = "20m"  # default
    mongodb_server_selection_timeout = "15s"  # default
    # mongodb_uri = mongodb://db.example/ and ***  # environment variable `MONGODB_URI`
    # mongodb_uri_file = (not set)  # default
    no_indexes = false  # default
    no_replace = true  # flag `--no-replace`
    no_ttl = false  # default
    path_style = "auto"  # default
    prefix = "processed-splits"  # default
    # profile = (not set)  # default
    region = "eu-central-1"  # environment variable `AWS_REGION`
    retry_timeout = "5m"  # file `lob.toml`
    # run_id = (not set)  # default
    split = "all"  # default
    spool_dir = "/spool"  # environment variable `LOB_SPOOL_DIR`
    write_concern = "1"  # environment variable `LOB_WRITE_CONCERN`
    write_concern_timeout = "1m"  # default
    ----- stderr -----
    "#);
}

#[tokio::test]
async fn a_target_beside_which_no_other_name_fits_is_wrong_usage() {
    let bed = Bed::new().await;
    let pattern = format!("{}{{N}}", "x".repeat(230));
    let args = ["--collection-pattern", &pattern, "--keep-previous"];
    let refused = bed.import(&args).await;
    let stderr = &refused.stderr;
    assert_eq!(refused.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("and MongoDB takes 255 bytes"), "{stderr}");
    assert_eq!(bed.fetched(), [""; 0]);
    bed.import(&args[..2]).await.expect(0);
}
