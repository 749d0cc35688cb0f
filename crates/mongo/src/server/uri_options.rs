//! Sifts the options of a connection string before the driver's parser sees them.
//!
//! MongoDB's specification of connection strings says to ignore, with a warning, any option that is
//! unknown or has a nonsensical value. The driver (3.9.1) rejects the whole string instead, and
//! quotes parts of it that may be secret. Options that provide protection are never ignored: if
//! they are wrong, the string is rejected. No value is ever quoted here.

use std::num::NonZeroU16;

use lob_core::text::{decoded, nearest};

/// The remaining options, and what became of the others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sifted {
    /// The options the driver gets, joined by `&`.
    pub(crate) options: String,
    /// One sentence for each option that the driver does not get.
    pub(crate) warnings: Vec<String>,
}

/// The valid values of an option, and what happens to an invalid one.
#[derive(Clone, Copy)]
enum Rule {
    /// The driver decides.
    Any,
    /// At most this many bytes; otherwise left out.
    Short(usize),
    /// The driver decides; without a value, the string is rejected.
    Required,
    /// One of these words; otherwise the string is rejected.
    Mechanism(&'static [&'static str]),
    /// A port number; otherwise the string is rejected.
    Port,
    /// `true` or `false`; otherwise left out.
    Flag,
    /// `true` or `false`; otherwise the string is rejected.
    Protection,
    /// A whole number in this inclusive range; otherwise left out.
    Number(i64, i64),
    /// One of these words in any case; otherwise left out.
    Word(&'static [&'static str]),
    /// A list of these words; any others are left out.
    Words(&'static [&'static str]),
    /// A list of pairs with a colon; otherwise left out.
    Pairs,
    /// A list of pairs with a colon; otherwise the string is rejected.
    Properties,
    /// Left out for the reason given second, but silently if the value, given first, holds anyway.
    Unused(&'static str, &'static str),
}

const MILLISECONDS: Rule = Rule::Number(0, i64::MAX);
const DEPRECATED: Rule = Rule::Unused("", "it is deprecated");
const UNCHECKED: Rule = Rule::Unused("true", "certificates are not checked for revocation");
const WRITES: &str = "an import uses --write-concern instead, and an export writes nothing";
const WAITING: Rule = Rule::Unused("", "an import uses --write-concern-timeout instead");

const PATIENCE: Rule = Rule::Unused("", "--mongodb-operation-timeout is used instead");

