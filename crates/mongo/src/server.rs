//! A server that was reached: its settings, its connection, and single commands in bounded time.

mod aws_keys;
mod cluster_time;
mod command;
mod connect;
mod connection_string;
mod disk;
mod handle;
mod oidc_token;
mod read_concern;
mod reply;
mod resolve;
mod retry;
mod send;
mod settings;
mod tls;
mod uri_options;

pub use cluster_time::ClusterTime;
pub(crate) use command::Command;
pub use connect::Shared;
pub use handle::{Database, Server};
pub(crate) use reply::{documents, number};
pub(crate) use send::LISTED;
pub use settings::{MongoArgs, MongoSettings};
