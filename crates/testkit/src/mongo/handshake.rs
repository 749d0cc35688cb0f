//! What the server says of itself: a replica set of one, version 6.0.
//!
//! It looks like a replica set because drivers retry writes and send sessions only to one.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::insert::{MAX_BATCH, MAX_DOCUMENT_BYTES};
use super::wire::MAX_MESSAGE_BYTES;
use crate::document_writer::DocumentWriter;

/// The name of the replica set.
pub(crate) const SET_NAME: &str = "lob";
/// Wire version of MongoDB 6.0.
const MAX_WIRE_VERSION: i32 = 17;
/// The version that is imitated.
const VERSION: [i32; 4] = [6, 0, 27, 0];

/// The reply to `hello` and `isMaster`. Without `topologyVersion` a driver polls, so that there is
/// nothing to push.
pub(crate) fn hello(address: SocketAddr) -> DocumentWriter {
    let address = address.to_string();
    let mut reply = DocumentWriter::new();
    reply
        .boolean("helloOk", true)
        .boolean("ismaster", true)
        .boolean("isWritablePrimary", true);
    reply.boolean("secondary", false).boolean("readOnly", false);
    reply.array(
        "hosts",
        &DocumentWriter::new().string("0", &address).finish(),
    );
    reply.string("setName", SET_NAME).int32("setVersion", 1);
    reply.string("primary", &address).string("me", &address);
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

/// The reply to `buildInfo`.
pub(crate) fn build_info() -> DocumentWriter {
    let mut version_array = DocumentWriter::new();
    for (position, part) in VERSION.into_iter().enumerate() {
        version_array.int32(position.to_string(), part);
    }
    let [major, minor, patch, _] = VERSION;
    let mut reply = DocumentWriter::new();
    reply.string("version", format!("{major}.{minor}.{patch}"));
    reply.array("versionArray", &version_array.finish());
    reply.int32("maxBsonObjectSize", MAX_DOCUMENT_BYTES as i32);
    reply
}
