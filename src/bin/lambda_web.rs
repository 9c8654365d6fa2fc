//! The bootstrap of the Lambda function that serves pages and the JSON API behind API Gateway (HTTP API, payload
//! format 2.0).
//!
//! It runs the same router as the other hosts. Only the path needs special handling: API Gateway leaves the stage
//! in the path. The stage is part of the public address on AWS's own domain, but not on a custom domain. Routes see
//! the path without it, and links include it. `lambda_http` encodes bodies that are compressed or not text in
//! base64, and puts cookies in their own list.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a program may use the system")]

use std::net::IpAddr;
use std::process::ExitCode;

use holdfast::app::{App, build_router};
use holdfast::hosts::aws;
use holdfast::hosts::config::Config;
use holdfast::hosts::lambda::{exit_code, log_as_json, request_id, time_left, to_cloudwatch, trace_id};
use holdfast::web::client::{FORWARDED_FOR, PeerAddress};
use holdfast::web::request::BasePath;
use http::HeaderValue;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::lambda_runtime::tower::{Service as _, ServiceExt as _, service_fn};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Error, LambdaEvent, Request, lambda_runtime};

// A function this small has at most one processor, and answers one request at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log_as_json();
    exit_code(serve().await)
}

async fn serve() -> Result<(), Error> {
    let config = Config::from_lookup(|name| std::env::var(name).ok())?.behind_gateway()?;
    let app = App { telemetry: to_cloudwatch(), ..aws::app_of(&config).await? };
    let (router, _) = build_router(app);
    let handler = service_fn(move |mut event: LambdaEvent<LambdaRequest>| {
        let (base, peer) = match &mut event.payload {
            LambdaRequest::ApiGatewayV2(request) => {
                (take_base_path(request, &config.base_path), peer(request))
            }
            _ => (BasePath::default(), None),
        };
        let (id, trace) = (request_id(&event.context), trace_id(&event.context));
        let left = time_left(&event.context);
        let router = router.clone();
        let answer = service_fn(move |mut request: Request| {
            request.extensions_mut().insert(base.clone());
            peer.map(|peer| request.extensions_mut().insert(peer));
            request.extensions_mut().insert(id.clone());
            left.map(|left| request.extensions_mut().insert(left));
            trace.clone().map(|trace| request.extensions_mut().insert(trace));
            router.clone().oneshot(request)
        });
        Adapter::from(answer).call(event)
    });
    lambda_runtime::run(handler).await
}

/// Removes the base path from an event's path, and returns the prefix of public addresses. `mapped` is the key
/// under which a custom domain maps the API, because events do not contain it.
fn take_base_path(request: &mut ApiGatewayV2httpRequest, mapped: &str) -> BasePath {
    let context = &mut request.request_context;
    let stage = context.stage.replace("$default".to_owned()).filter(|stage| stage != "$default");
    let stage = stage.map(|stage| format!("/{stage}")).unwrap_or_default();
    let domain = context.domain_name.as_deref().unwrap_or_default();
    let raw = request.raw_path.as_deref().unwrap_or_default();
    let custom = !(domain.ends_with(".amazonaws.com") || domain.ends_with(".amazonaws.com.cn"));
    let mapped = if custom { mapped } else { "" };
    let path = strip_segments(raw, mapped).or_else(|| strip_segments(raw, &stage)).unwrap_or(raw);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    request.raw_path = Some(path);
    request.raw_query_string = request.raw_query_string.take().map(valid_query);
    BasePath(if custom { mapped.to_owned() } else { stage })
}

/// Returns the address of the client of API Gateway, from the request context, which clients cannot write. API
/// Gateway also appends this address to `X-Forwarded-For`, after those that earlier proxies appended. It is removed
/// there.
fn peer(request: &mut ApiGatewayV2httpRequest) -> Option<PeerAddress> {
    let peer: IpAddr = request.request_context.http.source_ip.as_deref()?.parse().ok()?;
    let forwarded = request.headers.get(FORWARDED_FOR).and_then(|value| value.to_str().ok());
    let before = forwarded.and_then(|text| {
        let (before, last) = text.rsplit_once(',').unwrap_or(("", text));
        (last.trim().parse() == Ok(peer)).then(|| HeaderValue::from_str(before.trim()).ok())?
    });
    if let Some(before) = before {
        request.headers.insert(FORWARDED_FOR, before);
    }
    Some(PeerAddress(peer))
}

