//! What a connection string says about MONGODB-AWS: keys that can be signed with, or none.
//!
//! The driver (3.9.1) panics on a key that no header can hold, and silently drops what it does not
//! use, so that another identity than the intended one would log in.

use lob_core::store::check_aws_keys;
use mongodb::options::{AuthMechanism, ConnectionString, Credential};

/// The one property that MONGODB-AWS has.
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// Refuses keys and properties that could not be used as they were meant. `user_info` is what stands
/// before the `@`: a password without a user name is no longer there once it is parsed.
///
/// # Errors
/// Why the connection string cannot be used, as half a sentence without any value.
pub(super) fn check(parsed: &ConnectionString, user_info: &str) -> Result<(), String> {
    let Some(credential) = &parsed.credential else {
        return Ok(());
    };
    if credential.mechanism != Some(AuthMechanism::MongoDbAws) {
        return Ok(());
    }
    let source = credential.source.as_deref().unwrap_or("$external");
    if source != "$external" {
        return Err("MONGODB-AWS has no `authSource` but `$external`".to_owned());
    }
    let token = session_token(credential)?;
    match (&credential.username, &credential.password) {
        (Some(id), Some(secret)) => {
            check_aws_keys(id, secret, token).map_err(|error| error.to_string())
        }
        (None, None) if user_info.is_empty() && token.is_none() => Ok(()),
        (None, None) if user_info.is_empty() => Err(format!(
            "`{SESSION_TOKEN}` has no meaning without an access key id and a secret access key"
        )),
        _ => {
            Err("MONGODB-AWS needs an access key id and a secret access key, or neither".to_owned())
        }
    }
}

fn session_token(credential: &Credential) -> Result<Option<&str>, String> {
    let properties = credential.mechanism_properties.iter().flatten();
    let mut token = None;
    for (name, value) in properties {
        if name != SESSION_TOKEN {
            let reason =
                format!("`authMechanismProperties` of MONGODB-AWS has only `{SESSION_TOKEN}`");
            return Err(reason);
        }
        token = value.as_str();
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::super::connection_string::parse;

    #[test]
    fn keys_that_could_not_be_used_as_meant_are_refused_without_repeating_them() {
        const PROPERTY: &str = "authMechanismProperties";
        for (user_info, options) in [
            ("AKIA%0A:canary@", String::new()),
            ("AKIA%20:canary@", String::new()),
            ("AKI%C3%84:canary@", String::new()),
            ("AKIA:canary%0D@", String::new()),
            ("AKIA:@", String::new()),
            (":canary@", String::new()),
            (
                "AKIA:canary@",
                format!("&{PROPERTY}=AWS_SESSION_TOKEN:canary%0A"),
            ),
            (
                "AKIA:canary@",
                format!("&{PROPERTY}=AWS_SESION_TOKEN:canary"),
            ),
            ("", format!("&{PROPERTY}=AWS_SESSION_TOKEN:canary")),
            ("AKIA:canary@", "&authSource=admin".to_owned()),
        ] {
            let uri = format!("mongodb://{user_info}db.test/?authMechanism=MONGODB-AWS{options}");
            let refused = parse(&uri).expect_err(&uri).to_string();
            assert!(!refused.contains("canary"), "{refused}");
        }
        for user_info in ["", "AKIA:can%2Fary@"] {
            let uri = format!("mongodb://{user_info}db.test/?authMechanism=MONGODB-AWS");
            assert!(parse(&uri).is_ok(), "{uri}");
        }
    }
}
