//! Reads the connection string without ever revealing a part of its password.
//!
//! The driver's parser (3.9.1) quotes the password in an error if it contains an unescaped `?`, and
//! panics with the password's tail in the message if a `%` comes before a wide character. So the
//! user name and password are checked here first, and the driver only sees those that it parses
//! safely. Anything that could be secret is registered for redaction before it is used.

use lob_core::text::bare;
use lob_core::text::{MASK, remember_encoded};
use mongodb::options::ConnectionString;

use super::aws_keys;
use super::uri_options::{SECRET_OPTIONS, is_known, sift};
use crate::error::{Cause, Error, Result};

/// The connection string as read by the driver, and the warnings about it.
pub(super) fn parse(uri: &str) -> Result<(ConnectionString, Vec<String>)> {
    let parts = check(uri)?;
    let sifted = sift(parts.options).map_err(|reason| Error::InvalidUri { reason })?;
    let Parts { scheme, server, .. } = parts;
    let text = format!("{scheme}://{server}?{}", sifted.options);
    match ConnectionString::parse(text) {
        Ok(parsed) => {
            let user_info = server
                .split_once('@')
                .map_or("", |(user_info, _)| user_info);
            aws_keys::check(&parsed, user_info).map_err(|reason| Error::InvalidUri { reason })?;
            Ok((parsed, sifted.warnings))
        }
        Err(error) => {
            // The driver quotes what it does not understand.
            remember_pieces(uri);
            let reason = Cause::of_driver(&error.kind).to_string();
            Err(Error::InvalidUri { reason })
        }
    }
}

/// The connection string in a form that may be shown: scheme, hosts and database, without user
/// name, password and options. Masked entirely if it is unclear which part is which.
pub(super) fn without_secrets(uri: &str) -> String {
    let shown = check(uri).map(|Parts { scheme, server, .. }| {
        let hosts = server.split_once('@').map_or(server, |(_, hosts)| hosts);
        format!("{scheme}://{hosts}")
    });
    shown.unwrap_or_else(|_| MASK.to_owned())
}

/// A connection string, split into its parts.
struct Parts<'a> {
    scheme: &'a str,
    /// User name, password, hosts and database.
    server: &'a str,
    options: &'a str,
}

/// Rejects whatever the driver's parser would quote or panic on, and registers secrets for
/// redaction.
fn check(uri: &str) -> Result<Parts<'_>> {
    let checked = cut(uri).and_then(|parts| check_user_info(&parts).map(|()| parts));
    match &checked {
        Ok(parts) => remember_secrets(parts),
        Err(_) => remember_pieces(uri),
    }
    checked
}

fn cut(uri: &str) -> Result<Parts<'_>> {
    let invalid = |reason: &str| Error::InvalidUri {
        reason: reason.to_owned(),
    };
    let uri = bare(uri);
    let (scheme, rest) = uri
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "mongodb" | "mongodb+srv"))
        .ok_or_else(|| invalid("it does not start with mongodb:// or mongodb+srv://"))?;
    if uri.contains(char::is_whitespace) {
        let reason = "it contains white space, such as a line break; write a space as %20";
        return Err(invalid(reason));
    }
    // A `#` in the user name or password gets an error of its own.
    if rest
        .rsplit('@')
        .next()
        .is_some_and(|hosts| hosts.contains('#'))
    {
        return Err(invalid(
            "it contains a `#`: fragments are not supported, and in a value write it as %23",
        ));
    }
    let (server, options) = rest.split_once('?').unwrap_or((rest, ""));
    Ok(Parts {
        scheme,
        server,
        options,
    })
}

fn check_user_info(parts: &Parts<'_>) -> Result<()> {
    let unescaped = |reason| Err(Error::UnescapedUri { reason });
    let Parts {
        server, options, ..
    } = parts;
    let authority = server.split('/').next().unwrap_or_default();
    let is_option = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| is_known(name));
    // An `@` among the options is part of one, unless a password with a `?` looks like options.
    let cuts_password = options.contains('@') && !options.split('&').all(is_option);
    if cuts_password
        || server[authority.len()..].contains('@')
        || authority.matches('@').count() > 1
    {
        return unescaped("an `@`, `/` or `?` in the user name or password is not percent-encoded");
    }
    let Some((user_info, _)) = authority.split_once('@') else {
        return Ok(());
    };
    if user_info.matches(':').count() > 1 || user_info.contains(['[', ']', '#']) {
        return unescaped(
            "a `:`, `[`, `]` or `#` in the user name or password is not percent-encoded",
        );
    }
    let escapes_two_digits = |after: &str| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !user_info.split('%').skip(1).all(escapes_two_digits) {
        return unescaped("a `%` in the user name or password is not percent-encoded");
    }
    Ok(())
}

/// Registers the password and the secret options for redaction.
fn remember_secrets(parts: &Parts<'_>) {
    if let Some((user_info, _)) = parts.server.split_once('@')
        && let Some((_, password)) = user_info.split_once(':')
    {
        remember_encoded(password);
    }
    let options = parts.options.split('&');
    for (name, value) in options.filter_map(|option| option.split_once('=')) {
        if SECRET_OPTIONS.contains(&name.to_ascii_lowercase().as_str()) {
            remember_encoded(value);
            // The driver quotes single properties of a list.
            let properties = value
                .split(',')
                .filter_map(|property| property.split_once(':'));
            properties.for_each(|(_, value)| remember_encoded(value));
        }
    }
}

/// Registers everything that could be a password or a piece of one, because its end is unclear.
fn remember_pieces(uri: &str) {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    if let Some((user_info, _)) = rest.rsplit_once('@')
        && let Some((_, password)) = user_info.split_once(':')
    {
        remember_encoded(password);
        password
            .split(|c: char| c.is_whitespace() || "/?#[]@:%".contains(c))
            .for_each(remember_encoded);
    }
    let (server, options) = rest.split_once('?').unwrap_or((rest, ""));
    remember_secrets(&Parts {
        scheme: "",
        server,
        options,
    });
}

#[cfg(test)]
mod odd_strings;
#[cfg(test)]
mod specification;

#[cfg(test)]
mod tests {
    use lob_core::text::redact;

    use super::*;

    #[test]
    fn the_password_of_a_proxy_is_masked_in_every_form() {
        let proxy = "proxyHost=p&proxyUsername=u&proxyPassword=sock%2Fs-9%2Bword";
        parse(&format!("mongodb://localhost:1/?{proxy}")).unwrap();
        for form in ["sock%2Fs-9%2Bword", "sock/s-9+word", "sock\\/s%2d9+word"] {
            assert_eq!(redact(&format!("got {form}.")), "got ***.", "{form}");
        }
    }

    #[test]
    fn a_shown_connection_string_has_no_user_password_or_options() {
        for (uri, shown) in [
            ("mongodb://localhost:27017/", "mongodb://localhost:27017/"),
            (
                "mongodb://u:shown-pw@a:1,b:2/db?tls=true",
                "mongodb://a:1,b:2/db",
            ),
            ("mongodb+srv://u@host?x=y", "mongodb+srv://host"),
            ("mongodb://u:shown/pw@host", MASK),
            ("'mongodb://u:shown-pw@a/'", "mongodb://a/"),
            ("mongodb://u:shown\npw@a/", MASK),
            ("nonsense", MASK),
        ] {
            assert_eq!(without_secrets(uri), shown);
        }
    }
}