/// Every option known to the specification or the driver, in lower case.
const OPTIONS: [(&str, Rule); 56] = [
    // A server refuses a connection with a longer name.
    ("appname", Rule::Short(128)),
    ("authmechanism", Rule::Mechanism(&MECHANISMS)),
    ("authmechanismproperties", Rule::Properties),
    ("authsource", Rule::Required),
    ("compressors", Rule::Words(&["zstd", "snappy", "zlib"])),
    ("connecttimeoutms", MILLISECONDS),
    ("directconnection", Rule::Flag),
    ("enableoverloadretargeting", Rule::Flag),
    ("fsync", DEPRECATED),
    // The driver rejects smaller values.
    ("heartbeatfrequencyms", Rule::Number(500, i64::MAX)),
    ("j", DEPRECATED),
    ("journal", Rule::Unused("true", WRITES)),
    ("loadbalanced", Rule::Flag),
    ("localthresholdms", MILLISECONDS),
    ("maxadaptiveretries", Rule::Number(0, u32::MAX as i64)),
    ("maxconnecting", Rule::Number(1, u32::MAX as i64)),
    ("maxidletimems", MILLISECONDS),
    // Zero means no limit in the specification, but the driver rejects it.
    ("maxpoolsize", Rule::Number(1, u32::MAX as i64)),
    // The driver rejects smaller values.
    ("maxstalenessseconds", Rule::Number(90, i64::MAX)),
    ("minpoolsize", Rule::Number(0, u32::MAX as i64)),
    ("proxyhost", Rule::Required),
    ("proxypassword", Rule::Required),
    ("proxyport", Rule::Port),
    ("proxyusername", Rule::Required),
    ("readconcernlevel", Rule::Required),
    ("readpreference", Rule::Word(&READ_PREFERENCES)),
    ("readpreferencetags", Rule::Pairs),
    ("replicaset", Rule::Any),
    ("retryreads", Rule::Flag),
    ("retrywrites", Rule::Flag),
    ("safe", DEPRECATED),
    (
        "servermonitoringmode",
        Rule::Word(&["auto", "poll", "stream"]),
    ),
    // With zero, no server would ever be found.
    ("serverselectiontimeoutms", Rule::Number(1, i64::MAX)),
    (
        "serverselectiontryonce",
        Rule::Unused("false", "server selection always lasts until its timeout"),
    ),
    ("slaveok", DEPRECATED),
    // The driver cannot be created with it.
    ("sockettimeoutms", PATIENCE),
    ("srvmaxhosts", Rule::Number(0, u32::MAX as i64)),
    ("srvservicename", Rule::Any),
    ("ssl", Rule::Protection),
    ("timeoutms", PATIENCE),
    ("tls", Rule::Protection),
    ("tlsallowinvalidcertificates", Rule::Flag),
    (
        "tlsallowinvalidhostnames",
        Rule::Unused("false", "host names are always checked"),
    ),
    ("tlscafile", Rule::Required),
    ("tlscertificatekeyfile", Rule::Required),
    ("tlscertificatekeyfilepassword", Rule::Any),
    ("tlsdisablecertificaterevocationcheck", UNCHECKED),
    ("tlsdisableocspendpointcheck", UNCHECKED),
    ("tlsinsecure", Rule::Flag),
    (
        "uuidrepresentation",
        Rule::Unused("standard", "documents are read and written as they are"),
    ),
    ("w", Rule::Unused("majority", WRITES)),
    ("waitqueuemultiple", DEPRECATED),
    ("waitqueuetimeoutms", MILLISECONDS),
    ("wtimeout", DEPRECATED),
    ("wtimeoutms", WAITING),
    ("zlibcompressionlevel", Rule::Number(-1, 9)),
];

const OIDC: &str = "MONGODB-OIDC";

const MECHANISMS: [&str; 6] = [
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "MONGODB-X509",
    "PLAIN",
    "MONGODB-AWS",
    OIDC,
];

/// Where an OIDC token comes from; the driver needs a feature for the others.
const OIDC_ENVIRONMENT: &str = "k8s";
const OTHER_ENVIRONMENTS: [&str; 3] = ["azure", "gcp", "test"];

/// Options of a connection string whose values are secret.
pub(crate) const SECRET_OPTIONS: [&str; 3] = [
    "authmechanismproperties",
    "tlscertificatekeyfilepassword",
    "proxypassword",
];

const READ_PREFERENCES: [&str; 5] = [
    "primary",
    "primarypreferred",
    "secondary",
    "secondarypreferred",
    "nearest",
];

/// Options that do not apply to a primary; the driver rejects them there.
const OF_READ_PREFERENCE: [&str; 2] = ["readpreferencetags", "maxstalenessseconds"];

const OF_PROXY: [&str; 3] = ["proxyport", "proxyusername", "proxypassword"];

/// Sets no limit, as if it were not there.
const UNLIMITED: &str = "maxStalenessSeconds=-1";

/// Any two of these conflict, whatever their values.
const RELAXING: [&str; 4] = [
    "tlsinsecure",
    "tlsallowinvalidcertificates",
    "tlsdisablecertificaterevocationcheck",
    "tlsdisableocspendpointcheck",
];

/// Whether an option with this name exists.
pub(crate) fn is_known(name: &str) -> bool {
    rule(&name.to_ascii_lowercase()).is_some()
}

fn rule(key: &str) -> Option<Rule> {
    let known = OPTIONS.iter().find(|(known, _)| *known == key);
    known.map(|(_, rule)| *rule)
}

