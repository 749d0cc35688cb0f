//! Where a connection string is treated differently from the specifications, and why.

use super::fate::Fate::{self, Refused, Warned};

/// Where we differ from the specification: the outcome here, the case, and the reason.
pub(super) const DIFFERENCES: [(Fate, &str, &str); 12] = [
    (
        Warned,
        "mongodb://db.test/?readPreference=primary&readPreferenceTags=dc:a&maxStalenessSeconds=120",
        "they say nothing of a primary, which is read all the same",
    ),
    (
        Refused,
        "mongodb://ann@db.test/?authMechanism=GSSAPI",
        "Kerberos wants a library in C",
    ),
    (
        Refused,
        "mongodb://db.test/?authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:test",
        "the driver has no environment for tests",
    ),
    (
        Refused,
        "mongodb://db.test/?authMechanism=MONGODB-OIDC&authMechanismProperties=TOKEN_RESOURCE:a%2Cb,ENVIRONMENT:azure",
        "the driver splits the value after it is decoded",
    ),
    (
        Warned,
        "mongodb://db.test/?w=2&journal=false",
        "--write-concern says it",
    ),
    (
        Warned,
        "mongodb://db.test/?wTimeoutMS=5",
        "--write-concern-timeout says it",
    ),
    (
        Warned,
        "mongodb://db.test/?timeoutMS=5",
        "the driver does not have it",
    ),
    (
        Warned,
        "mongodb://db.test/?socketTimeoutMS=7500",
        "the driver does not have it",
    ),
    (
        Warned,
        "mongodb://db.test/?maxPoolSize=0",
        "the driver wants a limit",
    ),
    (
        Warned,
        "mongodb://db.test/?tlsAllowInvalidHostnames=true",
        "rustls always checks names",
    ),
    (
        Warned,
        "mongodb://db.test/?tlsDisableOCSPEndpointCheck=false",
        "rustls asks for no revocation",
    ),
    (
        Refused,
        "mongodb://db.test/?tlsCAFile=missing.pem&tlsCertificateKeyFile=missing.pem",
        "the files are read at once",
    ),
];
