//! A server that is down or credentials that are wrong are reported by name, with a hint, in
//! bounded time, and without secrets.

use std::error::Error as _;
use std::net::TcpListener;
use std::time::Duration;

use lob_core::failure::{ExitStatus, Failure};
use lob_mongo::{Collection, CollectionPattern, Error, MongoSettings, Server, Shared};
use lob_testkit::mongo::{Command, Deployment, Moment, MongoOptions, MongoServer, Verdict};

use crate::fixture::{Fixture, first, settings};

#[tokio::test]
async fn a_server_that_is_down_is_named_with_a_hint() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let uri = format!("mongodb://user:never-shown@{closed}/?serverSelectionTimeoutMS=200");
    let error = Server::connect(&settings(&uri), Shared::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no usable MongoDB server at {closed}")
    );
    let cause = error.source().unwrap().to_string();
    assert_eq!(
        cause,
        format!("{closed}: Connection refused (os error 111)")
    );
    assert!(!format!("{error:?}").contains("never-shown"));
    let failure = Failure::from(error);
    assert_eq!(failure.status, ExitStatus::Failed);
    assert!(failure.hint.unwrap().contains("MONGODB_URI"));
}

#[tokio::test]
async fn a_set_of_another_name_and_one_without_a_primary_are_told() {
    let server = MongoServer::start(MongoOptions {
        deployment: Deployment::TwoMembers,
        ..<_>::default()
    });
    let server = server.unwrap();
    let secondary = server.secondary().unwrap();
    for (uri, told) in [
        (
            server.uri().replace("replicaSet=lob", "replicaSet=other"),
            "none of the hosts is a member of the replica set `other`",
        ),
        (
            "mongodb+srv://cluster.invalid/".to_owned(),
            "cluster.invalid",
        ),
        (
            format!("mongodb://{secondary}/?directConnection=true"),
            "is not the primary",
        ),
    ] {
        let settings = MongoSettings {
            mongodb_server_selection_timeout: Duration::from_millis(300),
            ..settings(&uri)
        };
        let error = Server::connect(&settings, Shared::default())
            .await
            .unwrap_err();
        let cause = error.source().map(ToString::to_string);
        let shown = format!("{error}: {}", cause.unwrap_or_default());
        assert!(shown.contains(told), "{shown}");
        assert_eq!(error.exit_status(), ExitStatus::Failed);
        assert!(error.hint().is_some(), "{shown}");
    }
    lob_testkit::fault_fired("E11");
}

#[tokio::test]
async fn a_wrong_password_is_an_authentication_error_without_the_password() {
    let testkit = MongoServer::start(MongoOptions {
        require_auth: true,
        ..<_>::default()
    })
    .unwrap();
    let uri = testkit
        .uri()
        .replace("mongodb://", "mongodb://user:never%2Dshown@");
    let error = Server::connect(&settings(&uri), Shared::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
    let text = format!("{error} {error:?} {:?}", error.source());
    assert!(
        !text.contains("never-shown") && !text.contains("never%2Dshown"),
        "{text}"
    );
    assert!(Failure::from(error).hint.unwrap().contains("authSource"));
    lob_testkit::fault_fired("E9");
}

#[tokio::test]
async fn missing_credentials_are_an_authentication_error() {
    let testkit = MongoServer::start(MongoOptions {
        require_auth: true,
        ..<_>::default()
    })
    .unwrap();
    let server = Server::connect(&settings(&testkit.uri()), Shared::default())
        .await
        .unwrap();
    let splits = server
        .database("raw")
        .splits(&CollectionPattern::default(), None)
        .await;
    let error = splits.unwrap_err();
    assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_privilege_is_named() {
    let forbidden = Verdict::Answer { code: 13 };
    let fixture = Fixture::with_gate(first("listCollections", Moment::Arrived, 9, forbidden)).await;
    let splits = fixture
        .database
        .splits(&CollectionPattern::default(), None)
        .await;
    let failure = Failure::from(splits.unwrap_err());
    assert!(
        failure
            .to_string()
            .starts_with("not authorised to run `listCollections` on `lob_")
    );
    assert!(failure.hint.unwrap().contains("role `read`"));
    for case in ["E9", "H7"] {
        lob_testkit::fault_fired(case);
    }
}

/// A collection on a server that never answers `count`, though it has 100 ms for it.
async fn uncounted(retry_timeout: Duration) -> (MongoServer, Collection) {
    let hold = |_: Moment, command: &Command| match command.name.as_str() {
        "count" => Verdict::Hold,
        _ => Verdict::Pass,
    };
    let testkit = MongoServer::start(MongoOptions {
        gate: Some(std::sync::Arc::new(hold)),
        ..<_>::default()
    });
    let testkit = testkit.unwrap();
    let mut settings = settings(&testkit.uri());
    settings.mongodb_operation_timeout = Duration::from_millis(100);
    settings.mongodb_retry_timeout = retry_timeout;
    testkit.load("raw", "split_1_input", []).unwrap();
    let server = Server::connect(&settings, Shared::default()).await.unwrap();
    let found = server.database("raw").collection("split_1_input").await;
    (testkit, found.unwrap().unwrap())
}

#[tokio::test]
async fn a_count_may_outlast_the_operation_timeout() {
    let (testkit, collection) = uncounted(Duration::ZERO).await;
    let counting = collection.exact_count();
    let counted = tokio::time::timeout(Duration::from_secs(1), counting).await;
    assert!(counted.is_err(), "{counted:?}");
    let counts = testkit.commands().into_iter();
    assert_eq!(counts.filter(|command| command.name == "count").count(), 1);
}

#[tokio::test]
async fn a_server_that_never_answers_runs_into_the_operation_timeout() {
    let (testkit, collection) = uncounted(Duration::from_millis(300)).await;
    let error = collection.estimated_count().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`count` on `raw.split_1_input` got no reply within 100ms"
    );
    assert!(
        testkit
            .commands()
            .iter()
            .filter(|command| command.name == "count")
            .count()
            > 1
    );
}

/// A certificate, and its key encrypted with the password `hunter2`.
const ENCRYPTED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/mongo/data/encrypted_client.pem"
);

#[tokio::test]
async fn an_encrypted_client_key_is_opened_only_by_its_password() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = closed.local_addr().unwrap();
    for (password, status) in [
        ("&tlsCertificateKeyFilePassword=hunter2", ExitStatus::Failed),
        ("&tlsCertificateKeyFilePassword=hunter3", ExitStatus::Usage),
        ("", ExitStatus::Usage),
    ] {
        let uri = format!(
            "mongodb://{closed}/?serverSelectionTimeoutMS=200&tlsCertificateKeyFile={ENCRYPTED}\
             {password}"
        );
        let error = Server::connect(&settings(&uri), Shared::default())
            .await
            .unwrap_err();
        assert_eq!(error.exit_status(), status, "{password}: {error:?}");
    }
}
