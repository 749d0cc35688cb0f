//! The address of an S3 server, shown without the user name and password that it may hold.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::redact::{MASK, remember_password_of};

/// An address whose `Display`, `Debug` and `Serialize` hold no secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// The whole address, for the one place that connects to it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for EndpointUrl {
    fn from(url: String) -> Self {
        remember_password_of(&url);
        Self(url)
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((before, host)) = self.0.rsplit_once('@') else {
            return f.write_str(&self.0);
        };
        match before.split_once("://") {
            Some((scheme, _)) => write!(f, "{scheme}://{MASK}@{host}"),
            None => write!(f, "{MASK}@{host}"),
        }
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for EndpointUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_shown_without_what_stands_before_its_host() {
        for (url, shown) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("https://user:p@ss@h/path", "https://***@h/path"),
            ("user:pass@h", "***@h"),
        ] {
            let url = EndpointUrl::from(url.to_owned());
            assert_eq!(format!("{url} {url:?}"), format!("{shown} {shown}"));
            assert_eq!(serde_json::to_value(&url).unwrap(), shown);
        }
    }
}
