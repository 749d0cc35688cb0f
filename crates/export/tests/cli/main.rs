//! What `lob-export` does as seen from outside: the real binary and the testkit's servers over TCP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attributes;
mod bed;
mod cleanup;
mod columns;
mod documents;
mod endpoints;
mod happy_path;
mod hints;
mod hostile_records;
mod latest;
mod lost_uploads;
mod memory;
mod mongos;
mod permissions;
mod progress;
mod ranges;
mod refusals;
mod resume;
mod secrets;
mod shrink;
mod stdout;
mod usage;
mod verify;
mod workers;
