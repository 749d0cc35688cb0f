//! What is set on the objects that a tool creates, besides their bytes: storage class, encryption
//! and metadata; and the flags for them.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// S3's limit on the metadata of an object, names and values together, in bytes.
const MAX_METADATA: usize = 2048;
/// The part of it reserved for our own fields.
const OUR_METADATA: usize = 128;
/// Prefix of our own metadata names.
const OUR_NAMES: &str = "lob-";

/// How objects are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectSettings {
    /// Storage class of the data files. Plan and manifest always use the standard class, because
    /// they must be readable at once.
    pub storage_class: Option<String>,
    /// Server-side encryption of every object.
    pub sse: Option<Encryption>,
    /// The KMS key, for one of the KMS encryptions.
    pub sse_kms_key_id: Option<String>,
    /// User metadata of the data files.
    pub metadata: BTreeMap<String, String>,
}

/// Server-side encryption, by S3's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub enum Encryption {
    /// Keys that S3 manages
    #[value(name = "AES256")]
    #[serde(rename = "AES256")]
    Aes256,
    /// A key of AWS KMS
    #[value(name = "aws:kms")]
    #[serde(rename = "aws:kms")]
    Kms,
    /// Two layers of encryption with a key of AWS KMS
    #[value(name = "aws:kms:dsse")]
    #[serde(rename = "aws:kms:dsse")]
    KmsDsse,
}

impl ObjectSettings {
    /// Checks that S3 can accept these settings.
    ///
    /// # Errors
    /// A KMS key without KMS, a name that does not fit a header, or metadata that is too large or
    /// uses one of our own names.
    pub fn check(&self) -> Result<(), Failure> {
        let kms = matches!(self.sse, Some(Encryption::Kms | Encryption::KmsDsse));
        if self.sse_kms_key_id.is_some() && !kms {
            return Err(
                Failure::usage("`sse_kms_key_id` needs `sse` to be `aws:kms`")
                    .about(&["sse_kms_key_id", "sse"]),
            );
        }
        for (key, text) in [
            ("storage_class", &self.storage_class),
            ("sse_kms_key_id", &self.sse_kms_key_id),
        ] {
            if text.as_deref().is_some_and(|text| !fits_a_header(text)) {
                let message = format!("`{key}` contains white space or a control character");
                return Err(Failure::usage(message).about(&[key]));
            }
        }
        self.check_metadata()
            .map_err(|failure| failure.about(&["metadata"]))
    }

    fn check_metadata(&self) -> Result<(), Failure> {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let mut names = BTreeSet::new();
        for (name, value) in &self.metadata {
            // Names become headers, which are case-insensitive.
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(Failure::usage(format!("metadata `{name}` is set twice")));
            }
            // The characters allowed in a header name (RFC 9110, section 5.6.2).
            if name.is_empty() || !name.chars().all(token) {
                return Err(Failure::usage(format!(
                    "`{name}` is not a valid metadata name"
                )));
            }
            if name.to_ascii_lowercase().starts_with(OUR_NAMES) {
                return Err(Failure::usage(format!(
                    "metadata `{name}` begins with `{OUR_NAMES}`, which is reserved"
                )));
            }
            if value.chars().any(|c| c.is_control() || !c.is_ascii()) {
                return Err(Failure::usage(format!(
                    "the value of metadata `{name}` is not plain ASCII"
                )));
            }
        }
        let size = |(name, value): (&String, &String)| name.len() + value.len();
        let size: usize = self.metadata.iter().map(size).sum();
        if size > MAX_METADATA - OUR_METADATA {
            let limit = MAX_METADATA - OUR_METADATA;
            return Err(Failure::usage(format!(
                "the metadata has {size} bytes, more than the {limit} that S3 leaves room for"
            )));
        }
        Ok(())
    }
}

/// Whether a name may be sent in a header.
pub(crate) fn fits_a_header(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_graphic())
}

/// The flags for [`ObjectSettings`].
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "Objects")]
pub struct ObjectArgs {
    /// Storage class of the data files, such as STANDARD_IA [default: the bucket's]
    #[arg(long, value_name = "CLASS")]
    pub storage_class: Option<String>,
    /// Server-side encryption [default: the bucket's]
    #[arg(long, value_enum, value_name = "KIND")]
    pub sse: Option<Encryption>,
    /// KMS key for `--sse aws:kms` [default: the account's]
    #[arg(long, value_name = "KEY")]
    pub sse_kms_key_id: Option<String>,
    /// Metadata of the data files; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    #[serde(serialize_with = "as_table")]
    pub metadata: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("it is not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn as_table<S: serde::Serializer>(
    pairs: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_metadata(name: &str, value: &str) -> ObjectSettings {
        ObjectSettings {
            metadata: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            ..ObjectSettings::default()
        }
    }

    #[test]
    fn object_settings_that_s3_cannot_accept_are_refused() {
        assert!(ObjectSettings::default().check().is_ok());
        assert!(with_metadata("team", "research desk").check().is_ok());
        for (name, value) in [
            ("", "a"),
            ("a b", "a"),
            ("LOB-token", "a"),
            ("a", "é"),
            ("a", "b\n"),
            ("a", &"x".repeat(2000)),
        ] {
            assert!(with_metadata(name, value).check().is_err(), "{name:?}");
        }
        let mut twice = with_metadata("Team", "a");
        twice.metadata.insert("team".to_owned(), "b".to_owned());
        assert!(twice.check().is_err());
        let mut settings = ObjectSettings {
            sse_kms_key_id: Some("key".to_owned()),
            ..ObjectSettings::default()
        };
        assert!(settings.check().is_err());
        settings.sse = Some(Encryption::Kms);
        assert!(settings.check().is_ok());
        settings.sse_kms_key_id = Some("key\n".to_owned());
        assert!(settings.check().is_err());
        let class = ObjectSettings {
            storage_class: Some("STANDARD\r".to_owned()),
            ..ObjectSettings::default()
        };
        assert!(class.check().is_err());
    }
}
