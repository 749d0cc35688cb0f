//! The log entry that the server keeps for each HTTP request.
//!
//! The log lets tests prove what a tool did on the wire: that nothing was read back, that a
//! manifest was written last, that each write carried its condition. A request is logged when its
//! head arrives, before the signature is checked, so refused and held requests are included.

use std::collections::BTreeMap;

use hyper::http::request::Parts;
use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;

/// The S3 operation that a request asks for, derived from its method, path and query alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the S3 API's own")]
pub enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    ListObjectsV2,
    ListMultipartUploads,
    PutObject,
    GetObject,
    HeadObject,
    DeleteObject,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    /// Anything that this server does not implement.
    Other,
}

/// One HTTP request as the server saw it, with its reply.
#[derive(Clone, Debug)]
pub struct Request {
    /// How many requests the server had seen before.
    pub number: u64,
    /// The requested operation.
    pub operation: Operation,
    /// HTTP method.
    pub method: String,
    /// Bucket in the path; empty if there is none.
    pub bucket: String,
    /// Decoded object key; empty if there is none.
    pub key: String,
    /// `uploadId` in the query.
    pub upload_id: Option<String>,
    /// `partNumber` in the query.
    pub part_number: Option<u16>,
    /// Headers by lower-case name, without `authorization`.
    pub headers: BTreeMap<String, String>,
    /// Bytes of the body that arrived.
    pub request_bytes: u64,
    /// Status of the reply; `None` while the request is held or in flight, and forever if the
    /// connection ended without a reply.
    pub status: Option<u16>,
    /// Size of the reply's body.
    pub response_bytes: u64,
}

impl Request {
    /// A header's value, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The bucket is in the path, or is a host below `domain`.
    pub(crate) fn from_head(head: &Parts, domain: Option<&str>) -> Self {
        let path = decode(head.uri.path().trim_start_matches('/'));
        let host = head.headers.get(hyper::header::HOST);
        let host = host.and_then(|host| host.to_str().ok());
        let of_domain =
            |host: &str| Some(host.strip_suffix(domain?)?.strip_suffix('.')?.to_owned());
        let named = host.and_then(of_domain);
        let (bucket, key) = match &named {
            Some(bucket) => (bucket.as_str(), path.as_str()),
            None => path.split_once('/').unwrap_or((&path, "")),
        };
        let upload_id = query_value(&head.uri, "uploadId");
        let part_number = query_value(&head.uri, "partNumber").and_then(|n| n.parse().ok());
        let headers = head
            .headers
            .iter()
            .filter(|(name, _)| *name != hyper::header::AUTHORIZATION)
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        Self {
            number: 0,
            operation: operation(head, bucket, key),
            method: head.method.to_string(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            upload_id,
            part_number,
            headers,
            request_bytes: 0,
            status: None,
            response_bytes: 0,
        }
    }
}

fn operation(head: &Parts, bucket: &str, key: &str) -> Operation {
    let has = |name| query_value(&head.uri, name).is_some();
    let upload = has("uploadId");
    match (&head.method, bucket.is_empty(), key.is_empty()) {
        (&Method::GET, true, _) => Operation::ListBuckets,
        (&Method::PUT, false, true) => Operation::CreateBucket,
        (&Method::HEAD, false, true) => Operation::HeadBucket,
        (&Method::GET, false, true) if has("uploads") => Operation::ListMultipartUploads,
        (&Method::GET, false, true) if has("list-type") => Operation::ListObjectsV2,
        (&Method::PUT, false, false) if upload => Operation::UploadPart,
        (&Method::PUT, false, false) => Operation::PutObject,
        (&Method::GET, false, false) if upload => Operation::ListParts,
        (&Method::GET, false, false) => Operation::GetObject,
        (&Method::HEAD, false, false) => Operation::HeadObject,
        (&Method::POST, false, false) if upload => Operation::CompleteMultipartUpload,
        (&Method::POST, false, false) if has("uploads") => Operation::CreateMultipartUpload,
        (&Method::DELETE, false, false) if upload => Operation::AbortMultipartUpload,
        (&Method::DELETE, false, false) => Operation::DeleteObject,
        _ => Operation::Other,
    }
}

fn query_value(uri: &Uri, name: &str) -> Option<String> {
    uri.query()?.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        (found == name).then(|| decode(value))
    })
}

fn decode(encoded: &str) -> String {
    percent_decode_str(encoded).decode_utf8_lossy().into_owned()
}
