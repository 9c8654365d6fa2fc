//! The secret store on AWS: Secrets Manager.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput};
use jiff::{SignedDuration, Timestamp};

use crate::base::secrets::{Reading, SecretName, SecretStore, SecretStoreError, SecretVersion, Stage};
use crate::store;

/// How long one read may take, with all its attempts. Requests wait for it.
const DEADLINE: Duration = Duration::from_secs(3);

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_millis(1_400);

/// Returns Secrets Manager on AWS, or at another endpoint.
pub fn secret_store(config: &SdkConfig, endpoint: Option<&str>) -> SecretStore {
    let timeouts =
        TimeoutConfig::builder().operation_timeout(DEADLINE).operation_attempt_timeout(ATTEMPT).build();
    let builder = Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .timeout_config(timeouts);
    let builder = match endpoint {
        Some(endpoint) => builder.endpoint_url(endpoint),
        None => builder,
    };
    let client = Client::from_conf(builder.build());
    SecretStore::from_fn(move |name, stage| read(client.clone(), name, stage))
}

async fn read(client: Client, name: SecretName, stage: Stage) -> Reading {
    let label = match stage {
        Stage::Current => "AWSCURRENT",
        Stage::Previous => "AWSPREVIOUS",
    };
    match client.get_secret_value().secret_id(name.as_str()).version_stage(label).send().await {
        Ok(answer) => version(answer).map(Some),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(SecretStoreError(cause(&error))),
    }
}

fn version(answer: GetSecretValueOutput) -> Result<SecretVersion, SecretStoreError> {
    let made = answer.created_date.and_then(|date| {
        let time = SignedDuration::new(date.secs(), date.subsec_nanos().try_into().ok()?);
        Timestamp::from_duration(time).ok()
    });
    match (answer.secret_string, made) {
        (Some(text), Some(created)) => Ok(SecretVersion { text, created }),
        (None, _) => Err(SecretStoreError("it is not text".to_owned())),
        (_, None) => Err(SecretStoreError("it has no creation date".to_owned())),
    }
}

/// Returns whether there is no such secret, or no version of it with this label.
fn is_missing(error: &SdkError<GetSecretValueError>) -> bool {
    error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception)
}

/// Returns the error of Secrets Manager, or the reason why there is no answer.
fn cause(error: &SdkError<GetSecretValueError>) -> String {
    match error {
        SdkError::ServiceError(answer) => match (answer.err().code(), answer.err().message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) => format!("the answer was status {}", answer.raw().status()),
        },
        SdkError::TimeoutError(_) => "no answer came in time".to_owned(),
        other => store::error_chain(other),
    }
}
