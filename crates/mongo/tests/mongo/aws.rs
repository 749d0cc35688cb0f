//! Authentication with MONGODB-AWS. MongoDB's community server does not have it, so the testkit's
//! server plays it from the driver specification.

use std::error::Error as _;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use bson::rawdoc;
use lob_core::failure::Failure;
use lob_core::store::AwsCredentials;
use lob_mongo::{CollectionPattern, Error, Server, Shared};
use lob_testkit::mongo::{AwsUser, MongoOptions, MongoServer};

use crate::fixture::settings;

const SECRET: &str = "s3cret/of+aws";

fn server(session_token: Option<&str>) -> MongoServer {
    let user = AwsUser {
        access_key_id: "AKIA0TEST".to_owned(),
        secret_access_key: SECRET.to_owned(),
        session_token: session_token.map(str::to_owned),
    };
    let options = MongoOptions {
        aws_user: Some(user),
        ..MongoOptions::default()
    };
    let server = MongoServer::start(options).unwrap();
    server
        .load("raw", "split_0_input", [rawdoc! { "_id": 1 }])
        .unwrap();
    server
}

fn shared(secret: &str, token: Option<&str>) -> Shared<'static> {
    let keys = Credentials::new("AKIA0TEST", secret, token.map(str::to_owned), None, "test");
    Shared {
        aws_credentials: Some(AwsCredentials::new(keys)),
        ..Shared::default()
    }
}

fn uri(server: &MongoServer, user_info: &str, properties: &str) -> String {
    let uri = server.uri();
    let uri = uri.replace("mongodb://", &format!("mongodb://{user_info}"));
    format!("{uri}&authMechanism=MONGODB-AWS{properties}")
}

async fn read(uri: &str, shared: Shared<'_>) -> Result<(), Error> {
    let server = Server::connect(&settings(uri), shared).await?;
    let database = server.database("raw");
    database.splits(&CollectionPattern::default(), None).await?;
    Ok(())
}

#[tokio::test]
async fn mongodb_aws_signs_with_the_credentials_of_the_aws_configuration() {
    for token in [None, Some("token/of=sts")] {
        let server = server(token);
        let uri = uri(&server, "", "");
        read(&uri, shared(SECRET, token)).await.unwrap();
    }
}

#[tokio::test]
async fn keys_in_the_connection_string_win_over_those_of_the_aws_configuration() {
    let user_info = "AKIA0TEST:s3cret%2Fof%2Baws@";
    let plain = server(None);
    let wrong = || shared("wrong", None);
    read(&uri(&plain, user_info, ""), wrong()).await.unwrap();
    let temporary = server(Some("token/of=sts"));
    let token = "&authMechanismProperties=AWS_SESSION_TOKEN:token%2Fof%3Dsts";
    let uri = uri(&temporary, user_info, token);
    read(&uri, wrong()).await.unwrap();
}

#[tokio::test]
async fn aws_credentials_that_mongodb_refuses_are_named_with_what_makes_them_a_user() {
    let server = server(None);
    let refused = read(&uri(&server, "", ""), shared("never-shown", None)).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
    let cause = error.source().unwrap().to_string();
    assert!(cause.starts_with("MONGODB-AWS: "), "{cause}");
    assert!(!format!("{error} {error:?}").contains("never-shown"));
    let hint = Failure::from(error).hint.unwrap();
    assert!(hint.contains("get-caller-identity"), "{hint}");
}

/// A source that has no credentials, such as a process that fails.
#[derive(Debug)]
struct Nothing;

impl ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::provider_error("gone")))
    }
}

#[tokio::test]
async fn mongodb_is_not_blamed_for_aws_credentials_that_cannot_be_loaded() {
    let server = server(None);
    let shared = Shared {
        aws_credentials: Some(AwsCredentials::new(Nothing)),
        ..Shared::default()
    };
    let error = read(&uri(&server, "", ""), shared).await.unwrap_err();
    assert!(!error.to_string().contains("rejected"), "{error}");
    let hint = Failure::from(error).hint.unwrap();
    assert!(hint.contains("no credentials"), "{hint}");
}
