//! How S3 is reached: the settings that all three tools share, and their flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::endpoint_url::EndpointUrl;
use crate::failure::Failure;
use crate::run::{InvalidPrefix, Prefix};

/// Everything about S3, resolved. Where a value is absent the SDK's own chain decides: profile,
/// environment, container or instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct S3Settings {
    /// The bucket; it has no default.
    pub bucket: String,
    /// The folder of runs inside the bucket.
    pub prefix: String,
    /// Another endpoint than AWS's own, such as `http://127.0.0.1:9000`.
    pub endpoint_url: Option<EndpointUrl>,
    /// The region of the bucket.
    pub region: Option<String>,
    /// The profile of the shared AWS configuration files.
    pub profile: Option<String>,
    /// A file of CA certificates in PEM, trusted beside the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Address the bucket in the path instead of the host name; on by itself with an endpoint.
    pub path_style: bool,
    /// The account that must own the bucket; sent with every request.
    pub expected_bucket_owner: Option<String>,
    /// How long a request that fails for reasons that pass is repeated.
    #[serde(with = "humantime_serde")]
    pub retry_timeout: Duration,
    /// Time-out for a connection to be made.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Time-out of one attempt, beside the time that its body takes at the slowest rate.
    #[serde(with = "humantime_serde")]
    pub attempt_timeout: Duration,
}

impl S3Settings {
    /// The defaults, with the prefix that differs from tool to tool. The connect time-out is that of
    /// the original's helper module; requests outlive an outage of a quarter of an hour.
    pub fn defaults(prefix: &str) -> Self {
        Self {
            bucket: String::new(),
            prefix: prefix.to_owned(),
            endpoint_url: None,
            region: None,
            profile: None,
            ca_bundle: None,
            path_style: false,
            expected_bucket_owner: None,
            retry_timeout: Duration::from_secs(20 * 60),
            connect_timeout: Duration::from_secs(30),
            attempt_timeout: Duration::from_secs(60),
        }
    }
}

impl S3Settings {
    /// The bucket.
    ///
    /// # Errors
    /// None is given.
    pub fn bucket(&self) -> Result<&str, Failure> {
        match self.bucket.as_str() {
            "" => Err(Failure::usage("no bucket is given")
                .with_hint("name it with --bucket or LOB_BUCKET")),
            bucket => Ok(bucket),
        }
    }

    /// The folder of runs.
    ///
    /// # Errors
    /// A prefix that is not one.
    pub fn runs_folder(&self) -> Result<Prefix, Failure> {
        self.prefix.parse().map_err(|invalid: InvalidPrefix| {
            Failure::usage("--prefix cannot be used").caused_by(invalid)
        })
    }
}

/// The flags for [`S3Settings`].
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "S3")]
pub struct S3Args {
    /// Bucket that holds the runs (required)
    #[arg(long, value_name = "NAME", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// Folder of runs in the bucket [default: lob-data, or processed-splits for exports]
    #[arg(long, value_name = "PREFIX", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Endpoint of an S3-compatible server [env: also AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// Region of the bucket [env: also AWS_REGION, AWS_DEFAULT_REGION]
    #[arg(long, value_name = "REGION", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Profile of the AWS configuration files [env: also AWS_PROFILE]
    #[arg(long, value_name = "NAME", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// CA certificates in PEM, trusted beside the system's [env: also AWS_CA_BUNDLE]
    #[arg(long, value_name = "FILE", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<PathBuf>,
    /// Address the bucket in the path, not in the host name [default with --endpoint-url]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub path_style: bool,
    /// Account id that must own the bucket; sent with every request
    #[arg(long, value_name = "ACCOUNT", global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_bucket_owner: Option<String>,
    /// How long an S3 request is repeated when it fails for reasons that pass [default: 20m]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, global = true)]
    #[serde(skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    pub retry_timeout: Option<Duration>,
    /// Time-out for an S3 connection to be made [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, global = true)]
    #[serde(skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    pub connect_timeout: Option<Duration>,
    /// Time-out of one attempt, beside the time that its body takes at 32 KiB/s [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, global = true)]
    #[serde(skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    pub attempt_timeout: Option<Duration>,
}
