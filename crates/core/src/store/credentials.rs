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

/// The text from a source of credentials is unusable. The error does not repeat it.
#[derive(Debug, thiserror::Error)]
#[error("the {what} contains white space or a control character")]
struct Unusable {
    what: &'static str,
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

/// How long before they expire credentials are asked for again: a run of the chain takes seconds.
const RENEWED_BEFORE: Duration = Duration::from_secs(5 * 60);
/// How long credentials that do not say when they expire are kept, as the SDK keeps them.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);

/// The chain of credentials, with its last answer. S3 and MongoDB share it, and each new connection
/// to MongoDB needs credentials: without it, each would ask the metadata service.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    chain: SharedCredentialsProvider,
    last: Arc<Mutex<Option<Answer>>>,
}

/// What the chain answered, and when.
#[derive(Debug)]
struct Answer {
    given: Result,
    at: SystemTime,
}

impl Asked {
    /// Asks the chain, and waits for `timeout` at most.
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
        if let Ok(Err(unusable)) = given.as_ref().map(check) {
            return Err(Failure::usage(unusable.to_string()).with_hint(TAKE_IT_OUT));
        }
        let at = SystemTime::now();
        let last = Arc::new(Mutex::new(Some(Answer { given, at })));
        Ok(Self { chain, last })
    }

    async fn next(&self) -> Result {
        let mut last = self.last.lock().await;
        match last.take() {
            Some(Answer { given: Err(e), .. }) => return Err(e),
            Some(Answer {
                given: Ok(found),
                at,
            }) if is_fresh(&found, at, SystemTime::now()) => {
                let given = Ok(found.clone());
                *last = Some(Answer { given, at });
                return Ok(found);
            }
            _ => {}
        }
        let found = self.chain.provide_credentials().await?;
        check(&found).map_err(CredentialsError::invalid_configuration)?;
        let given = Ok(found.clone());
        let at = SystemTime::now();
        *last = Some(Answer { given, at });
        Ok(found)
    }
}

/// Whether credentials that were given `at` a time can still be used `now`.
fn is_fresh(found: &Credentials, at: SystemTime, now: SystemTime) -> bool {
    let renewed = found.expiry().map(|expiry| expiry - RENEWED_BEFORE);
    now < renewed.unwrap_or(at + KEPT_FOR)
}

impl ProvideCredentials for Asked {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.next())
    }
}

fn check(found: &Credentials) -> std::result::Result<(), Unusable> {
    let keys = [
        ("access key id", found.access_key_id(), Key::Sent),
        ("secret access key", found.secret_access_key(), Key::Kept),
        (
            "session token",
            found.session_token().unwrap_or_default(),
            Key::Sent,
        ),
    ];
    match keys.into_iter().find(|(_, text, key)| !key.can_be(text)) {
        Some((what, ..)) => Err(Unusable { what }),
        None => Ok(()),
    }
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
        asked.last.lock().await.as_mut().unwrap().at = old;
        assert_eq!(asked.next().await.unwrap().access_key_id(), "AK1");
    }

    #[test]
    fn credentials_are_renewed_before_they_expire() {
        let now = SystemTime::now();
        let expiring = |expiry| Credentials::new("a", "s", None, Some(expiry), "test");
        assert!(is_fresh(&expiring(now + RENEWED_BEFORE * 2), now, now));
        assert!(!is_fresh(&expiring(now + RENEWED_BEFORE), now, now));
    }
}
