//! Proxies, as errors name them.

use std::error::Error;
use std::fmt;
use std::iter;

/// The proxy of a request, and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Via {
    /// Host and port.
    pub(crate) proxy: String,
    pub(crate) variable: &'static str,
    /// Whether what goes through it is seen by the server alone.
    pub(crate) is_tunnel: bool,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} of `{}`", self.proxy, self.variable)
    }
}

impl Via {
    /// What the person can do about it.
    pub(super) fn hint(&self) -> String {
        format!(
            "check {self}, with user and password in its URL where it wants them; NO_PROXY lists \
             hosts to reach directly"
        )
    }
}

/// A variable whose proxy a request would take, and that names no HTTP proxy.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable `{variable}` names no HTTP proxy")]
pub(crate) struct UnusableProxy {
    pub(crate) variable: &'static str,
}

impl UnusableProxy {
    /// Whether `error` or a cause of it is one.
    pub(crate) fn is_in(error: &(dyn Error + 'static)) -> bool {
        iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<Self>())
    }

    /// What to do about it.
    pub(crate) const HINT: &'static str = "write the proxy as `http://host:port` without quotes or \
                                           white space, or unset it; SOCKS is not supported";
}
