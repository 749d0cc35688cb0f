//! Checks that requests can carry the keys. The SDK panics on a key that does not fit in a header,
//! such as a mounted secret with a trailing line break. It also asks for credentials within the
//! timeout of a request, so a `credential_process` that waits looks like a server that does not
//! answer. So credentials are requested before the first request, and checked every time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result, SharedCredentialsProvider, future,
};
use tokio::sync::Mutex;

use crate::failure::{ExitStatus, Failure};
use crate::text::{InvalidText, remember};

/// The environment variables that hold keys, and whether requests carry them verbatim.
const VARIABLES: [(&str, Key); 3] = [
    ("AWS_ACCESS_KEY_ID", Key::Sent),
    ("AWS_SECRET_ACCESS_KEY", Key::Kept),
    ("AWS_SESSION_TOKEN", Key::Sent),
];

/// How a key is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// It is sent in a header.
    Sent,
    /// It is used for signing.
    Kept,
}

impl Key {
    fn can_be(self, text: &str) -> bool {
        match self {
            Self::Sent => text.chars().all(|c| c.is_ascii_graphic()),
            Self::Kept => text.trim() == text && !text.contains(char::is_control),
        }
    }
}

const TAKE_IT_OUT: &str = "remove it; secret files often end with a line break";

/// Checks the keys in the environment. Assuming a role uses them before anything else does.
///
/// # Errors
/// One of them contains white space or a control character.
pub(super) fn check_environment() -> std::result::Result<(), Failure> {
    for (name, key) in VARIABLES {
        if std::env::var(name).is_ok_and(|value| !key.can_be(&value)) {
            let message = format!(
                "the environment variable `{name}` contains white space or a control character"
            );
            return Err(Failure::usage(message).with_hint(TAKE_IT_OUT));
        }
    }
    Ok(())
}

/// How long before they expire credentials are renewed.
const RENEWED_BEFORE: Duration = Duration::from_secs(5 * 60);
/// How long credentials that do not say when they expire are kept, as the SDK keeps them.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);
/// How long the chain is left alone while there are credentials, even if they are about to expire and
/// it gave no others: it may start a process.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// The chain of credentials, with its last answer. S3 and MongoDB share it, and each new connection
/// to MongoDB needs credentials: without it, each would ask the metadata service.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    chain: SharedCredentialsProvider,
    timeout: Duration,
    last: Arc<Mutex<Last>>,
}

#[derive(Debug)]
enum Last {
    /// What the first request is to report.
    Failed(CredentialsError),
    Given(Answer),
    None,
}

#[derive(Debug, Clone)]
struct Answer {
    found: Credentials,
    given: SystemTime,
    /// When the chain was asked last; it may have failed to give others.
    asked: SystemTime,
}

impl Answer {
    /// Remembers the keys, so that they are masked wherever they came from.
    fn now(found: Credentials) -> Self {
        remember(found.secret_access_key());
        found.session_token().into_iter().for_each(remember);
        let given = SystemTime::now();
        let asked = given;
        Self {
            found,
            given,
            asked,
        }
    }

    /// Whether it is used without asking the chain.
    fn is_fresh(&self, now: SystemTime) -> bool {
        let expiry = self.found.expiry();
        let renewed = expiry.map_or(self.given + KEPT_FOR, |expiry| expiry - RENEWED_BEFORE);
        now < renewed || now < self.asked + ASKED_AGAIN_AFTER && self.is_valid(now)
    }

    /// Whether it can be used if the chain gives no other.
    fn is_valid(&self, now: SystemTime) -> bool {
        self.found.expiry().is_none_or(|expiry| now < expiry)
    }
}

impl Asked {
    /// Asks the chain, and waits for `timeout` at most, now and each time.
    ///
    /// # Errors
    /// No answer in time, or keys that no request can carry. Any other error is reported by the
    /// first request.
    pub(super) async fn ask(
        chain: SharedCredentialsProvider,
        timeout: Duration,
    ) -> std::result::Result<Self, Failure> {
        let Ok(given) = tokio::time::timeout(timeout, chain.provide_credentials()).await else {
            let message = format!("no credentials arrived within {} s", timeout.as_secs());
            return Err(Failure::new(ExitStatus::Failed, message).with_hint(
                "run the `credential_process` of the AWS profile by hand: it must finish without \
                 asking for input",
            ));
        };
        let last = match given {
            Ok(found) => match check(&found) {
                Ok(()) => Last::Given(Answer::now(found)),
                Err(unusable) => {
                    return Err(Failure::usage(unusable.to_string()).with_hint(TAKE_IT_OUT));
                }
            },
            Err(error) => Last::Failed(error),
        };
        Ok(Self {
            chain,
            timeout,
            last: Arc::new(Mutex::new(last)),
        })
    }

    async fn next(&self) -> Result {
        let mut last = self.last.lock().await;
        // A renewal that is cancelled must not lose the answer, so it is put back before.
        let kept = match std::mem::replace(&mut *last, Last::None) {
            Last::Failed(error) => return Err(error),
            Last::Given(answer) => {
                *last = Last::Given(answer.clone());
                Some(answer)
            }
            Last::None => None,
        };
        let now = SystemTime::now();
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_fresh(now)) {
            return Ok(kept.found.clone());
        }
        match (self.renewed().await, kept) {
            (Ok(found), _) => {
                *last = Last::Given(Answer::now(found.clone()));
                Ok(found)
            }
            (Err(error), Some(mut kept)) if kept.is_valid(SystemTime::now()) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "AWS credentials cannot be renewed yet");
                kept.asked = SystemTime::now();
                *last = Last::Given(kept.clone());
                Ok(kept.found)
            }
            (Err(error), _) => {
                // MongoDB's driver (3.9.1) does not repeat the cause.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "there are no AWS credentials"
                );
                Err(error)
            }
        }
    }

    async fn renewed(&self) -> Result {
        let asking = self.chain.provide_credentials();
        let found = tokio::time::timeout(self.timeout, asking).await;
        let found = found.map_err(|_| CredentialsError::provider_timed_out(self.timeout))??;
        check(&found).map_err(CredentialsError::invalid_configuration)?;
        Ok(found)
    }
}

