//! The rules of this code base that no compiler checks. They look at the files that git tracks, so
//! they belong to `cargo xtask lint`, and `cargo test` leaves them out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod circles;
mod dependencies;
mod files;
mod hints;
mod promises;
mod reliability;
mod supply;
mod text;
