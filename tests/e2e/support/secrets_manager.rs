//! AWS Secrets Manager as its clients see it: `GetSecretValue` in the JSON 1.1 protocol, over HTTP.
//!
//! Source: "GetSecretValue" in the AWS Secrets Manager API Reference. A new version takes the label AWSCURRENT, and the one
//! that had it gets AWSPREVIOUS. What a case says when a version was made is what is answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use holdfast::base::secrets::SecretStore;
use holdfast::hosts::secrets;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::http::Server;

/// A vault of its own; dropped, it answers no more.
pub struct SecretsManager {
    server: Server,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    /// The versions of each secret, oldest first.
    secrets: BTreeMap<String, Vec<(String, Timestamp)>>,
    refusal: Option<Refusal>,
    calls: usize,
}

/// Why nothing is given.
#[derive(Debug, Clone, Copy)]
pub enum Refusal {
    /// The role has no grant.
    Forbidden,
    /// The service fails.
    Broken,
}

impl SecretsManager {
    /// One without secrets.
    pub async fn start() -> Self {
        let held = Arc::<Mutex<Held>>::default();
        let router = Router::new().fallback(answer).with_state(held.clone());
        Self { server: Server::of(router).await, held }
    }

    /// Where it answers.
    pub fn endpoint(&self) -> String {
        self.server.url("")
    }

    /// Puts a new version of a secret, made at this time.
    pub fn put(&self, name: &str, text: &str, created: Timestamp) {
        let mut held = lock(&self.held);
        held.secrets.entry(name.to_owned()).or_default().push((text.to_owned(), created));
    }

    /// From now on it refuses, or gives again.
    pub fn refuse(&self, refusal: Option<Refusal>) {
        lock(&self.held).refusal = refusal;
    }

    /// How often it was asked since the last time that this was asked.
    pub fn calls(&self) -> usize {
        std::mem::take(&mut lock(&self.held).calls)
    }

    /// It, through the SDK.
    pub fn vault(&self) -> SecretStore {
        let credentials = Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "cases");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .build();
        secrets::vault(&config, Some(&self.endpoint()))
    }
}

async fn answer(State(held): State<Arc<Mutex<Held>>>, headers: HeaderMap, body: Bytes) -> Response {
    let asked: Value = serde_json::from_slice(&body).expect("a client sends JSON");
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    assert_eq!(target, Some("secretsmanager.GetSecretValue"));
    let mut held = lock(&held);
    held.calls += 1;
    let (name, label) = (asked["SecretId"].as_str().unwrap(), asked["VersionStage"].as_str().unwrap());
    match held.refusal {
        Some(Refusal::Forbidden) => {
            let words =
                format!("is not authorized to perform: secretsmanager:GetSecretValue on resource: {name}");
            return refused(StatusCode::BAD_REQUEST, "AccessDeniedException", &words);
        }
        Some(Refusal::Broken) => {
            let words = "An error occurred on the server side.";
            return refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceError", words);
        }
        None => {}
    }
    let back = ["AWSCURRENT", "AWSPREVIOUS"].iter().position(|one| *one == label).expect("a known label");
    let version = held.secrets.get(name).and_then(|versions| versions.iter().rev().nth(back));
    let Some((text, created)) = version else {
        let words =
            format!("Secrets Manager can't find the specified secret value for staging label: {label}");
        return refused(StatusCode::BAD_REQUEST, "ResourceNotFoundException", &words);
    };
    let body = json!({
        "ARN": name,
        "CreatedDate": created.as_millisecond() as f64 / 1000.0,
        "Name": name,
        "SecretString": text,
        "VersionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111",
        "VersionStages": [label],
    });
    ([(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response()
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "__type": code, "Message": message }).to_string();
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body).into_response()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
