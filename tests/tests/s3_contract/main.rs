//! The contract that lob-tools rely on in an S3 server, run against the testkit's server and a real
//! one alike.
//!
//! A lax double would hide a bug. Each test creates its own bucket on the server that
//! `LOB_E2E_S3_ENDPOINT`, `LOB_E2E_S3_ACCESS_KEY` and `LOB_E2E_S3_SECRET_KEY` name (a MinIO), or on
//! a testkit server if they are not set. The testkit answers as AWS documents; where MinIO is known
//! to differ, both answers are written side by side.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod attributes;
mod complete;
mod get;
mod list;
mod multipart;
mod part;
mod put;
mod server;
