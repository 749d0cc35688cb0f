//! Proxies, as errors describe them.

use std::error::Error;
use std::fmt;
use std::iter;

/// The proxy of a request, and the variable that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Via {
    /// Host and port.
    pub(crate) proxy: String,
    pub(crate) variable: &'static str,
    /// Whether only the server can read what passes through the proxy.
    pub(crate) is_tunnel: bool,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} from `{}`", self.proxy, self.variable)
    }
}

impl Via {
    /// What the user can do about it.
    pub(super) fn hint(&self) -> String {
        format!(
            "check {self}, and put user and password into its URL if it needs them; NO_PROXY lists \
             hosts to reach directly"
        )
    }
}

/// The variable that sets the proxy of a request does not name an HTTP proxy.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable `{variable}` is not the URL of an HTTP proxy")]
pub(crate) struct UnusableProxy {
    pub(crate) variable: &'static str,
}

impl UnusableProxy {
    /// Whether `error` or one of its causes is this error.
    pub(crate) fn is_in(error: &(dyn Error + 'static)) -> bool {
        iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<Self>())
    }

    /// What to do about it.
    pub(crate) const HINT: &'static str = "write the proxy as `http://host:port` without quotes or \
                                           white space, or unset it; SOCKS is not supported";
}
