//! Configuration of a MongoDB test server.

use std::sync::Arc;

use super::aws_login::AwsUser;
use super::gate::Gate;
use super::replica_set::Deployment;

/// How a [`MongoServer`](super::MongoServer) behaves; the default is a well-behaved MongoDB 6.0.
#[derive(Clone, Default)]
pub struct MongoOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The deployment it belongs to.
    pub deployment: Deployment,
    /// Decides about every command; without a gate, all pass.
    pub gate: Option<Arc<dyn Gate>>,
    /// Every log-in fails (18) and so does every command (13), as with wrong credentials.
    pub require_auth: bool,
    /// Only this user is let in, and only with MONGODB-AWS.
    pub aws_user: Option<AwsUser>,
    /// Deviation: `min`, `max` and `hint` are silently ignored, as some servers do.
    pub ignore_bounds: bool,
    /// Deviation: `collStats` reports this document count, as a server may after a crash.
    pub believed_documents: Option<u32>,
    /// Free disk space in bytes that `dbStats` reports; half a TiB by default.
    pub free_disk: Option<u64>,
    /// Deviation: batches are as large as requested instead of at most 16 MiB, as on some servers.
    pub uncapped_replies: bool,
    /// Why a bed takes the double even where there are real servers: what only the double can do.
    pub double: Option<&'static str>,
}

impl MongoOptions {
    /// Why no real server will do, if so.
    pub(crate) fn needs_double(&self) -> Option<&'static str> {
        if self.deployment != Deployment::default() {
            return Some("another deployment of MongoDB");
        }
        if self.require_auth || self.aws_user.is_some() {
            return Some("a MongoDB with other users");
        }
        let reports = self.believed_documents.is_some() || self.free_disk.is_some();
        if reports || self.ignore_bounds || self.uncapped_replies {
            return Some("a MongoDB that deviates");
        }
        self.double
    }
}
