//! A peer that was found.

use std::path::PathBuf;

/// A client that is installed and starts.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) program: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) version: String,
}
