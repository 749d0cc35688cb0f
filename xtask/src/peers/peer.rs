//! A peer that was found.

use std::path::PathBuf;

/// A client that is there and starts.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) program: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) version: String,
}
