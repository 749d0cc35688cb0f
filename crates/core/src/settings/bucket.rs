//! A bucket as people write it: its name, its ARN or that of an access point, or the `s3://` URL of
//! a folder in it. Anything else is refused before a server is contacted.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::bare;

/// A bucket, and the folder that its URL named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bucket {
    name: String,
    /// Without slashes around it; empty if none was named.
    folder: String,
}

/// The text does not name a bucket. The error does not repeat it: people put keys into URLs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a bucket name has 3 to 255 letters, digits, `.`, `_` and `-`, and begins and ends with a \
     letter or digit; an ARN and `s3://BUCKET/PREFIX` also work"
)]
pub struct InvalidBucket;

impl Bucket {
    /// The name or ARN to send in requests.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes out the folder, if the URL named one.
    pub(crate) fn take_folder(&mut self) -> Option<String> {
        let folder = std::mem::take(&mut self.folder);
        (!folder.is_empty()).then_some(folder)
    }
}

impl FromStr for Bucket {
    type Err = InvalidBucket;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = bare(text);
        let of_arn = || text.strip_prefix("arn:")?.split_once(":s3:::");
        let with_folder = match of_arn() {
            Some((_, bucket)) => Some(bucket),
            None => text.strip_prefix("s3://"),
        };
        let (name, folder) = match with_folder {
            Some(url) => url.split_once('/').unwrap_or((url, "")),
            None => (text, ""),
        };
        if !is_name(name) && !is_arn(name) {
            return Err(InvalidBucket);
        }
        Ok(Self {
            name: name.to_owned(),
            folder: folder.trim_end_matches('/').to_owned(),
        })
    }
}

/// S3's rules, plus what older buckets and other servers allow.
fn is_name(text: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    (3..=255).contains(&text.len())
        && is_edge(text.chars().next())
        && is_edge(text.chars().last())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && !text.contains("..")
}

/// Whether this is the ARN of an access point, which the SDK parses.
fn is_arn(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    matches!(parts[..], ["arn", _, "s3" | "s3-outposts" | "s3-object-lambda", _, _, resource]
        if resource.contains([':', '/']) && !resource.contains(char::is_whitespace))
}

impl TryFrom<String> for Bucket {
    type Error = InvalidBucket;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Bucket> for String {
    fn from(bucket: Bucket) -> Self {
        match bucket.folder.as_str() {
            "" => bucket.name,
            folder => format!("s3://{}/{folder}", bucket.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_name_an_arn_or_the_url_of_a_folder() {
        let arn = "arn:aws:s3:eu-central-1:111122223333:accesspoint/lob";
        for (text, name, folder) in [
            ("lob", "lob", None),
            (" lob\n", "lob", None),
            ("\"s3://lob/a\"", "lob", Some("a")),
            ("Old_Bucket.1", "Old_Bucket.1", None),
            (arn, arn, None),
            ("arn:aws:s3:::lob", "lob", None),
            ("arn:aws-cn:s3:::lob/a/", "lob", Some("a")),
            ("s3://lob", "lob", None),
            ("s3://lob/", "lob", None),
            ("s3://lob/a/b/", "lob", Some("a/b")),
        ] {
            let mut bucket: Bucket = text.parse().unwrap();
            assert_eq!(String::from(bucket.clone()).parse(), Ok(bucket.clone()));
            assert_eq!(bucket.name(), name);
            assert_eq!(bucket.take_folder().as_deref(), folder, "{text}");
        }
    }

    #[test]
    fn a_text_that_names_no_bucket_is_refused_without_repeating_it() {
        for text in [
            "lob/",
            "lob/data",
            "lo",
            "\"lob",
            "lob bucket",
            "-lob",
            "lob.",
            "a..b",
            "s3://",
            "s3:///data",
            "S3://lob",
            "https://lob.s3.amazonaws.com",
            "s3://key:secret@lob/",
            "arn:aws:iam::1:user/lob",
            "arn:aws:s3:::",
            "arn:aws:s3:eu-central-1:111122223333:lob",
            &"x".repeat(256),
        ] {
            let refused = text.parse::<Bucket>().unwrap_err();
            assert!(!refused.to_string().contains("secret"), "{text}");
        }
    }
}