/// Returns the rest of a path after a prefix of whole segments. Returns `None` if the prefix is empty or does not
/// match.
fn strip_segments<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix).filter(|_| !prefix.is_empty())?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Returns the query with invalid characters percent-encoded. A request built from the raw query would fail and end
/// the process.
fn valid_query(query: String) -> String {
    let invalid = |c: char| c.is_control() || matches!(c, ' ' | '"' | '<' | '>' | '#');
    if !query.contains(invalid) {
        return query;
    }
    let mut valid = String::with_capacity(query.len() + 8);
    for c in query.chars() {
        if invalid(c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                valid.push_str(&format!("%{byte:02X}"));
            }
        } else {
            valid.push(c);
        }
    }
    valid
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use super::*;
    use serde_json::json;

    const AWS: &str = "abc123.execute-api.us-east-1.amazonaws.com";
    const OWN: &str = "holdfast.example.com";

    fn event(domain: &str, stage: &str, path: &str, query: &str) -> ApiGatewayV2httpRequest {
        let event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"host": domain},
            "requestContext": {
                "domainName": domain,
                "stage": stage,
                "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1"},
            },
            "isBase64Encoded": false,
        });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn routes_see_the_path_without_the_prefix_and_links_include_it() {
        for (domain, stage, mapped, raw, path, base) in [
            (AWS, "$default", "", "/leads", "/leads", ""),
            (AWS, "$default", "", "/", "/", ""),
            (AWS, "$default", "", "", "/", ""),
            (AWS, "prod", "", "/prod/leads/1", "/leads/1", "/prod"),
            (AWS, "prod", "", "/prod/", "/", "/prod"),
            (AWS, "prod", "", "/prod", "/", "/prod"),
            (AWS, "prod", "", "/prod/prod", "/prod", "/prod"),
            (AWS, "prod", "", "/production", "/production", "/prod"),
            (AWS, "prod", "/holdfast", "/prod/leads", "/leads", "/prod"),
            ("a.execute-api.cn-north-1.amazonaws.com.cn", "prod", "", "/prod/leads", "/leads", "/prod"),
            (OWN, "prod", "", "/leads", "/leads", ""),
            (OWN, "prod", "", "/prod/leads", "/leads", ""),
            (OWN, "prod", "/holdfast", "/prod/leads", "/leads", "/holdfast"),
            (OWN, "prod", "/holdfast", "/holdfast/leads", "/leads", "/holdfast"),
            (OWN, "$default", "/holdfast", "/holdfast", "/", "/holdfast"),
            (OWN, "$default", "/holdfast", "/holdfasts", "/holdfasts", "/holdfast"),
            ("x.amazonaws.com.evil.example", "prod", "", "/prod/leads", "/leads", ""),
        ] {
            let mut request = event(domain, stage, raw, "");
            let case = format!("{domain} {stage} {mapped} {raw}");
            assert_eq!(take_base_path(&mut request, mapped), BasePath(base.to_owned()), "{case}");
            assert_eq!(request.raw_path.as_deref(), Some(path), "{case}");
            let request = Request::from(LambdaRequest::ApiGatewayV2(request));
            assert_eq!(request.uri().path(), path, "no prefix is added again: {case}");
        }
    }

    #[test]
    fn the_peer_comes_from_the_request_context_and_is_removed_from_the_header() {
        for (source, forwarded, peer_found, left) in [
            ("203.0.113.24", Some("203.0.113.24"), Some("203.0.113.24"), Some("")),
            ("203.0.113.24", Some("10.9.9.9, 203.0.113.24"), Some("203.0.113.24"), Some("10.9.9.9")),
            ("203.0.113.24", Some("a, b, 203.0.113.24"), Some("203.0.113.24"), Some("a, b")),
            ("203.0.113.24", Some("10.9.9.9"), Some("203.0.113.24"), Some("10.9.9.9")),
            ("2001:db8::1", Some("2001:db8:0::1"), Some("2001:db8::1"), Some("")),
            ("203.0.113.24", None, Some("203.0.113.24"), None),
            ("", Some("10.9.9.9"), None, Some("10.9.9.9")),
        ] {
            let mut request = event(AWS, "$default", "/leads", "");
            request.request_context.http.source_ip = Some(source.to_owned());
            if let Some(forwarded) = forwarded {
                request.headers.insert(FORWARDED_FOR, HeaderValue::from_static(forwarded));
            }
            let found = peer(&mut request).map(|peer| peer.0.to_string());
            assert_eq!(found.as_deref(), peer_found, "{source} {forwarded:?}");
            let kept = request.headers.get(FORWARDED_FOR).map(|value| value.to_str().unwrap());
            assert_eq!(kept, left, "{source} {forwarded:?}");
        }
    }

    #[test]
    fn any_query_and_path_become_a_request() {
        for (path, query, expected) in [
            ("/leads", "q=a%20b&status=", "q=a%20b&status="),
            ("/leads", "q=a b", "q=a%20b"),
            ("/leads", "q=<b>\"x\"", "q=%3Cb%3E%22x%22"),
            ("/leads", "q=a\n\u{7f}", "q=a%0A%7F"),
            ("/leads", "q=é🎉{}|^`", "q=é🎉{}|^`"),
            ("/leads", "q=#x", "q=%23x"),
            ("/a b/é<>\"", "q=1", "q=1"),
        ] {
            let mut request = event(AWS, "$default", path, query);
            take_base_path(&mut request, "");
            let request = Request::from(LambdaRequest::ApiGatewayV2(request));
            assert_eq!(request.uri().query(), Some(expected), "{query}");
        }
    }
}
