//! The rules of MongoDB's specifications for connection strings (connection-string, uri-options and
//! auth, November 2026), each with a case of our own.

mod differences;
mod fate;

use mongodb::Client;
use mongodb::options::{ClientOptions, HostInfo};

use super::*;

use self::differences::DIFFERENCES;
use self::fate::Fate::{self, Refused, Taken, Warned};

async fn fate(uri: &str) -> Fate {
    let Ok((parsed, warnings)) = parse(uri) else {
        return Refused;
    };
    // A DNS name would be looked up.
    if !matches!(parsed.host_info, HostInfo::DnsRecord(_)) {
        let options = ClientOptions::parse(parsed).await;
        if !options.is_ok_and(|options| Client::with_options(options).is_ok()) {
            return Refused;
        }
    }
    match warnings.is_empty() {
        true => Taken,
        false => Warned,
    }
}

/// What the specification says about a case, the rule, and its cases.
const RULES: [(Fate, &str, &[&str]); 30] = [
    // invalid-uris
    (
        Refused,
        "there is a scheme that is known",
        &["", "db.test", "http://db.test"],
    ),
    (
        Refused,
        "there is a host",
        &["mongodb://", "mongodb:///shop"],
    ),
    (
        Refused,
        "a host has one port",
        &["mongodb://db.test::1", "mongodb://a.test,b.test::"],
    ),
    (
        Refused,
        "a port is a number from 1 to 65535",
        &[
            "mongodb://db.test:0/",
            "mongodb://db.test:-5",
            "mongodb://db.test:70000",
            "mongodb://[::1]:x/",
        ],
    ),
    (
        Refused,
        "an option has a value",
        &["mongodb://db.test/?tls"],
    ),
    (
        Refused,
        "user name and password are percent-encoded",
        &[
            "mongodb://ann:a:b@db.test",
            "mongodb://ann@home@db.test",
            "mongodb://ann:a/b@db.test/shop",
            "mongodb://ann/@db.test",
            "mongodb://ann:50%@db.test",
            "mongodb://ann:a%2@db.test",
        ],
    ),
    (
        Refused,
        "a socket is percent-encoded",
        &["mongodb:///run/db.sock/"],
    ),
    (
        Refused,
        "a service is one name without a port",
        &["mongodb+srv://a.test,b.test", "mongodb+srv://a.test:27017"],
    ),
    // valid-auth, valid-host_identifiers, valid-db-with-dotted-name, valid-unix_socket-*
    (
        Taken,
        "a user may have a password, an empty one, or none",
        &[
            "mongodb://ann:pw@db.test",
            "mongodb://ann:@db.test/shop",
            "mongodb://ann@[::1]:27018",
            "mongodb://an%40n:p%2Fw@db.test/my%2Dshop",
            "mongodb://a!$&'()*+,;=:b!$&'()*+,;=@10.0.0.1/?authMechanism=PLAIN",
        ],
    ),
    (
        Taken,
        "a host is a name, an address of either kind, or a socket, and there may be several",
        &[
            "mongodb://10.0.0.1:27018",
            "mongodb://[fe80::1]",
            "mongodb://999.0.0.1",
            "mongodb://zürich.test,db.test:27018/",
            "mongodb://%2Frun%2Fdb.sock",
            "mongodb://%2Frun%2Fa.b%2Fdb.sock,10.0.0.1/shop.sock",
            "mongodb://ann:pw@run%2Fdb.sock/shop",
        ],
    ),
    // valid-options
    (
        Taken,
        "names of options have no case, and a slash before them is not needed",
        &[
            "mongodb://db.test?TLS=true",
            "mongodb://ann:pw@db.test/?AuthMechanism=SCRAM-SHA-1",
        ],
    ),
    (
        Taken,
        "`@`, `:` and `/` may stand in an option",
        &[
            "mongodb://ann:pw@db.test/shop?replicaSet=a@b",
            "mongodb://db.test/?replicaSet=a@b",
            "mongodb://db.test/?appName=a/b:c",
        ],
    ),
    // valid-warnings
    (
        Warned,
        "an unknown option is left out",
        &["mongodb://db.test/?colour=red"],
    ),
    (
        Warned,
        "a deprecated option is left out",
        &["mongodb://db.test/?slaveOk=true&wtimeout=5"],
    ),
    (
        Warned,
        "an option counts once",
        &["mongodb://db.test/?appName=a&appName=b"],
    ),
    (
        Warned,
        "an option without a value is left out",
        &["mongodb://db.test/?replicaSet="],
    ),
    // auth: legacy/connection-string and auth-options
    (
        Taken,
        "credentials have a source",
        &[
            "mongodb://ann:pw@db.test/shop?authSource=staff",
            "mongodb://db.test/?authSource=staff",
            "mongodb://db.test/?authMechanism=MONGODB-X509&authSource=$external",
            "mongodb://CN%3Dann@db.test/?authMechanism=MONGODB-X509",
            "mongodb://ann:pw@db.test/?authMechanism=SCRAM-SHA-256&authSource=staff",
            "mongodb://db.test/?authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:k8s",
            "mongodb://db.test/?authMechanism=MONGODB-AWS",
            "mongodb://AKIA0:s%2Fecret@db.test/?authMechanism=MONGODB-AWS",
            "mongodb://ASIA0:s@db.test/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:a%2Bb%3D%3D",
        ],
    ),
    (
        Refused,
        "credentials fit their mechanism",
        &[
            "mongodb://db.test/?authSource=",
            "mongodb://@db.test/",
            "mongodb://:@db.test/",
            "mongodb://db.test/?authMechanism=PLAIN",
            "mongodb://db.test/?authMechanism=SCRAM-SHA-1",
            "mongodb://ann:pw@db.test/?authMechanism=MONGODB-X509",
            "mongodb://ann@db.test/?authMechanism=MONGODB-X509&authSource=shop",
            "mongodb://ann@db.test/?authMechanism=MONGODB-AWS",
            "mongodb://db.test/?authMechanism=GSSAPI",
            "mongodb://db.test/?authMechanism=MONGODB-OIDC",
            "mongodb://ann:pw@db.test/?authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:k8s",
        ],
    ),
    // client-backpressure-options, connection-options, connection-pool-options, sdam-options
    (
        Taken,
        "numbers, flags and words have their values",
        &[
            "mongodb://db.test/?maxAdaptiveRetries=2&enableOverloadRetargeting=true",
            "mongodb://db.test/?connectTimeoutMS=1&maxPoolSize=2&minPoolSize=0&maxConnecting=3",
            "mongodb://db.test/?serverMonitoringMode=poll&retryWrites=false",
            "mongodb://a.test,b.test/?directConnection=false",
            "mongodb://db.test/?loadBalanced=true&directConnection=false",
        ],
    ),
    (
        Warned,
        "a value that makes no sense is left out",
        &[
            "mongodb://db.test/?maxAdaptiveRetries=-1",
            "mongodb://db.test/?enableOverloadRetargeting=maybe",
            "mongodb://db.test/?connectTimeoutMS=soon",
            "mongodb://db.test/?socketTimeoutMS=-1",
            "mongodb://db.test/?retryWrites=maybe",
            "mongodb://db.test/?directConnection=yes",
            "mongodb://db.test/?loadBalanced=1",
            "mongodb://db.test/?maxConnecting=0",
            "mongodb://db.test/?timeoutMS=-1",
            "mongodb://db.test/?serverMonitoringMode=often",
            // single-threaded-options
            "mongodb://db.test/?serverSelectionTryOnce=maybe",
        ],
    ),
    (
        Refused,
        "options that exclude each other",
        &[
            "mongodb://a.test,b.test/?directConnection=true",
            "mongodb://a.test,b.test/?loadBalanced=true",
            "mongodb://a.test/?loadBalanced=true&replicaSet=rs",
            "mongodb://a.test/?loadBalanced=true&directConnection=true",
        ],
    ),
    (
        Taken,
        "servers are looked for again",
        &["mongodb://db.test/?serverSelectionTryOnce=false"],
    ),
    // compression-options
    (
        Taken,
        "compressors",
        &[
            "mongodb://db.test/?compressors=zstd",
            "mongodb://db.test/?compressors=snappy,zlib&zlibCompressionLevel=-1",
        ],
    ),
    (
        Warned,
        "compressors and levels that do not exist",
        &[
            "mongodb://db.test/?compressors=zstd,lzma",
            "mongodb://db.test/?compressors=zlib&zlibCompressionLevel=11",
        ],
    ),
    // concern-options
    (
        Warned,
        "concerns that make no sense",
        &[
            "mongodb://db.test/?journal=maybe",
            "mongodb://db.test/?wTimeoutMS=-3",
        ],
    ),
    // proxy-options
    (
        Taken,
        "a proxy has a host, and may have credentials",
        &[
            "mongodb://db.test/?proxyHost=px.test&proxyPort=1081",
            "mongodb://db.test/?proxyHost=px.test&proxyUsername=ann&proxyPassword=pw",
        ],
    ),
    (
        Refused,
        "a proxy is not half said, nor twice",
        &[
            "mongodb://db.test/?proxyPort=1081",
            "mongodb://db.test/?proxyHost=px.test&proxyUsername=ann",
            "mongodb://db.test/?proxyHost=px.test&proxyHost=py.test",
        ],
    ),
    // read-preference-options
    (
        Warned,
        "tags are pairs, and staleness is a number",
        &[
            "mongodb://db.test/?readPreference=nearest&readPreferenceTags=paris",
            "mongodb://db.test/?maxStalenessSeconds=-2",
            "mongodb://db.test/?readPreference=secondry",
            "mongodb://db.test/?readPreference=&readPreferenceTags=dc:a&maxStalenessSeconds=120",
        ],
    ),
    // srv-options
    (
        Refused,
        "options of a service",
        &[
            "mongodb://db.test/?srvServiceName=shop",
            "mongodb://db.test/?srvMaxHosts=1",
            "mongodb+srv://db.test/?srvMaxHosts=1&replicaSet=rs",
            "mongodb+srv://db.test/?srvMaxHosts=1&loadBalanced=true",
        ],
    ),
    // tls-options
    (
        Refused,
        "what relaxes TLS is said once",
        &[
            "mongodb://db.test/?tlsInsecure=true&tlsAllowInvalidCertificates=false",
            "mongodb://db.test/?tlsAllowInvalidHostnames=true&tlsInsecure=true",
            "mongodb://db.test/?tlsDisableOCSPEndpointCheck=true&tlsInsecure=true",
            "mongodb://db.test/?ssl=true&tls=false",
        ],
    ),
];