/// Sifts the part of a connection string after the `?`.
///
/// # Errors
/// Why the string must be rejected, as a clause that contains no value.
pub(crate) fn sift(options: &str) -> Result<Sifted, String> {
    let mut sifted = Sifted::default();
    let mut given: Vec<(String, &str)> = Vec::new();
    let mut secret = None;
    let mode = options.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let is_mode = name.eq_ignore_ascii_case("readpreference");
        is_mode.then(|| Rule::Word(&READ_PREFERENCES).judge(value))
    });
    let lacks_mode = match mode {
        Some(Verdict::Taken(mode)) => mode.eq_ignore_ascii_case("primary"),
        _ => true,
    };
    let says_something = |pair: &&str| !pair.is_empty() && !pair.eq_ignore_ascii_case(UNLIMITED);
    for pair in options.split('&').filter(says_something) {
        let (name, value) = pair.split_once('=').ok_or("an option has no `=`")?;
        let key = name.to_ascii_lowercase();
        let Some(rule) = rule(&key) else {
            // An `&` ends a secret, so what follows may be the rest of it.
            match secret {
                Some(secret) => sifted.warnings.push(format!(
                    "an option after `{secret}` in the MongoDB URI is ignored: it is unknown; \
                     write a `&` in a value as %26"
                )),
                None => match nearest(&key, OPTIONS.iter().map(|(known, _)| *known)) {
                    Some(meant) if protects(meant) => {
                        return Err(format!("`{name}` is unknown: did you mean `{meant}`?"));
                    }
                    Some(meant) => {
                        sifted.leave_out(name, &format!("it is unknown; did you mean `{meant}`?"));
                    }
                    None => sifted.leave_out(name, "it is unknown"),
                },
            }
            continue;
        };
        secret = SECRET_OPTIONS.contains(&key.as_str()).then_some(name);
        let earlier = given.iter().find(|(earlier, _)| *earlier == key);
        let earlier = earlier.map(|(_, value)| *value);
        given.push((key.clone(), value));
        if let Some(earlier) = earlier.filter(|_| key != "readpreferencetags") {
            if earlier != value && rule.refuses() {
                return Err(format!("`{name}` is given twice"));
            }
            sifted.leave_out(name, "it is given twice, and the first one counts");
            continue;
        }
        if lacks_mode && OF_READ_PREFERENCE.contains(&key.as_str()) {
            sifted.leave_out(name, "`readPreference` selects only the primary");
            continue;
        }
        match rule.judge(value) {
            Verdict::Taken(value) => sifted.take(&key, &value),
            Verdict::Held => {}
            Verdict::LeftOut(reason) => {
                sifted.leave_out(name, reason);
                continue;
            }
            Verdict::Refused(reason) => return Err(format!("`{name}` {reason}")),
        }
        if let Rule::Words(known) = rule
            && value.split(',').any(|word| !known.contains(&word))
        {
            let known = known.join(", ");
            sifted.warnings.push(format!(
                "`{name}` in the MongoDB URI is used only in part: only {known} are supported"
            ));
        }
    }
    check_oidc(&given)?;
    let is_given = |name: &&str| given.iter().any(|(key, _)| key == name);
    let is_insecure = is_given(&"tlsinsecure") && is_given(&"tlsallowinvalidhostnames");
    if is_insecure || RELAXING.iter().filter(|name| is_given(name)).count() > 1 {
        return Err("it relaxes TLS with two options; use only one".to_owned());
    }
    if OF_PROXY.iter().any(is_given) && !is_given(&"proxyhost") {
        let reason =
            "`proxyPort`, `proxyUsername` and `proxyPassword` have no effect without `proxyHost`";
        return Err(reason.to_owned());
    }
    Ok(sifted)
}

