//! Bits that a failing disk has flipped in stored objects: every reply with such an object's bytes
//! has them, whichever server stores it, while ETag and checksum stay as they were.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::CONTENT_RANGE;
use s3s::{Body, HttpResponse};

use super::lock::lock;
use super::request::{Operation, Request};

/// A bucket and a key.
type Object = (String, String);

/// The flipped bits of each object; clones share one state.
#[derive(Clone, Default)]
pub(crate) struct BadBits(Arc<Mutex<BTreeMap<Object, Vec<usize>>>>);

impl BadBits {
    /// Flips a bit.
    pub(crate) fn flip(&self, bucket: &str, key: &str, bit: usize) {
        let object = (bucket.to_owned(), key.to_owned());
        lock(&self.0).entry(object).or_default().push(bit);
    }

    /// Forgets an object that has been written anew or removed.
    pub(crate) fn forget(&self, bucket: &str, key: &str) {
        lock(&self.0).remove(&(bucket.to_owned(), key.to_owned()));
    }

    /// The reply to an executed request as a client gets it.
    pub(crate) async fn pass(
        &self,
        request: &Request,
        mut reply: HttpResponse,
    ) -> io::Result<HttpResponse> {
        let (bucket, key) = (&*request.bucket, &*request.key);
        match request.operation {
            Operation::PutObject | Operation::CompleteMultipartUpload | Operation::DeleteObject
                if reply.status().is_success() =>
            {
                self.forget(bucket, key);
            }
            Operation::GetObject if reply.status().is_success() => {
                let bits = lock(&self.0)
                    .get(&(bucket.to_owned(), key.to_owned()))
                    .cloned();
                if let Some(bits) = bits {
                    let body = reply.body_mut().store_all_limited(usize::MAX).await;
                    let mut body = body.map_err(io::Error::other)?.to_vec();
                    let first = first_byte(&reply)?;
                    for bit in bits {
                        let here = (bit / 8).checked_sub(first);
                        if let Some(byte) = here.and_then(|here| body.get_mut(here)) {
                            *byte ^= 1 << (bit % 8);
                        }
                    }
                    *reply.body_mut() = Body::from(Bytes::from(body));
                }
            }
            _ => {}
        }
        Ok(reply)
    }
}

/// Where in its object the body of a reply begins.
fn first_byte(reply: &HttpResponse) -> io::Result<usize> {
    if reply.status() != StatusCode::PARTIAL_CONTENT {
        return Ok(0);
    }
    let range = reply.headers().get(CONTENT_RANGE);
    let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes "));
    let first = range.and_then(|range| range.split('-').next()?.parse().ok());
    first.ok_or_else(|| io::Error::other("a part of an object without its range"))
}
