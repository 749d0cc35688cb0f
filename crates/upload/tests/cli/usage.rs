//! What can be typed, and what is answered before anything begins.

use crate::bed::{Bed, assert_shown};

#[tokio::test]
async fn help_tells_every_flag() {
    assert_shown!(Bed::new().await.run(&["--help"]).await, @r"
    exit status: 0
    ----- stdout -----
    Upload a directory of Parquet files to S3

    Each file is read once, and the server attests the checksum of the whole object. The manifest of the
    run is written last: a run without one does not exist.

    Every option has an environment variable: `LOB_` and its name, such as LOB_BUCKET, or `LOB_UPLOAD_`
    and its name where only this tool is meant.

    Usage: lob-upload [OPTIONS] [COMMAND]

    Commands:
      verify   Check that every object of a run is what its manifest says
      restore  Bring the files of a run back to disk, each proved by its SHA-256
      latest   Name the latest committed run, and where its files are
      cleanup  List what a run left unfinished: multipart uploads that take space and cost money

    Options:
          --source-dir <DIR>
              Directory whose `*.parquet` files are uploaded, with its subdirectories [default:
              lob_data]

          --include <GLOB>
              Upload only files that match this pattern; may be repeated [default: all]

              A pattern without `/` is matched against the file name, one with `/` against the whole
              path below the source directory. `*` and `?` do not match `/`, and `**` does.

          --exclude <GLOB>
              Leave out files that match this pattern, also where they are included; may be repeated

          --run-id <NAME>
              Name of the run; one that was stopped is resumed [default: the time in UTC]

          --multipart-threshold <SIZE>
              Largest file that is sent in one request; larger ones are sent in parts [default: 16MiB]

          --concurrency <COUNT>
              Files that are sent at once [default: 4]

          --manifest-dir <DIR>
              Directory of the manifests' local copies [default: artifacts/lob_data_uploads]

          --hash <HASH>
              Hash in the manifest's `checksum`; SHA-256 is always computed and recorded [default:
              sha256]

              Possible values:
              - sha256: SHA-256
              - md5:    MD5, as the original has it: computed as well, at more cost than all the rest
                together

          --allow-partial
              Publish the run without files that changed, are gone or are no Parquet; its manifest lists
              them with their errors

          --dry-run
              Print what would be uploaded, ask S3 nothing and write nothing

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

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
    ");
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
async fn an_unknown_flag_is_wrong_usage() {
    assert_shown!(Bed::new().await.run(&["--sorce-dir", "x"]).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: unexpected argument '--sorce-dir' found

      tip: a similar argument exists: '--source-dir'

    Usage: lob-upload --source-dir <DIR>

    For more information, try '--help'.
    "#);
}

#[tokio::test]
async fn a_missing_bucket_name_is_wrong_usage() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", lob_testkit::parquet_files::FeedSize::Rows(1));
    let mut command = bed.command(&[]);
    command.env_remove("LOB_BUCKET");
    assert_shown!(crate::bed::finish(command.spawn().unwrap()).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: no bucket is given
    hint: name it with --bucket or LOB_BUCKET
    "#);
}

#[tokio::test]
async fn buffers_that_cannot_hold_what_must_fit_are_wrong_usage() {
    let bed = Bed::new().await;
    let args = ["--multipart-threshold", "32MiB", "--buffer-size", "16MiB"];
    assert_shown!(bed.run(&args).await, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `buffer_size` 16MiB cannot hold a file of `multipart_threshold` 32MiB
        `buffer_size`: flag `--buffer-size`
        `multipart_threshold`: flag `--multipart-threshold`
    "#);
}

#[tokio::test]
async fn a_value_that_is_refused_is_told_with_its_origin() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", lob_testkit::parquet_files::FeedSize::Rows(1));
    for (variable, value, file, told) in [
        (
            "LOB_PREFIX",
            "a//b",
            "",
            "    `prefix`: environment variable `LOB_PREFIX`\n",
        ),
        (
            "LOB_UPLOAD_INCLUDE",
            "{a",
            "",
            "    `include`: environment variable `LOB_UPLOAD_INCLUDE`\n",
        ),
        (
            "LOB_BUCKET",
            "a b",
            "",
            "invalid setting `bucket`, from environment variable `LOB_BUCKET`",
        ),
        (
            "X",
            "",
            "max_bandwidth = 1",
            "    `max_bandwidth`: file `lob.toml`\n",
        ),
        (
            "X",
            "",
            "[upload]\nattempt_timeout = '0s'",
            "    `attempt_timeout`: file `lob.toml`, section `[upload]`\n",
        ),
        (
            "X",
            "",
            "[upload]\nsse_kms_key_id = 'k'",
            "    `sse_kms_key_id`: file `lob.toml`, section `[upload]`\n",
        ),
        (
            "LOB_CONCURRENCY",
            "many",
            "",
            "invalid setting `concurrency`, from environment variable `LOB_CONCURRENCY`: expected a \
             whole number from 1 on, not `many`",
        ),
    ] {
        std::fs::write(bed.path("lob.toml"), file).unwrap();
        let mut command = bed.command(&[]);
        command.env(variable, value);
        let refused = crate::bed::finish(command.spawn().unwrap()).await.expect(2);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
    let typed = bed.run(&["--concurrency", "many"]).await.expect(2);
    let told = "invalid value 'many' for '--concurrency <COUNT>': expected a whole number";
    assert!(typed.stderr.contains(told), "{}", typed.stderr);
    bed.assert_nothing_published();
}

#[tokio::test]
async fn every_setting_is_shown_with_its_origin() {
    let bed = Bed::new().await;
    std::fs::write(
        bed.path("lob.toml"),
        "retry_timeout = '5m'\n[upload]\nconcurrency = 2\n",
    )
    .unwrap();
    let mut command = bed.command(&[
        "--show-settings",
        "--source-dir",
        "feed",
        "--run-id",
        "run-1",
        "--exclude",
        "old/**",
        "--exclude",
        "{x,y}*",
    ]);
    command.env("LOB_METADATA", "team=research, desk=x");
    assert_shown!(crate::bed::finish(command.spawn().unwrap()).await, @r#"
    exit status: 0
    ----- stdout -----
    allow_partial = false  # default
    attempt_timeout = "1m"  # default
    bucket = "lob-test"  # environment variable `LOB_BUCKET`
    buffer_size = "64MiB"  # default
    # ca_bundle = (not set)  # default
    concurrency = 2  # file `lob.toml`, section `[upload]`
    connect_timeout = "30s"  # default
    endpoint_url = "http://[SERVER]"  # environment variable `AWS_ENDPOINT_URL`
    exclude = ["old/**", "{x,y}*"]  # flag `--exclude`
    # expected_bucket_owner = (not set)  # default
    hash = "sha256"  # default
    # include = (not set)  # default
    manifest_dir = "artifacts/lob_data_uploads"  # default
    # max_bandwidth = (not set)  # default
    metadata = { desk = "x", team = "research" }  # environment variable `LOB_METADATA`
    multipart_threshold = "5MiB"  # environment variable `LOB_MULTIPART_THRESHOLD`
    part_size = "5MiB"  # environment variable `LOB_PART_SIZE`
    parts_in_flight = 8  # default
    path_style = "auto"  # default
    prefix = "lob-data"  # default
    # profile = (not set)  # default
    region = "eu-central-1"  # environment variable `AWS_REGION`
    retry_timeout = "5m"  # file `lob.toml`
    run_id = "run-1"  # flag `--run-id`
    source_dir = "feed"  # flag `--source-dir`
    # sse = (not set)  # default
    # sse_kms_key_id = (not set)  # default
    # storage_class = (not set)  # default
    ----- stderr -----
    "#);
}
