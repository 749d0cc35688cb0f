//! How a server behaves.

use std::sync::Arc;

use super::aws_login::AwsUser;
use super::gate::Gate;
use super::replica_set::Deployment;

/// How a [`MongoServer`](super::MongoServer) behaves; the default is a well-behaved MongoDB 6.0.
#[derive(Clone, Default)]
pub struct MongoOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// What it is part of.
    pub deployment: Deployment,
    /// Decides about every command; without one all pass.
    pub gate: Option<Arc<dyn Gate>>,
    /// Every log-in fails (18) and so does every command (13), as with wrong keys.
    pub require_auth: bool,
    /// Only this user is let in, and only with MONGODB-AWS.
    pub aws_user: Option<AwsUser>,
    /// Deviation: `min`, `max` and `hint` are silently ignored, as some servers do.
    pub ignore_bounds: bool,
    /// Deviation: `collStats` tells so many documents, as a server may that has crashed.
    pub believed_documents: Option<u32>,
    /// What is free of the disk, in bytes, as `dbStats` tells it; half a TiB unless it is said.
    pub free_disk: Option<u64>,
    /// Deviation: batches are as large as asked for, not at most 16 MiB, as on some servers.
    pub uncapped_replies: bool,
}
