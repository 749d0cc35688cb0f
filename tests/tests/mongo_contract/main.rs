//! What the tools rely on in a MongoDB server, held against the testkit's server and, where
//! `LOB_E2E_MONGODB_URI` names one, against a real MongoDB instead: the same promises for both, so
//! that a lax double cannot hide a bug. Where an older MongoDB differs, the difference is held as well.

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
