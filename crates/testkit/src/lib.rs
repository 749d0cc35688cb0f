//! What the tests and the demo of lob-tools run against: never shipped.
//!
//! Real bytes over real sockets, and no dependency on anything but Rust.

pub mod s3;
