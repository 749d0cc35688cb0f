//! The path of one request: receive, log, ask the gate, execute, ask the gate, reply.
//!
//! A request is received in full before anything else happens, and nothing interrupts its execution,
//! so when a client dies its request has been executed completely or not at all.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error as _;
use std::future::{pending, poll_fn};
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt as _;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::service::S3Service;
use s3s::{Body, HttpRequest, HttpResponse, S3Error, S3ErrorCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::bad_bits::BadBits;
use super::gate::{Gate, Moment, Verdict};
use super::lock::lock;
use super::minio::Minio;
use super::request::Request;
use crate::strikes::Strikes;

pub(crate) type Log = Arc<Mutex<Vec<Request>>>;

/// State shared by all connections.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) executor: Executor,
    pub(crate) bad_bits: BadBits,
    pub(crate) log: Log,
    pub(crate) gate: Option<Arc<dyn Gate>>,
    pub(crate) strikes: Strikes,
    pub(crate) domain: Option<Arc<str>>,
}

/// What executes requests.
#[derive(Clone)]
pub(crate) enum Executor {
    /// This process, in memory.
    Double(S3Service),
    /// A real server.
    Minio(Minio),
}

impl Executor {
    async fn execute(&self, request: HttpRequest) -> io::Result<HttpResponse> {
        match self {
            Self::Double(service) => {
                let executed = service.call(request).await;
                let reply = executed.map_err(|error| io::Error::other(StdError::from(error)))?;
                explained(reply).await
            }
            Self::Minio(minio) => minio.execute(request).await,
        }
    }
}