/// More valid cases; a list has one line for each specification that mentions it.
const TAKEN: [&str; 8] = [
    "mongodb://db.test/?readPreference=secondary&readPreferenceTags=dc:a,rack:2&readPreferenceTags=",
    "mongodb://db.test/?readPreference=nearest&maxStalenessSeconds=-1",
    "mongodb://db.test/?readPreference=primary&maxStalenessSeconds=-1",
    "mongodb+srv://db.test/?srvServiceName=shop&srvMaxHosts=0&replicaSet=rs",
    "mongodb://db.test/?tls=true&ssl=true",
    "mongodb://db.test/?tlsInsecure=true",
    "mongodb://db.test/?tlsCertificateKeyFilePassword=pw",
    "mongodb://db.test/?readConcernLevel=majority&w=majority&journal=true",
];

#[tokio::test]
async fn connection_strings_are_handled_as_specified() {
    let cases = RULES
        .iter()
        .flat_map(|(wanted, rule, uris)| uris.iter().map(move |uri| (*wanted, *uri, *rule)));
    let taken = TAKEN.iter().map(|uri| (Taken, *uri, "it is valid"));
    let mut wrong = Vec::new();
    let mut count = 0;
    for (wanted, uri, rule) in cases.chain(taken).chain(DIFFERENCES) {
        count += 1;
        let found = fate(uri).await;
        if found != wanted {
            wrong.push(format!("{uri} is {found:?}, not {wanted:?}: {rule}"));
        }
    }
    println!(
        "{count} cases, {} of them differ for a reason",
        DIFFERENCES.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
