//! What this crate promises, on the testkit's server by default and on the server named by
//! `LOB_E2E_MONGODB_URI` where that is set. Faults are shown on the testkit's server, and those that
//! a real server can be made to have also there.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod aws;
mod connect;
mod definition;
mod entries;
mod fixture;
mod imports;
mod indexes;
mod insert;
mod interrupted_inserts;
mod interruptions;
mod live;
mod outline;
mod patience;
mod ranges;
mod replica_set;
mod scan;
mod snapshot;
mod splits;
mod swap;
