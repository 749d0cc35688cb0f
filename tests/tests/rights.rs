//! On real servers, each tool needs exactly the rights that OPERATIONS documents: with them it works,
//! and each one that is missing is named with what to do about it, before anything is published.
//!
//! They need MinIO, which gives out keys with any policy, and the MongoDB in
//! `LOB_E2E_MONGODB_USERS`, which knows its users. The doubles have no policies; `permissions.rs` of
//! the tools denies single requests there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "rights/mongodb.rs"]
mod mongodb_rights;
#[path = "rights/s3.rs"]
mod s3_rights;
