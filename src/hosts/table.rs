//! Creates the table on AWS, for deployments without `template.yaml`.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters as _;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::create_table::CreateTableError as Refused;
use aws_sdk_dynamodb::types::{PointInTimeRecoverySpecification, Tag};
use tokio::time::sleep;

use super::aws;
use crate::store::{StoreError, error_chain, schema};

/// How long a new table may take to become usable. AWS takes about ten seconds.
const READY: Duration = Duration::from_secs(180);

/// How often to ask AWS for backups of a new table, which it refuses during the first seconds.
const BACKUP_ATTEMPTS: u32 = 15;

/// The delay between these attempts.
const BACKUP_DELAY: Duration = Duration::from_secs(4);

/// Why the table cannot be created. The step is the name of the failed call.
#[derive(Debug, thiserror::Error)]
#[error("cannot create the table {table}, at {step}: {cause}")]
pub struct CreateTableError {
    table: String,
    step: &'static str,
    cause: String,
}

/// Creates the table as `template.yaml` does (indexes, stream, expiry, deletion protection, point-in-time
/// recovery), and waits until it is usable. An existing table keeps its settings, except that expiry is enabled if
/// it is not. If AWS does not enable backups, that is logged as an error, but the call succeeds.
pub async fn create(sdk: &SdkConfig, endpoint: Option<&str>, table: &str) -> Result<(), CreateTableError> {
    let client = Client::from_conf(aws::dynamodb(sdk, endpoint).build());
    let fail = |step, cause| CreateTableError { table: table.to_owned(), step, cause };
    let request_error = |error: StoreError| fail("CreateTable", error.to_string());
    let tag = Tag::builder().key("application").value("holdfast").build();
    let tag = tag.map_err(|error| fail("CreateTable", error.to_string()))?;
    let request = schema::table(table).map_err(request_error)?.deletion_protection_enabled(true).tags(tag);
    let is_new = match request.send_with(&client).await {
        Ok(_) => true,
        Err(error) if error.as_service_error().is_some_and(Refused::is_resource_in_use_exception) => false,
        Err(error) => return Err(fail("CreateTable", error_chain(&error))),
    };
    let ready = client.wait_until_table_exists().table_name(table).wait(READY).await;
    ready.map_err(|error| fail("DescribeTable", error_chain(&error)))?;
    enable_expiry(&client, table).await.map_err(|cause| fail("UpdateTimeToLive", cause))?;
    if is_new {
        tracing::info!(table, "created the table");
        enable_backups(&client, table).await;
    }
    Ok(())
}

async fn enable_expiry(client: &Client, table: &str) -> Result<(), String> {
    let request = schema::expiry(table).map_err(|error| error.to_string())?;
    match request.send_with(client).await {
        Ok(_) => Ok(()),
        Err(error) if error.message().is_some_and(|text| text.contains("already enabled")) => Ok(()),
        Err(error) => Err(error_chain(&error)),
    }
}

/// Enables point-in-time recovery.
async fn enable_backups(client: &Client, table: &str) {
    let mut last_error = String::new();
    for _ in 0..BACKUP_ATTEMPTS {
        match try_enable_backups(client, table).await {
            Ok(()) => return,
            Err(BackupError::TooEarly(cause)) => last_error = cause,
            Err(BackupError::Refused(cause)) => {
                last_error = cause;
                break;
            }
        }
        sleep(BACKUP_DELAY).await;
    }
    tracing::error!(table, error = last_error, "point-in-time recovery is off: enable it in the AWS console");
}

/// Why backups are not enabled.
enum BackupError {
    /// The table is too new.
    TooEarly(String),
    /// AWS refuses for another reason.
    Refused(String),
}

async fn try_enable_backups(client: &Client, table: &str) -> Result<(), BackupError> {
    let on = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build();
    let on = on.map_err(|error| BackupError::Refused(error.to_string()))?;
    let request = client.update_continuous_backups().table_name(table);
    match request.point_in_time_recovery_specification(on).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("ContinuousBackupsUnavailableException") => {
            Err(BackupError::TooEarly(error_chain(&error)))
        }
        Err(error) => Err(BackupError::Refused(error_chain(&error))),
    }
}