/// Accepts connections until it is aborted, which ends all connections too.
pub(crate) async fn accept(listener: TcpListener, front: Front) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, front.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, front: Front) {
    let service = service_fn(move |request| {
        let front = front.clone();
        async move { front.answer(request).await }.boxed()
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    // A broken connection is the client's or the gate's doing: it shows in the log, and nobody else
    // needs to know.
    let cause = ended.as_ref().err().and_then(|error| error.source());
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionReset) {
        let stream = connection.into_parts().io.into_inner();
        // Closing a socket with zero linger resets the connection.
        let _ = stream.set_zero_linger();
    }
}

impl Front {
    /// An error makes hyper close the connection without a reply.
    async fn answer(&self, request: hyper::Request<Incoming>) -> io::Result<HttpResponse> {
        let (head, body) = request.into_parts();
        let mut seen = Request::from_head(&head, self.domain.as_deref());
        let entry = self.enter(&mut seen);

        let mut body = Body::from(body);
        let received = body.store_all_limited(usize::MAX).await;
        let received = received.map_err(io::Error::other)?;
        seen.request_bytes = received.len() as u64;
        self.update(entry, &seen);

        let request = HttpRequest::from_parts(head, body);
        let mut reply = match instead(self.verdict(Moment::Arrived, &seen).await).await? {
            Some(answer) => answer,
            None => {
                let reply = self.executor.execute(request).await?;
                let reply = self.bad_bits.pass(&seen, reply).await?;
                seen.status = Some(reply.status().as_u16());
                match self.verdict(Moment::Executed, &seen).await {
                    Verdict::Damage => damaged(reply).await?,
                    Verdict::Without(name) => without(reply, name)?,
                    Verdict::With(name, value) => with(reply, name, &value)?,
                    Verdict::Chunked => chunked(reply),
                    verdict => instead(verdict).await?.unwrap_or(reply),
                }
            }
        };
        seen.status = Some(reply.status().as_u16());
        seen.response_bytes = if seen.method == "HEAD" {
            0
        } else {
            body_bytes(&reply)
        };
        self.update(entry, &seen);
        let id = HeaderValue::from(entry as u64);
        reply.headers_mut().insert("x-amz-request-id", id);
        Ok(reply)
    }

    async fn verdict(&self, moment: Moment, seen: &Request) -> Verdict {
        let Some(gate) = &self.gate else {
            return Verdict::Pass;
        };
        let verdict = gate.decide(moment, seen).await;
        if verdict != Verdict::Pass {
            self.strikes.note();
        }
        verdict
    }

    fn enter(&self, seen: &mut Request) -> usize {
        let mut log = lock(&self.log);
        let entry = log.len();
        seen.number = entry as u64;
        log.push(seen.clone());
        entry
    }

    fn update(&self, entry: usize, seen: &Request) {
        if let Some(logged) = lock(&self.log).get_mut(entry) {
            logged.clone_from(seen);
        }
    }
}

/// The reply that the gate wants to send instead, if any.
async fn instead(verdict: Verdict) -> io::Result<Option<HttpResponse>> {
    match verdict {
        Verdict::Pass => Ok(None),
        Verdict::Hold => Ok(pending().await),
        Verdict::Disconnect => Err(io::ErrorKind::ConnectionAborted.into()),
        Verdict::Reset => Err(io::ErrorKind::ConnectionReset.into()),
        Verdict::Answer { status, code } => answer(status, code).map(Some),
        Verdict::AnswerOk { code } => answer(200, code).map(Some),
        Verdict::Reply { status, body } => replied(status, body).map(Some),
        Verdict::AnswerWith {
            status,
            code,
            header: (name, value),
        } => with(answer(status, code)?, name, &value).map(Some),
        Verdict::With(..) | Verdict::Chunked => Err(io::Error::other("there is no reply yet")),
        Verdict::Without(_) => Err(io::Error::other("there is no reply with a header")),
        Verdict::Damage => Err(io::Error::other("there is no reply to damage")),
    }
}

/// Adds what S3 and MinIO say about a wrong signature, of which s3s gives only the code.
async fn explained(mut reply: HttpResponse) -> io::Result<HttpResponse> {
    if reply.status() != StatusCode::FORBIDDEN {
        return Ok(reply);
    }
    let body = reply.body_mut().store_all_limited(usize::MAX).await;
    let body = body.map_err(io::Error::other)?;
    let text = String::from_utf8_lossy(&body).replace(
        "<Code>SignatureDoesNotMatch</Code></Error>",
        "<Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not \
         match the signature you provided. Check your key and signing method.</Message></Error>",
    );
    reply.headers_mut().remove(CONTENT_LENGTH);
    *reply.body_mut() = Body::from(text);
    Ok(reply)
}

/// Flips one bit of the reply's body.
async fn damaged(mut reply: HttpResponse) -> io::Result<HttpResponse> {
    let body = reply.body_mut().store_all_limited(usize::MAX).await;
    let mut body = body.map_err(io::Error::other)?.to_vec();
    let middle = body.len() / 2;
    let byte = body.get_mut(middle);
    *byte.ok_or_else(|| io::Error::other("there is no body to damage"))? ^= 1;
    *reply.body_mut() = Body::from(Bytes::from(body));
    Ok(reply)
}

/// Removes one header from the reply.
fn without(mut reply: HttpResponse, name: &str) -> io::Result<HttpResponse> {
    match reply.headers_mut().remove(name) {
        Some(_) => Ok(reply),
        None => Err(io::Error::other("there is no such header")),
    }
}

/// Sets one header of the reply.
fn with(mut reply: HttpResponse, name: &'static str, value: &str) -> io::Result<HttpResponse> {
    let value = HeaderValue::from_str(value).map_err(io::Error::other)?;
    reply.headers_mut().insert(name, value);
    Ok(reply)
}

/// Hides the length of the reply's body.
fn chunked(mut reply: HttpResponse) -> HttpResponse {
    reply.headers_mut().remove(CONTENT_LENGTH);
    let chunks = HeaderValue::from_static("chunked");
    reply.headers_mut().insert(TRANSFER_ENCODING, chunks);
    reply
}

fn replied(status: u16, body: Cow<'static, str>) -> io::Result<HttpResponse> {
    let body = Bytes::from(body.into_owned());
    let mut reply = HttpResponse::new(Body::from(body));
    *reply.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
    let kind = HeaderValue::from_static("application/xml");
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(reply)
}

/// A reply with an `<Error>` body.
fn answer(status: u16, code: &str) -> io::Result<HttpResponse> {
    let code: S3ErrorCode = code
        .parse()
        .unwrap_or_else(|never: Infallible| match never {});
    let mut error = S3Error::with_message(code, "the gate of a test says so");
    error.set_status_code(StatusCode::from_u16(status).map_err(io::Error::other)?);
    error.to_http_response().map_err(io::Error::other)
}

type StdError = Box<dyn std::error::Error + Send + Sync>;

fn body_bytes(reply: &HttpResponse) -> u64 {
    let declared = reply.headers().get(CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse().ok());
    declared
        .or_else(|| reply.body().size_hint().exact())
        .unwrap_or_default()
}
