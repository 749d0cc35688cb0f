//! What the cross-tool tests share: servers to test against, the three binaries, and Python.
//!
//! Every test runs on the testkit's servers, or on the real ones that the environment names
//! (`cargo xtask e2e` sets it), so nothing holds for the doubles only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests fail by panicking"
)]

pub mod faults;
pub mod kills;
pub mod python;
pub mod reliability;
pub mod servers;
pub mod tool;
