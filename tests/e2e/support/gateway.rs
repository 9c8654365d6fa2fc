//! API Gateway before the function that serves pages: it turns requests into events of payload format 2.0, and the
//! function's answers into HTTP.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use serde_json::{Map, Value, json};

use super::http::Client;
use super::lambda::LambdaRuntime;

/// The host of the API.
const HOST: &str = "h0ldfa5t01.execute-api.us-east-1.amazonaws.com";

/// A visitor of the pages that a bootstrap serves.
pub fn visitor(lambda: &Arc<LambdaRuntime>) -> Client {
    let lambda = lambda.clone();
    let asking = move |request| -> super::http::Answering {
        let lambda = lambda.clone();
        Box::pin(async move { answer(&lambda.invoke(event(request).await).await) })
    };
    Client::with(Arc::new(asking)).always("host", HOST).same_origin()
}

async fn event(request: Request<Body>) -> Value {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("the body is in memory");
    let text = |value: &HeaderValue| value.to_str().expect("headers are text").to_owned();
    let cookies = parts.headers.get(COOKIE).map(text).unwrap_or_default();
    let cookies: Vec<_> = cookies.split("; ").filter(|cookie| !cookie.is_empty()).collect();
    let headers: Map<_, _> = parts
        .headers
        .iter()
        .filter(|(name, _)| *name != COOKIE)
        .map(|(name, value)| (name.to_string(), Value::from(text(value))))
        .collect();
    let path = parts.uri.path();
    let http = json!({
        "method": parts.method.as_str(),
        "path": path,
        "protocol": "HTTP/1.1",
        "sourceIp": "203.0.113.24",
        "userAgent": "cases",
    });
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "cookies": cookies,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "h0ldfa5t01",
            "domainName": HOST,
            "http": http,
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 1_738_672_496_000_u64,
        },
        "body": STANDARD.encode(&body),
        "isBase64Encoded": true,
    })
}

fn answer(answer: &Value) -> (StatusCode, HeaderMap, Bytes) {
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).expect("an answer has a status");
    let mut headers = HeaderMap::new();
    let mut add = |name: HeaderName, value: &Value| {
        let value = HeaderValue::from_str(value.as_str().expect("headers are text"));
        headers.append(name, value.expect("the header's value is well formed"));
    };
    for (name, value) in answer["headers"].as_object().expect("an answer has headers") {
        add(name.parse().expect("the header's name is well formed"), value);
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        add(SET_COOKIE, cookie);
    }
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(text).expect("the body is base64"),
        _ => text.as_bytes().to_vec(),
    };
    (status, headers, body.into())
}
