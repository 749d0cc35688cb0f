//! The body of an error is read to its first 64 KiB, and no further.
//!
//! Code and message take a few hundred bytes. Whatever stands in the way of S3 can answer with any
//! number of them, and the SDK keeps a body whole before it looks at it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use bytes::Bytes;
use http_body::{Body, Frame};

/// The most bytes of an error that are read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Cuts the bodies of all answers but successes.
#[derive(Debug)]
pub(super) struct CutErrors;

#[dyn_dispatch_hint]
impl Intercept for CutErrors {
    fn name(&self) -> &'static str {
        "lob-tools: bounded errors"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        if !response.status().is_success() {
            let body = response.take_body();
            *response.body_mut() = SdkBody::from_body_1_x(Cut {
                body,
                left: MAX_ERROR_BYTES,
            });
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
    use aws_sdk_s3::primitives::ByteStream;

    use super::*;

    #[tokio::test]
    async fn an_error_is_cut_at_64_kib_and_a_shorter_one_is_whole() {
        for (size, read) in [(0, 0), (300, 300), (65_536, 65_536), (200_000, 65_536)] {
            let (body, left) = (SdkBody::from(vec![7; size]), MAX_ERROR_BYTES);
            let cut = ByteStream::new(SdkBody::from_body_1_x(Cut { body, left }));
            assert_eq!(cut.collect().await.unwrap().into_bytes(), vec![7; read]);
        }
    }
}
