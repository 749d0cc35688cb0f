//! What `lob-upload` does as seen from outside: the real binary, a strict S3 server over TCP, and
//! everything that can go wrong between them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod attributes;
mod bed;
mod broken_bodies;
mod broken_replies;
mod changes;
mod cleanup;
mod credentials;
mod dry_run;
mod endpoints;
mod failing_mounts;
mod flow;
mod foreign_servers;
mod foreign_text;
mod happy_path;
mod hints;
mod hostile_plans;
mod interrupts;
mod kills;
mod latest;
mod memory;
mod names;
mod network;
mod odd_files;
mod partial;
mod permissions;
mod processes;
mod progress;
mod proxies;
mod redirects;
mod refusals;
mod regions;
mod replies;
mod restore;
mod resume;
mod secrets;
mod selection;
mod soak;
mod stdout;
mod usage;
mod verify;
