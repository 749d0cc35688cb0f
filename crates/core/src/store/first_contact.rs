//! The first request of a command: whether the bucket exists, in which region, and whether we may
//! use it. Wrong S3 settings show up here, before anything is done.

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::ProvideErrorMetadata as _;

use super::{EndpointCapabilities, Sending, Store, StoreError, StoreErrorKind, client};
use crate::failure::{ExitStatus, Failure};
use crate::metrics::Metrics;
use crate::settings::S3Settings;
use crate::settings::fits_a_header;

impl Store {
    /// Connects to the bucket of `settings` and asks for it once.
    ///
    /// # Errors
    /// A CA bundle that cannot be used, a bucket that is missing or not permitted, credentials that
    /// are missing or wrong, or a server that does not answer.
    pub async fn connect(
        settings: &S3Settings,
        sending: Sending,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        let bucket = settings.bucket()?.to_owned();
        if settings.connect_timeout.is_zero() || settings.attempt_timeout.is_zero() {
            return Err(Failure::usage("a timeout cannot be zero")
                .about(&["connect_timeout", "attempt_timeout"])
                .into());
        }
        sending.objects.check()?;
        let owner = settings.expected_bucket_owner.as_deref();
        if owner.is_some_and(|owner| !fits_a_header(owner)) {
            let message = "an account id cannot contain white space or control characters";
            return Err(Failure::usage(message)
                .about(&["expected_bucket_owner"])
                .into());
        }
        let built = client::build(settings, &sending.limiter, metrics).await?;
        let mut store = Self {
            client: built.client,
            aws_credentials: built.credentials,
            bucket,
            region: built.region,
            owner: settings.expected_bucket_owner.clone(),
            retry_timeout: settings.retry_timeout,
            attempt_timeout: settings.attempt_timeout,
            sending,
            endpoint: EndpointCapabilities::S3,
            metrics: metrics.clone(),
        };
        let first = client::first_contact(settings.connect_timeout);
        let Err(mut failed) = store.head_bucket(first.clone()).await else {
            return Ok(store);
        };
        if let Some(home) = failed.bucket_region().filter(|home| *home != store.region) {
            let (signed_for, home) = (&store.region, home.to_owned());
            let hint = "set --region to save a request";
            tracing::warn!(
                region = home,
                signed_for,
                hint,
                "the bucket is in another region"
            );
            let settings = S3Settings {
                region: Some(home),
                ..settings.clone()
            };
            let limiter = &store.sending.limiter;
            let built = client::build(&settings, limiter, metrics).await?;
            store.client = built.client;
            store.aws_credentials = built.credentials;
            store.region = built.region;
            match store.head_bucket(first.clone()).await {
                Ok(()) => return Ok(store),
                Err(again) => failed = again,
            }
        }
        store.judge_bucket(failed, first).await?;
        Ok(store)
    }

    async fn head_bucket(&self, first: Builder) -> Result<(), StoreError> {
        let request = self.client.head_bucket().bucket(&self.bucket);
        let request = request.set_expected_bucket_owner(self.owner.clone());
        let asked = request.customize().config_override(first).send().await;
        asked
            .map(drop)
            .map_err(|error| StoreError::from_sdk("HeadBucket", self.url(""), error))
    }

    /// Decides whether a bucket may be used although it could not be asked for.
    async fn judge_bucket(&self, failed: StoreError, first: Builder) -> anyhow::Result<()> {
        if failed.kind == StoreErrorKind::Timeout {
            let message = format!("the server for `{}` does not answer", self.url(""));
            let hint = "check --endpoint-url, and whether a proxy or firewall is in the way";
            return Err(Failure::new(ExitStatus::Failed, message)
                .with_hint(hint)
                .into());
        }
        Err(match failed.kind {
            // An answer to HEAD has no body and so no code: what is missing is the bucket.
            StoreErrorKind::NotFound => failed.of_kind(StoreErrorKind::NoSuchBucket),
            // Wrong keys, an expired token, another region and a missing permission all look alike
            // in an answer to HEAD, but the answer to a list request has a code. Whoever may
            // neither list nor head may still be allowed to write.
            StoreErrorKind::AccessDenied | StoreErrorKind::Refused => {
                match self.why_no_list(first).await {
                    Some(denied) if denied.kind != StoreErrorKind::AccessDenied => denied,
                    _ => return Ok(()),
                }
            }
            _ => failed,
        }
        .into())
    }

    /// Why the bucket cannot be listed, if it cannot.
    async fn why_no_list(&self, first: Builder) -> Option<StoreError> {
        let request = self.lists("").max_keys(1).customize();
        let error = request.config_override(first).send().await.err()?;
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        match (error.code(), status) {
            // Such as that of a web server that expects TLS.
            (None, Some(400)) => {
                let detail =
                    "this is not an S3 server: it answers with status 400 and no error of S3";
                let (kind, url) = (StoreErrorKind::NotS3, self.url(""));
                Some(StoreError::new(kind, "ListObjectsV2", url, detail))
            }
            // The port where MinIO has its console.
            (Some("InvalidArgument"), _)
                if error.message().is_some_and(|m| m.contains("API port")) =>
            {
                let failed = StoreError::from_sdk("ListObjectsV2", self.url(""), error);
                Some(failed.of_kind(StoreErrorKind::NotS3))
            }
            _ => Some(StoreError::from_sdk("ListObjectsV2", self.url(""), error)),
        }
    }
}