/// Rejects MONGODB-OIDC with a token source that is not built in.
fn check_oidc(given: &[(String, &str)]) -> Result<(), String> {
    let value = |name: &str| given.iter().find(|(key, _)| key == name);
    if value("authmechanism").is_none_or(|(_, mechanism)| *mechanism != OIDC) {
        return Ok(());
    }
    let properties = value("authmechanismproperties").map(|(_, properties)| decoded(properties));
    let properties = properties.unwrap_or_default();
    let mut environments = properties
        .split(',')
        .filter_map(|property| property.strip_prefix("ENVIRONMENT:"));
    let environment = environments.next();
    if environment == Some(OIDC_ENVIRONMENT) {
        return Ok(());
    }
    // Any other word could be anything, so it is not quoted.
    let named = OTHER_ENVIRONMENTS
        .iter()
        .find(|name| environment == Some(**name));
    Err(match named {
        Some(name) => format!(
            "the OIDC environment `{name}` in `authMechanismProperties` is not supported; \
             `{OIDC_ENVIRONMENT}` is"
        ),
        None => format!(
            "`authMechanism` {OIDC} needs `ENVIRONMENT:{OIDC_ENVIRONMENT}` in \
             `authMechanismProperties`"
        ),
    })
}

impl Sifted {
    fn take(&mut self, key: &str, value: &str) {
        let and = if self.options.is_empty() { "" } else { "&" };
        self.options += &format!("{and}{key}={value}");
    }

    fn leave_out(&mut self, name: &str, reason: &str) {
        let warning = format!("`{name}` in the MongoDB URI is ignored: {reason}");
        self.warnings.push(warning);
    }
}

/// Whether an option protects what is sent: a mistyped one must not be ignored.
fn protects(option: &str) -> bool {
    ["tls", "ssl", "auth"]
        .iter()
        .any(|prefix| option.starts_with(prefix))
}

/// What happens to an option.
enum Verdict {
    Taken(String),
    /// It states what holds anyway.
    Held,
    LeftOut(&'static str),
    Refused(&'static str),
}

impl Rule {
    /// Whether a nonsensical value gets the string rejected instead of being left out.
    fn refuses(self) -> bool {
        matches!(
            self,
            Self::Required | Self::Mechanism(_) | Self::Port | Self::Properties | Self::Protection
        )
    }

    fn judge(self, value: &str) -> Verdict {
        let is_flag = matches!(value, "true" | "false");
        let is_pairs = value.split(',').all(|pair| pair.contains(':'));
        let fits = match self {
            Self::Protection if !is_flag => return Verdict::Refused("must be true or false"),
            Self::Unused(held, _) if value == held && !held.is_empty() => return Verdict::Held,
            Self::Unused(_, reason) => return Verdict::LeftOut(reason),
            Self::Words(known) => {
                let words: Vec<_> = value
                    .split(',')
                    .filter(|word| known.contains(word))
                    .collect();
                match words.is_empty() {
                    true => false,
                    false => return Verdict::Taken(words.join(",")),
                }
            }
            Self::Mechanism(known) if !known.contains(&value) => {
                return Verdict::Refused(
                    "names a mechanism that is not supported; SCRAM, X.509, PLAIN, AWS and OIDC \
                     are",
                );
            }
            Self::Port if value.parse::<NonZeroU16>().is_err() => {
                return Verdict::Refused("is not a port number");
            }
            Self::Properties if !is_pairs => {
                return Verdict::Refused("is not a list of `NAME:VALUE`");
            }
            Self::Required if value.is_empty() => return Verdict::Refused("has no value"),
            Self::Required
            | Self::Mechanism(_)
            | Self::Port
            | Self::Properties
            | Self::Protection => true,
            Self::Any => !value.is_empty(),
            Self::Short(most) => (1..=most).contains(&decoded(value).len()),
            Self::Flag => is_flag,
            Self::Number(least, most) => value
                .parse::<i64>()
                .is_ok_and(|number| (least..=most).contains(&number)),
            Self::Word(known) => known.contains(&value.to_ascii_lowercase().as_str()),
            // An empty list matches any server.
            Self::Pairs => value.is_empty() || is_pairs,
        };
        match fits {
            true => Verdict::Taken(value.to_owned()),
            false => Verdict::LeftOut("its value is invalid"),
        }
    }
}

#[cfg(test)]
mod wrong_values;
