//! Tries every option with invalid values: each failure names the option, and nothing else gets the
//! blame.

use std::error::Error as _;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use lob_core::failure::Failure;
use lob_core::text::Secret;
use lob_testkit::mongo::{MongoOptions, MongoServer};

use super::*;
use crate::{MongoSettings, Server, Shared};

/// None of these is valid for an option, unless it takes arbitrary text.
const WRONG: [&str; 8] = [
    "",
    "WRONG",
    "-7",
    "1.5",
    "0",
    "99999999999999999999",
    "9223372036854775807",
    "a:b,c",
];

/// What is wrong with the handling of `name=value` on a running server; `None` if nothing is.
async fn fault(server: &str, name: &str, value: &str) -> Option<String> {
    let fault = |what: String| Some(format!("{name}={value}: {what}"));
    let uri = format!("{server}?{name}={value}");
    let warnings = match sift(&format!("{name}={value}")) {
        Ok(sifted) => sifted.warnings.join("\n"),
        Err(reason) if reason.to_lowercase().contains(name) => return None,
        Err(reason) => return fault(format!("refused without its name: {reason}")),
    };
    let is_told = warnings.contains(&format!("`{name}`"));
    let settings = MongoSettings {
        mongodb_uri: Secret::new(uri),
        mongodb_server_selection_timeout: Duration::from_secs(3),
        ..<_>::default()
    };
    let connecting = Server::connect(&settings, Shared::default());
    let Ok(connected) = tokio::time::timeout(Duration::from_secs(20), connecting).await else {
        return fault("waits for ever".to_owned());
    };
    let Err(error) = connected else {
        let may_be_any = matches!(
            rule(name),
            Some(Rule::Any | Rule::Short(_) | Rule::Required)
        );
        let may_be_number = value.parse::<u64>().is_ok();
        let is_empty_list = name == "readpreferencetags" && value.is_empty();
        return match is_told || may_be_any || may_be_number || is_empty_list {
            true => None,
            false => fault("nothing is told".to_owned()),
        };
    };
    let failure = Failure::from(error);
    let hint = failure.hint.clone().unwrap_or_default();
    let cause = failure.source().map(ToString::to_string);
    let told = format!("{failure}: {}; {hint}", cause.unwrap_or_default());
    let of_tls = name.starts_with("tls") && hint.contains("options that begin with tls");
    match told.to_lowercase().contains(name) || of_tls {
        _ if is_told => fault(format!("left out, and fails: {told}")),
        true if !hint.contains("check that the server is running") => None,
        _ => fault(told),
    }
}

#[tokio::test]
async fn a_wrong_value_of_any_option_is_reported_by_the_name_of_the_option() {
    let server = MongoServer::start(MongoOptions::default()).unwrap();
    let uri = server.uri();
    let uri = uri.split_once('?').map_or(uri.as_str(), |(uri, _)| uri);
    // These ask for something the server does not support.
    let unfit = [
        ("loadbalanced", "true"),
        ("tls", "true"),
        ("tlsinsecure", "true"),
    ];
    let cases = OPTIONS
        .iter()
        .flat_map(|(name, _)| WRONG.map(|value| (*name, value)))
        .chain(unfit);
    let faults = stream::iter(cases.map(|(name, value)| fault(uri, name, value)));
    let faults: Vec<_> = faults.buffer_unordered(8).collect().await;
    let faults: Vec<_> = faults.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
