//! Error replies: MongoDB's codes, names and reply format.

use super::element::Value;
use crate::document_writer::DocumentWriter;

/// A refusal: either a command's whole reply or one entry of `writeErrors`.
#[derive(Debug)]
pub(crate) struct Failure {
    code: i32,
    message: String,
    details: Option<DocumentWriter>,
}

impl Failure {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: None,
        }
    }

    /// Something that MongoDB can do and this strict server refuses to guess at.
    pub(crate) fn unsupported(what: &str) -> Self {
        Self::new(238, format!("the test server does not support {what}"))
    }

    pub(crate) fn duplicate_key(namespace: &str, index: &str, pattern: &[u8], key: &[u8]) -> Self {
        let message = format!("E11000 duplicate key error collection: {namespace} index: {index}");
        let mut details = DocumentWriter::new();
        details
            .document("keyPattern", pattern)
            .document("keyValue", key);
        Self {
            code: 11000,
            message,
            details: Some(details),
        }
    }

    pub(crate) fn uuid_mismatch(
        database: &str,
        uuid: Value<'_>,
        expected: &str,
        actual: Option<&str>,
    ) -> Self {
        let mut details = DocumentWriter::new();
        details
            .string("db", database)
            .element(uuid.kind, "collectionUUID", uuid.bytes);
        details.string("expectedCollection", expected);
        match actual {
            Some(actual) => details.string("actualCollection", actual),
            None => details.null("actualCollection"),
        };
        let message = "Collection UUID does not match that specified".to_owned();
        Self {
            code: 361,
            message,
            details: Some(details),
        }
    }

    /// The reply of a failed command. After some errors a client may retry a write that has a
    /// transaction number; the reply must say so.
    pub(crate) fn reply(mut self, retryable_write: bool) -> DocumentWriter {
        let mut reply = self.details.take().unwrap_or_else(DocumentWriter::new);
        reply
            .double("ok", 0.0)
            .string("errmsg", &self.message)
            .int32("code", self.code);
        reply.string("codeName", code_name(self.code));
        if retryable_write && RETRYABLE_WRITE_CODES.contains(&self.code) {
            let labels = DocumentWriter::new()
                .string("0", "RetryableWriteError")
                .finish();
            reply.array("errorLabels", &labels);
        }
        reply
    }

    /// The `writeConcernError` of a reply.
    pub(crate) fn write_concern_error(self) -> Vec<u8> {
        let mut error = DocumentWriter::new();
        error
            .int32("code", self.code)
            .string("codeName", code_name(self.code));
        error.string("errmsg", &self.message).finish()
    }

    /// The entry of `writeErrors` for the document at `index`.
    pub(crate) fn write_error(mut self, index: usize) -> Vec<u8> {
        let mut error = self.details.take().unwrap_or_else(DocumentWriter::new);
        error.int32("index", index as i32).int32("code", self.code);
        error.string("errmsg", &self.message).finish()
    }
}

const RETRYABLE_WRITE_CODES: [i32; 12] = [
    6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436,
];

fn code_name(code: i32) -> String {
    let name = match code {
        2 => "BadValue",
        6 => "HostUnreachable",
        7 => "HostNotFound",
        9 => "FailedToParse",
        13 => "Unauthorized",
        14 => "TypeMismatch",
        15 => "Overflow",
        16 => "InvalidLength",
        18 => "AuthenticationFailed",
        20 => "IllegalOperation",
        22 => "InvalidBSON",
        26 => "NamespaceNotFound",
        43 => "CursorNotFound",
        48 => "NamespaceExists",
        50 => "MaxTimeMSExpired",
        59 => "CommandNotFound",
        64 => "WriteConcernFailed",
        72 => "InvalidOptions",
        73 => "InvalidNamespace",
        85 => "IndexOptionsConflict",
        86 => "IndexKeySpecsConflict",
        89 => "NetworkTimeout",
        91 => "ShutdownInProgress",
        100 => "UnsatisfiableWriteConcern",
        166 => "CommandNotSupportedOnView",
        175 => "QueryPlanKilled",
        189 => "PrimarySteppedDown",
        197 => "InvalidIndexSpecificationOption",
        238 => "NotImplemented",
        262 => "ExceededTimeLimit",
        361 => "CollectionUUIDMismatch",
        9001 => "SocketException",
        10107 => "NotWritablePrimary",
        11000 => "DuplicateKey",
        11600 => "InterruptedAtShutdown",
        11602 => "InterruptedDueToReplStateChange",
        13435 => "NotPrimaryNoSecondaryOk",
        13436 => "NotPrimaryOrSecondary",
        40415 => "IDLUnknownField",
        other => return format!("Location{other}"),
    };
    name.to_owned()
}
