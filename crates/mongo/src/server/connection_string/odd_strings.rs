//! Connection strings as people paste them: the problem is named, but no secret is.

use lob_core::failure::ExitStatus;

use super::*;

#[test]
fn an_ignored_option_is_named_without_its_value() {
    let uri = "mongodb://db.test/?colour=VALUE&connectTimeoutMS=VALUE&wtimeout=VALUE&w=VALUE";
    let (_, warnings) = parse(uri).unwrap();
    assert_eq!(
        warnings,
        [
            "`colour` in the MongoDB URI is ignored: it is unknown",
            "`connectTimeoutMS` in the MongoDB URI is ignored: its value is invalid",
            "`wtimeout` in the MongoDB URI is ignored: it is deprecated",
            "`w` in the MongoDB URI is ignored: an import uses --write-concern instead, and an \
             export writes nothing",
        ]
    );
}

#[test]
fn a_possible_remainder_of_a_secret_is_not_named() {
    let secret = "proxyHost=p&proxyUsername=u&proxyPassword=abc&C4nary=1&C5nary=2&appName=a&b=1";
    let (_, warnings) = parse(&format!("mongodb://db.test/?{secret}")).unwrap();
    let told = "an option after `proxyPassword` in the MongoDB URI is ignored: it is unknown; \
                write a `&` in a value as %26";
    let unknown = "`b` in the MongoDB URI is ignored: it is unknown";
    assert_eq!(warnings, [told, told, unknown]);
}

#[test]
fn a_fragment_is_refused_by_name() {
    for uri in [
        "mongodb://db.test/shop#part",
        "mongodb://ann:pw@db.test/?appName=a#b",
        "mongodb://db.test#part",
    ] {
        let refused = parse(uri).unwrap_err().to_string();
        assert!(refused.contains("it contains a `#`"), "{refused}");
    }
}

#[test]
fn an_unsupported_oidc_environment_is_refused_by_name() {
    let oidc = "mongodb://db.test/?authMechanism=MONGODB-OIDC";
    for (properties, told) in [
        (
            "ENVIRONMENT:azure,TOKEN_RESOURCE:a",
            "the OIDC environment `azure`",
        ),
        (
            "TOKEN_RESOURCE:a,ENVIRONMENT:gcp",
            "the OIDC environment `gcp`",
        ),
        ("ENVIRONMENT:elsewhere", "needs `ENVIRONMENT:k8s`"),
        ("TOKEN_RESOURCE:a", "needs `ENVIRONMENT:k8s`"),
    ] {
        let uri = format!("{oidc}&authMechanismProperties={properties}");
        let refused = parse(&uri).unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
        assert_eq!(refused.exit_status(), ExitStatus::Usage);
    }
}

#[test]
fn whitespace_and_quotes_around_a_connection_string_are_ignored() {
    let uri = "mongodb://db.test/?appName=shop";
    for text in [
        format!(" \t{uri}\n"),
        format!("\"{uri}\""),
        format!("'{uri}'"),
    ] {
        let (parsed, _) = parse(&text).unwrap();
        assert_eq!(parsed.app_name.as_deref(), Some("shop"));
    }
}

#[test]
fn whitespace_anywhere_in_a_connection_string_is_refused() {
    for uri in [
        "mongodb://ann:p\nw@db.test/",
        "mongodb://ann:p w@db.test/",
        "mongodb://db.\ttest/",
        "mongodb://db.test/?appName=my shop",
        "mongodb://db.test/?replicaSet=r\r\n s",
    ] {
        let refused = parse(uri).unwrap_err().to_string();
        assert!(refused.contains("it contains white space"), "{refused}");
    }
}
