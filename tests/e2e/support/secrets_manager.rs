//! AWS Secrets Manager for its clients: `GetSecretValue` in the JSON 1.1 protocol, over HTTP.
//!
//! Source: "GetSecretValue" in the AWS Secrets Manager API Reference. A new version takes the label AWSCURRENT, and
//! the previous one gets AWSPREVIOUS. The creation dates are those that a case sets.

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

/// A Secrets Manager of one case. Dropping it stops it.
pub struct SecretsManager {
    server: Server,
    contents: Arc<Mutex<Contents>>,
}

#[derive(Default)]
struct Contents {
    /// The versions of each secret, oldest first.
    secrets: BTreeMap<String, Vec<(String, Timestamp)>>,
    refusal: Option<Refusal>,
    calls: usize,
}

/// Why every request is refused.
#[derive(Debug, Clone, Copy)]
pub enum Refusal {
    /// The role has no grant.
    Forbidden,
    /// The service fails.
    Broken,
}

impl SecretsManager {
    /// A Secrets Manager without secrets.
    pub async fn start() -> Self {
        let contents = Arc::<Mutex<Contents>>::default();
        let router = Router::new().fallback(answer).with_state(contents.clone());
        Self { server: Server::of(router).await, contents }
    }

    /// The address.
    pub fn endpoint(&self) -> String {
        self.server.url("")
    }

    /// Adds a version of a secret with this creation date.
    pub fn put(&self, name: &str, text: &str, created: Timestamp) {
        let mut contents = lock(&self.contents);
        contents.secrets.entry(name.to_owned()).or_default().push((text.to_owned(), created));
    }

    /// Refuses all requests, or answers them again.
    pub fn refuse(&self, refusal: Option<Refusal>) {
        lock(&self.contents).refusal = refusal;
    }

    /// The number of requests since the last call of this function.
    pub fn calls(&self) -> usize {
        std::mem::take(&mut lock(&self.contents).calls)
    }

    /// A client through the SDK.
    pub fn secret_store(&self) -> SecretStore {
        let credentials = Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "cases");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .build();
        secrets::secret_store(&config, Some(&self.endpoint()))
    }
}

async fn answer(State(contents): State<Arc<Mutex<Contents>>>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).expect("a client sends JSON");
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    assert_eq!(target, Some("secretsmanager.GetSecretValue"));
    let mut contents = lock(&contents);
    contents.calls += 1;
    let (name, label) = (request["SecretId"].as_str().unwrap(), request["VersionStage"].as_str().unwrap());
    match contents.refusal {
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
    let version = contents.secrets.get(name).and_then(|versions| versions.iter().rev().nth(back));
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