/// Refuses keys that no request can carry, such as those of a connection string.
///
/// # Errors
/// Which of them cannot be, without repeating it.
pub fn check_aws_keys(
    access_key_id: &str,
    secret_access_key: &str,
    session_token: Option<&str>,
) -> std::result::Result<(), InvalidText> {
    let keys = [
        ("access key id", access_key_id, Key::Sent),
        ("secret access key", secret_access_key, Key::Kept),
        ("session token", session_token.unwrap_or("-"), Key::Sent),
    ];
    let unusable = |(_, text, key): &(&str, &str, Key)| text.is_empty() || !key.can_be(text);
    match keys.into_iter().find(unusable) {
        Some((what, ..)) => Err(InvalidText(format!(
            "the {what} is empty, or contains white space or another character that no key has"
        ))),
        None => Ok(()),
    }
}

impl ProvideCredentials for Asked {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.next())
    }
}

fn check(found: &Credentials) -> std::result::Result<(), InvalidText> {
    let (id, secret) = (found.access_key_id(), found.secret_access_key());
    check_aws_keys(id, secret, found.session_token())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_key_that_does_not_fit_a_header_is_refused_without_repeating_it() {
        for (id, secret, token) in [
            ("canary\n", "s", None),
            ("a", "canary\r", None),
            ("a", "s", Some("can\u{7f}ary")),
            ("canäry", "s", None),
        ] {
            let found = Credentials::new(id, secret, token.map(str::to_owned), None, "test");
            let refused = check(&found).unwrap_err().to_string();
            assert!(!refused.contains("can"), "{refused}");
        }
        let found = Credentials::new("a", "with some space", None, None, "test");
        assert!(check(&found).is_ok());
    }

    #[derive(Debug)]
    struct Silent;

    impl ProvideCredentials for Silent {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(std::future::pending())
        }
    }

    #[tokio::test]
    async fn missing_credentials_are_not_blamed_on_the_server() {
        let chain = SharedCredentialsProvider::new(Silent);
        let refused = Asked::ask(chain, Duration::from_millis(1)).await;
        let refused = refused.unwrap_err();
        assert!(refused.to_string().contains("no credentials arrived"));
        assert!(refused.hint.unwrap().contains("credential_process"));
    }

    /// Gives other keys each time.
    #[derive(Debug, Default)]
    struct Counting(AtomicU64);

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let id = format!("AK{}", self.0.fetch_add(1, Ordering::Relaxed));
            let found = Credentials::new(id, "s", None, None, "test");
            future::ProvideCredentials::ready(Ok(found))
        }
    }

    #[tokio::test]
    async fn the_chain_is_asked_once_for_many_connections() {
        let chain = SharedCredentialsProvider::new(Counting::default());
        let asked = Asked::ask(chain, Duration::from_secs(60)).await.unwrap();
        for _ in 0..3 {
            assert_eq!(asked.next().await.unwrap().access_key_id(), "AK0");
        }
        let old = SystemTime::now() - KEPT_FOR;
        if let Last::Given(answer) = &mut *asked.last.lock().await {
            (answer.given, answer.asked) = (old, old);
        }
        assert_eq!(asked.next().await.unwrap().access_key_id(), "AK1");
    }

    #[test]
    fn credentials_are_renewed_before_they_expire() {
        let now = SystemTime::now();
        let asked = now - ASKED_AGAIN_AFTER;
        let expiring = |expiry| {
            let found = Credentials::new("a", "s", None, Some(expiry), "test");
            let given = asked;
            Answer {
                found,
                given,
                asked,
            }
        };
        assert!(expiring(now + RENEWED_BEFORE * 2).is_fresh(now));
        assert!(!expiring(now + RENEWED_BEFORE).is_fresh(now));
        let just_asked = |expiry| Answer {
            asked: now,
            ..expiring(expiry)
        };
        assert!(just_asked(now + Duration::from_secs(1)).is_fresh(now));
        assert!(!just_asked(now).is_fresh(now));
    }

    /// Gives keys that expire soon, and then nothing more.
    #[derive(Debug, Default)]
    struct Once(AtomicU64);

    impl ProvideCredentials for Once {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let expiry = SystemTime::now() + RENEWED_BEFORE / 2;
            let found = Credentials::new("AK", "s", None, Some(expiry), "test");
            future::ProvideCredentials::ready(match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Ok(found),
                _ => Err(CredentialsError::provider_error("gone")),
            })
        }
    }

    #[tokio::test]
    async fn valid_credentials_are_used_if_they_cannot_be_renewed() {
        let chain = SharedCredentialsProvider::new(Once::default());
        let asked = Asked::ask(chain, Duration::from_secs(60)).await.unwrap();
        let age = async |seconds| {
            if let Last::Given(answer) = &mut *asked.last.lock().await {
                answer.asked -= Duration::from_secs(seconds);
            }
        };
        for _ in 0..3 {
            assert_eq!(asked.next().await.unwrap().access_key_id(), "AK");
            age(ASKED_AGAIN_AFTER.as_secs()).await;
        }
        if let Last::Given(answer) = &mut *asked.last.lock().await {
            let long_ago = Some(SystemTime::UNIX_EPOCH);
            answer.found = Credentials::new("AK", "s", None, long_ago, "test");
        }
        assert!(asked.next().await.is_err());
    }
}
