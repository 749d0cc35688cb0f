//! Everything that a tool leaves behind besides its output: the objects in its bucket, and the
//! files in its folder, such as local copies of manifests and metrics. None holds a secret.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

use crate::bed::{BUCKET, Bed};
use crate::canaries::{PASSWORD, SECRET_KEY, SESSION_TOKEN};

/// Searches everything that the tool of a bed has left, and returns how many objects and files
/// these were.
///
/// # Panics
/// If one of them holds a secret, as it is or encoded, or a signature.
pub fn assert_without_secrets(bed: &Bed) -> usize {
    let keys = bed.s3.keys(BUCKET);
    for key in &keys {
        let object = bed.s3.object(BUCKET, key).unwrap();
        assert_without(key, &object.bytes);
        for (name, value) in &object.metadata {
            assert_without(key, format!("{name}={value}").as_bytes());
        }
    }
    keys.len() + search(&bed.path("."))
}

/// Searches a folder, and returns how many files it has.
fn search(folder: &Path) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += search(&path);
        } else {
            assert_without(&path.display().to_string(), &fs::read(&path).unwrap());
            files += 1;
        }
    }
    files
}

fn assert_without(name: &str, bytes: &[u8]) {
    let found = traces().find(|trace| {
        bytes
            .windows(trace.len())
            .any(|here| here == trace.as_bytes())
    });
    assert_eq!(found, None, "in {name}");
}

/// The secrets in every form that a program may write, and what only a signed request has.
fn traces() -> impl Iterator<Item = String> {
    let secrets = [SECRET_KEY, SESSION_TOKEN, PASSWORD].into_iter();
    let forms = secrets.flat_map(|secret| {
        // Base64 of what follows other bytes begins at another place.
        let shifted = ["", "x", "xx"].map(|before| {
            let text = BASE64_STANDARD_NO_PAD.encode(format!("{before}{secret}"));
            // The first and the last group depend on what is beside them.
            text[4..text.len() - 4].to_owned()
        });
        let others = [
            secret.to_owned(),
            hex::encode(secret),
            hex::encode_upper(secret),
            BASE64_URL_SAFE_NO_PAD.encode(secret),
            secret.replace('-', "%2D"),
        ];
        shifted.into_iter().chain(others)
    });
    let signed = ["AWS4-HMAC-SHA256", "X-Amz-Signature", "X-Amz-Credential"];
    forms.chain(signed.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "in a file")]
    fn a_secret_in_base64_behind_other_bytes_is_found() {
        let text = BASE64_STANDARD_NO_PAD.encode(format!("user:{PASSWORD} and more"));
        assert_without("a file", text.as_bytes());
    }

    #[test]
    fn a_file_without_secrets_has_none() {
        assert_without("a file", b"testkit-secret opensesam canary-session");
    }
}
