//! What the server reports about itself: by default a replica set, version 6.0.
//!
//! It looks like a replica set because drivers send sessions and retry writes only on one.

use std::time::{SystemTime, UNIX_EPOCH};

use super::limits::{MAX_BATCH, MAX_DOCUMENT_BYTES};
use super::replica_set::{Addresses, Deployment, Member};
use super::wire::MAX_MESSAGE_BYTES;
use crate::document_writer::DocumentWriter;

/// The name of the replica set.
pub(crate) const SET_NAME: &str = "lob";
/// Wire version of MongoDB 6.0.
const MAX_WIRE_VERSION: i32 = 17;
/// The version it imitates.
pub(crate) const VERSION: [u32; 3] = [6, 0, 27];

/// The reply to `hello` and `isMaster`. Without `topologyVersion` a driver polls, so there is
/// nothing to push.
pub(crate) fn hello(
    deployment: Deployment,
    addresses: Addresses,
    member: Member,
) -> DocumentWriter {
    let is_primary = member == Member::Primary;
    let mut reply = DocumentWriter::new();
    reply
        .boolean("helloOk", true)
        .boolean("ismaster", is_primary)
        .boolean("isWritablePrimary", is_primary);
    match deployment {
        Deployment::OneMember | Deployment::TwoMembers => {
            describe_set(&mut reply, addresses, member);
        }
        Deployment::Mongos => {
            reply.string("msg", "isdbgrid");
        }
        Deployment::Standalone => {}
    }
    reply.boolean("readOnly", false);
    reply.int32("maxBsonObjectSize", MAX_DOCUMENT_BYTES as i32);
    reply.int32("maxMessageSizeBytes", MAX_MESSAGE_BYTES as i32);
    reply.int32("maxWriteBatchSize", MAX_BATCH as i32);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    reply.date("localTime", now.as_millis() as i64);
    reply
        .int32("logicalSessionTimeoutMinutes", 30)
        .int32("connectionId", 1);
    reply
        .int32("minWireVersion", 0)
        .int32("maxWireVersion", MAX_WIRE_VERSION);
    reply
}

fn describe_set(reply: &mut DocumentWriter, addresses: Addresses, member: Member) {
    let Addresses { primary, secondary } = addresses;
    let mut hosts = DocumentWriter::new();
    for (position, host) in [primary].into_iter().chain(secondary).enumerate() {
        hosts.string(position.to_string(), host.to_string());
    }
    let me = match (member, secondary) {
        (Member::Secondary, Some(secondary)) => secondary,
        _ => primary,
    };
    reply.boolean("secondary", member == Member::Secondary);
    reply.array("hosts", &hosts.finish());
    reply.string("setName", SET_NAME).int32("setVersion", 1);
    reply
        .string("primary", primary.to_string())
        .string("me", me.to_string());
}

/// The reply to `buildInfo`.
pub(crate) fn build_info() -> DocumentWriter {
    let mut version_array = DocumentWriter::new();
    for (position, part) in VERSION.into_iter().chain([0]).enumerate() {
        version_array.int32(position.to_string(), part as i32);
    }
    let [major, minor, patch] = VERSION;
    let mut reply = DocumentWriter::new();
    reply.string("version", format!("{major}.{minor}.{patch}"));
    reply.array("versionArray", &version_array.finish());
    reply.int32("maxBsonObjectSize", MAX_DOCUMENT_BYTES as i32);
    reply
}
