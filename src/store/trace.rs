//! Forwards the trace of a request (AWS X-Ray) to DynamoDB.

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;

use crate::base::telemetry::{TRACE_HEADER, current_trace};

/// Adds the trace of the current work to each call.
#[derive(Debug)]
pub(super) struct PropagateTrace;

#[dyn_dispatch_hint]
impl Intercept for PropagateTrace {
    fn name(&self) -> &'static str {
        "PropagateTrace"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(trace) = current_trace() {
            context.request_mut().headers_mut().insert(TRACE_HEADER, trace.into_text());
        }
        Ok(())
    }
}
