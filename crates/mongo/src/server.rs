//! A server that was reached: its settings, its connection, and one command in bounded time.

mod cluster_time;
mod command;
mod connection_string;
mod disk;
mod handle;
mod read_concern;
mod retry;
mod settings;
mod tls;
mod uri_options;

pub use cluster_time::ClusterTime;
pub(crate) use command::{Command, LISTED, documents};
pub use handle::{Database, Server};
pub use settings::{MongoArgs, MongoSettings};
