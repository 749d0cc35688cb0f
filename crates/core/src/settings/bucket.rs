//! A bucket as people write it: its name, its ARN or that of an access point, or the `s3://` URL of
//! a folder in it. Anything else is refused before a server is contacted.

use std::fmt;
use std::str::FromStr;

use crate::text::{InvalidText, bare};

/// A bucket, and the folder that its URL named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bucket {
    name: String,
    /// Without slashes around it; empty if none was named.
    folder: String,
}

/// What is said of other texts. It does not repeat them: people put keys into URLs.
const INVALID: &str = "a bucket name has 3 to 255 letters, digits, `.`, `_` and `-`, and begins and \
                       ends with a letter or digit; an ARN and `s3://BUCKET/PREFIX` also work";

impl Bucket {
    /// The name or ARN to send in requests.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes out the folder, if the URL named one.
    pub(crate) fn take_folder(&mut self) -> Option<String> {
        let folder = std::mem::take(&mut self.folder);
        (!folder.is_empty()).then_some(folder)
    }
}

impl FromStr for Bucket {
    type Err = InvalidText;

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
            return Err(InvalidText(INVALID.to_owned()));
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

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.folder.as_str() {
            "" => f.write_str(&self.name),
            folder => write!(f, "s3://{}/{folder}", self.name),
        }
    }
}

crate::serialize_as_text!(Bucket);

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
            assert_eq!(bucket.to_string().parse(), Ok(bucket.clone()));
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
