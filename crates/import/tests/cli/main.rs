//! What `lob-import` does as seen from outside: the real binary and the testkit's servers over TCP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod bombs;
mod damage;
mod dry_run;
mod foreign_text;
mod happy_path;
mod hints;
mod hostile;
mod hostile_files;
mod hostile_manifests;
mod hostile_values;
mod indexes;
mod lies;
mod memory;
mod permissions;
mod refusals;
mod resume;
mod room;
mod secrets;
mod shrink;
mod stdout;
mod trap;
mod usage;
mod verify;
