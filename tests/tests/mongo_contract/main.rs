//! The contract that the tools rely on in a MongoDB server.
//!
//! It runs against the testkit's server or, if `LOB_E2E_MONGODB_URI` names one, against a real
//! MongoDB: the same promises for both, so that a lax double cannot hide a bug. Differences of
//! older MongoDB versions are tested as well.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections;
mod commands;
mod cursor;
mod find;
mod index;
mod insert;
mod order;
mod replace;
mod subject;
