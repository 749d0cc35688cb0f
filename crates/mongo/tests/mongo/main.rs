//! What this crate promises, tested on the testkit's server by default, or on the server named by
//! `LOB_E2E_MONGODB_URI`. Faults are tested on the testkit's server, and also on a real one if it
//! can be made to have them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod ahead;
mod aws;
mod connect;
mod cuts;
mod definition;
mod entries;
mod fixture;
mod imports;
mod indexes;
mod insert;
mod interrupted_inserts;
mod interruptions;
mod live;
mod patience;
mod ranges;
mod replica_set;
mod scan;
mod snapshot;
mod splits;
mod swap;
