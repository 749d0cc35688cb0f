//! Reads at most the first 64 KiB of the body of an answer, unless it is a list or data.
//!
//! The code and message of an error take a few hundred bytes, and even a success may contain an
//! error in its body. Whatever sits between us and S3 can answer with any number of bytes, and the
//! SDK holds the whole body before looking at it; only data is streamed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use bytes::Bytes;
use http_body::{Body, Frame};

/// The number of bytes to read from an answer, error or not.
const MAX_BYTES: usize = 64 << 10;
/// The same for a list, whose thousand keys take up to 3 KiB each when encoded.
const MAX_LIST_BYTES: usize = 8 << 20;

/// Truncates the bodies of all answers except data.
#[derive(Debug)]
pub(super) struct CutErrors;

/// How many bytes of the body of an answer to read; `None` for all of them.
fn bound(operation: Option<&str>, is_success: bool) -> Option<usize> {
    match operation {
        Some("GetObject") if is_success => None,
        Some("ListObjectsV2" | "ListParts" | "ListMultipartUploads") if is_success => {
            Some(MAX_LIST_BYTES)
        }
        _ => Some(MAX_BYTES),
    }
}

#[dyn_dispatch_hint]
impl Intercept for CutErrors {
    fn name(&self) -> &'static str {
        "lob-tools: bounded errors"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = bag.load::<Metadata>().map(Metadata::name);
        let response = context.response_mut();
        if let Some(left) = bound(operation, response.status().is_success()) {
            let body = response.take_body();
            *response.body_mut() = SdkBody::from_body_1_x(Cut { body, left });
        }
        Ok(())
    }
}

/// The first bytes of a body.
struct Cut {
    body: SdkBody,
    left: usize,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = <SdkBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let frame = frame.map(|frame| {
            let frame = frame?;
            Ok(frame.map_data(|mut bytes| {
                bytes.truncate(self.left);
                self.left -= bytes.len();
                bytes
            }))
        });
        Poll::Ready(frame)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::Credentials;
    use aws_sdk_s3::config::retry::RetryConfig;
    use aws_sdk_s3::config::{BehaviorVersion, Region};
    use aws_sdk_s3::primitives::ByteStream;
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};

    use super::*;

    /// A server that answers everything with an endless success, and counts the bytes read from it.
    #[derive(Clone, Debug, Default)]
    struct Endless(Arc<AtomicUsize>);

    impl HttpConnector for Endless {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let body = SdkBody::from_body_1_x(self.clone());
            HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), body)))
        }
    }

    impl Body for Endless {
        type Data = Bytes;
        type Error = <SdkBody as Body>::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let bytes = Bytes::from_static(&[b' '; 4096]);
            self.0.fetch_add(bytes.len(), Ordering::Relaxed);
            Poll::Ready(Some(Ok(Frame::data(bytes))))
        }
    }

    #[tokio::test]
    async fn a_success_that_may_contain_an_error_is_truncated_like_an_error() {
        let server = Endless::default();
        let connector = SharedHttpConnector::new(server.clone());
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .retry_config(RetryConfig::disabled())
            .interceptor(CutErrors);
        let client = aws_sdk_s3::Client::from_conf(config.build());
        let read = || server.0.swap(0, Ordering::Relaxed);

        let complete = client.complete_multipart_upload().bucket("b").key("k");
        complete.upload_id("u").send().await.unwrap_err();
        assert_eq!(read(), MAX_BYTES);
        let create = client.create_multipart_upload().bucket("b").key("k");
        create.send().await.unwrap_err();
        assert_eq!(read(), MAX_BYTES);
        let list = client.list_objects_v2().bucket("b");
        list.send().await.unwrap_err();
        assert_eq!(read(), MAX_LIST_BYTES);
        let get = client.get_object().bucket("b").key("k").send().await;
        get.unwrap();
        assert_eq!(read(), 0);
    }

    #[tokio::test]
    async fn only_an_error_longer_than_64_kib_is_truncated() {
        for (size, read) in [(0, 0), (300, 300), (65_536, 65_536), (200_000, 65_536)] {
            let (body, left) = (SdkBody::from(vec![7; size]), MAX_BYTES);
            let cut = ByteStream::new(SdkBody::from_body_1_x(Cut { body, left }));
            assert_eq!(cut.collect().await.unwrap().into_bytes(), vec![7; read]);
        }
    }
}
