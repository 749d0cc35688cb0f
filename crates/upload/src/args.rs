//! The command-line syntax of `lob-upload`; what the options mean is decided elsewhere.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use lob_core::cli::{CommandLine, is_of_s3};
use lob_core::settings::ByteSize;
use lob_core::settings::CommonArgs;
use lob_core::settings::ObjectArgs;
use lob_core::settings::S3Args;
use lob_core::settings::whole;
use lob_core::settings::{MemoryArgs, PartArgs};
use lob_core::settings::{RunArg, RunId};
use serde::Serialize;

use crate::settings::{HashKind, Settings};

/// Upload a directory of Parquet files to S3
///
/// Each file is read once, and the server attests the checksum of the whole object. The manifest of
/// the run is written last: a run without one does not exist.
///
/// Every setting also has an environment variable: `LOB_` and its name, such as LOB_BUCKET, or
/// `LOB_UPLOAD_` and its name for this tool alone.
#[derive(Debug, Parser, Serialize)]
#[command(name = "lob-upload", version)]
pub struct Args {
    /// What to do instead of an upload.
    #[command(subcommand)]
    #[serde(skip)]
    pub(crate) command: Option<Command>,
    /// Directory to upload: its `*.parquet` files and those of its subdirectories
    #[arg(long, value_name = "DIR")]
    pub(crate) source_dir: Option<PathBuf>,
    /// Upload only files that match this pattern; can be repeated [default: all]
    ///
    /// A pattern without `/` is matched against the file name, one with `/` against the whole path
    /// below the source directory. `*` and `?` do not match `/`, and `**` does.
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// Leave out files that match this pattern, even if --include matches them; can be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Name of the run: a new one, or one to resume, verify, restore or clean up [default for a new
    /// run: the time in UTC]
    #[arg(long, value_name = "NAME")]
    pub(crate) run_id: Option<RunId>,
    /// Largest file to send in one request; larger ones are sent in parts
    #[arg(long, value_name = "SIZE")]
    pub(crate) multipart_threshold: Option<ByteSize>,
    /// Files to send at once [default: of those sent in one request as many as of parts, of larger
    /// ones one for each core, and at least 4]
    #[arg(long, value_name = "COUNT", value_parser = whole::<NonZeroUsize>)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Directory for the local copy of the manifest
    #[arg(long, value_name = "DIR")]
    pub(crate) manifest_dir: Option<PathBuf>,
    /// Hash in the manifest's `checksum`; SHA-256 is always computed and recorded
    #[arg(long, value_enum, value_name = "HASH")]
    pub(crate) hash: Option<HashKind>,
    /// Publish the run without files that changed, disappeared or are not Parquet; its manifest lists
    /// them with their errors
    #[arg(long)]
    pub(crate) allow_partial: bool,
    /// Print what would be uploaded, without asking S3 or writing anything
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How S3 is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) s3: S3Args,
    /// How much memory is taken.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) memory: MemoryArgs,
    /// How files are cut into parts.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) parts: PartArgs,
    /// How objects are stored.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) objects: ObjectArgs,
    /// What every tool has.
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) common: CommonArgs,
}

/// What there is to do with a run beside uploading it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that every object of a run is what its manifest says
    Verify {
        /// The run.
        #[command(flatten)]
        run: RunArg,
        /// Download every object as well, and compare its SHA-256
        #[arg(long)]
        full: bool,
    },
    /// Bring the files of a run back to disk, each proved by its SHA-256
    ///
    /// Files that are already there are checked and not fetched again, so the same command resumes a
    /// restore that was stopped. A file with other content is never overwritten.
    #[command(allow_missing_positional = true)]
    Restore {
        /// The run.
        #[command(flatten)]
        run: RunArg,
        /// Directory for the files; created if it does not exist
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Name the latest committed run, and where its files are
    Latest {
        /// Print only the s3:// addresses of the files, one per line
        #[arg(long)]
        print_uri: bool,
    },
    /// List the uploads below the prefix, newest first
    List,
    /// List the multipart uploads that a run left open: they take space and cost money
    Cleanup {
        /// The run.
        #[command(flatten)]
        run: RunArg,
        /// Abort the listed uploads
        #[arg(long)]
        yes: bool,
    },
}

impl CommandLine for Args {
    const INPUT: &'static str = "--source-dir";

    fn defaults() -> impl Serialize {
        Settings::default()
    }

    fn takes(verb: Option<&str>, flag: &str) -> bool {
        match verb {
            None => true,
            Some("latest" | "list") => is_of_s3(flag),
            Some("cleanup") => flag == "run_id" || is_of_s3(flag),
            Some(_) => ["run_id", "max_bandwidth"].contains(&flag) || is_of_s3(flag),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;
    use lob_core::cli::command;
    use serde_json::json;

    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        let line = ["lob-upload"].into_iter().chain(line.split_whitespace());
        Args::from_arg_matches(&command::<Args>().try_get_matches_from(line)?)
    }

    #[test]
    fn the_command_line_is_consistent() {
        command::<Args>().debug_assert();
    }

    #[test]
    fn every_upload_option_is_parsed() {
        let args = parse(
            "--include a* --include d/** --exclude {b,c}* --hash md5 --allow-partial --dry-run \
             --storage-class STANDARD_IA --sse aws:kms --sse-kms-key-id key-1 \
             --metadata team=research --metadata query=a=b --expected-bucket-owner 111122223333 \
             --retry-timeout 20m --parts-in-flight 4 --max-bandwidth 50MiB",
        );
        let args = args.unwrap();
        assert!(args.dry_run && args.command.is_none());
        let mut settings = serde_json::to_value(&args).unwrap();
        let untyped = [json!(null), json!(false), json!([]), json!({})];
        let settings = settings.as_object_mut().unwrap();
        settings.retain(|_, value| !untyped.contains(value));
        let expected = json!({
            "include": ["a*", "d/**"],
            "exclude": ["{b,c}*"],
            "hash": "md5",
            "allow_partial": true,
            "dry_run": true,
            "storage_class": "STANDARD_IA",
            "sse": "aws:kms",
            "sse_kms_key_id": "key-1",
            "metadata": { "query": "a=b", "team": "research" },
            "expected_bucket_owner": "111122223333",
            "retry_timeout": "20m",
            "parts_in_flight": 4,
            "max_bandwidth": "50MiB",
        });
        assert_eq!(json!(settings), expected);
        for line in [
            "--hash sha1",
            "--metadata team",
            "--sse none",
            "restore",
            "verify a/b",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn s3_options_work_before_and_after_the_subcommand() {
        for line in [
            "--bucket b --json verify run-1 --full",
            "verify --bucket b run-1 --full --json",
        ] {
            let args = parse(line).unwrap();
            assert_eq!(args.s3.bucket.as_deref(), Some("b"));
            assert!(args.common.json);
            let Some(Command::Verify { run, full }) = args.command else {
                panic!("{line}");
            };
            let run = run.named(None, None).unwrap();
            assert!(full && run.to_string() == "run-1");
        }
        let args = parse("restore there --run-id run-1").unwrap();
        let there = std::path::Path::new("there");
        assert!(
            matches!(args.command, Some(Command::Restore { directory, .. }) if directory == there)
        );
        let args = parse("cleanup run-1 --yes").unwrap();
        assert!(matches!(
            args.command,
            Some(Command::Cleanup { yes: true, .. })
        ));
    }
}
