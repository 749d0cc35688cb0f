//! How to reach S3: the settings shared by all three tools, and their flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::endpoint_url::EndpointUrl;
use super::run_id::Prefix;
use super::{SettingOrigin, duration};
use crate::failure::Failure;
use crate::text::InvalidText;

/// Everything about S3, resolved. For a missing value, the SDK's own chain decides: profile,
/// environment, container or instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct S3Settings {
    /// The bucket; it has no default.
    pub(crate) bucket: Option<Bucket>,
    /// The folder of runs inside the bucket.
    pub prefix: String,
    /// An endpoint other than AWS's own, such as `http://127.0.0.1:9000`.
    pub(crate) endpoint_url: Option<EndpointUrl>,
    /// The region of the bucket.
    pub region: Option<String>,
    /// The profile of the shared AWS configuration files.
    pub profile: Option<String>,
    /// A PEM file of CA certificates, trusted in addition to the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Whether the bucket is addressed in the path or as a host.
    pub(crate) path_style: PathStyle,
    /// The account that must own the bucket; sent with every request.
    pub expected_bucket_owner: Option<String>,
    /// How long to keep retrying a request that fails for transient reasons.
    #[serde(with = "humantime_serde")]
    pub retry_timeout: Duration,
    /// Time-out for establishing a connection.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Time-out of one attempt, on top of the time that its body takes at the slowest rate.
    #[serde(with = "humantime_serde")]
    pub attempt_timeout: Duration,
}

/// Whether the bucket is addressed in the path of a URL or as a host of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PathStyle {
    /// In the path if there is an endpoint URL, except for S3 Transfer Acceleration; else as a host
    Auto,
    /// In the path
    Path,
    /// As a host, for servers that know nothing else
    Virtual,
}

impl S3Settings {
    /// The defaults; the prefix differs between tools. The connect timeout is that of the legacy
    /// helper module; requests survive an outage of a quarter of an hour.
    pub fn defaults(prefix: &str) -> Self {
        Self {
            bucket: None,
            prefix: prefix.to_owned(),
            endpoint_url: None,
            region: None,
            profile: None,
            ca_bundle: None,
            path_style: PathStyle::Auto,
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
    /// No bucket is given.
    pub fn bucket(&self) -> Result<&str, Failure> {
        self.bucket.as_ref().map(Bucket::name).ok_or_else(|| {
            Failure::usage("no bucket is set").with_hint("set --bucket or LOB_BUCKET")
        })
    }

    /// Uses the folder in the bucket's URL, if there is one, as the prefix.
    ///
    /// # Errors
    /// A different prefix is set as well.
    pub fn take_folder(&mut self, origins: &mut [SettingOrigin]) -> Result<(), Failure> {
        let Some(folder) = self.bucket.as_mut().and_then(Bucket::take_folder) else {
            return Ok(());
        };
        let named = |key| move |origin: &&SettingOrigin| origin.key == key;
        let from = origins.iter().find(named("bucket"));
        let from = from.map(|bucket| bucket.origin.clone()).unwrap_or_default();
        for origin in origins {
            match origin.key.as_str() {
                "bucket" => origin.show(self.bucket()?),
                "prefix" if origin.origin == "default" || self.prefix == folder => {
                    origin.show(&folder);
                    origin.origin.clone_from(&from);
                }
                "prefix" => {
                    return Err(Failure::usage(format!(
                        "the bucket's URL names the folder `{folder}`, but {} names `{}`",
                        origin.origin, self.prefix
                    ))
                    .with_hint("name the folder once"));
                }
                _ => {}
            }
        }
        self.prefix = folder;
        Ok(())
    }

    /// The folder of runs.
    ///
    /// # Errors
    /// The prefix is invalid.
    pub fn runs_folder(&self) -> Result<Prefix, Failure> {
        self.prefix
            .parse()
            .map_err(|invalid: InvalidText| Failure::usage(invalid.to_string()).about(&["prefix"]))
    }
}

/// The flags for [`S3Settings`].
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "S3")]
pub struct S3Args {
    /// Bucket that holds the runs, or `s3://NAME/PREFIX` (required)
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// Folder of runs in the bucket
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Endpoint of an S3-compatible server [env: also AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Region of the bucket [env: also AWS_REGION, AWS_DEFAULT_REGION]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Profile of the AWS configuration files [env: also AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// File of CA certificates in PEM to trust besides the system's [env: also AWS_CA_BUNDLE]
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
    /// Whether to address the bucket in the path of a URL or as a host
    #[arg(long, value_enum, value_name = "STYLE")]
    pub(crate) path_style: Option<PathStyle>,
    /// Id of the account that must own the bucket; sent with every request
    #[arg(long, value_name = "ACCOUNT")]
    pub expected_bucket_owner: Option<String>,
    /// How long to keep retrying an S3 request that fails for transient reasons
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[serde(with = "humantime_serde")]
    pub retry_timeout: Option<Duration>,
    /// How long opening an S3 connection may take
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Option<Duration>,
    /// How long one attempt may take, plus the time its body takes at 32 KiB/s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[serde(with = "humantime_serde")]
    pub attempt_timeout: Option<Duration>,
}
