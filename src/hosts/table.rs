//! Making the table on AWS, for those who deploy without `template.yaml`.

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

/// How long a new table may take until it can be used. AWS takes some ten seconds.
const READY: Duration = Duration::from_secs(180);

/// How often AWS is asked for backups of a new table, which it refuses for its first seconds.
const BACKUP_ATTEMPTS: u32 = 15;

/// Between two of these.
const BACKUP_PAUSE: Duration = Duration::from_secs(4);

/// Why the table cannot be made. The step is the name of the call that failed.
#[derive(Debug, thiserror::Error)]
#[error("the table {table} cannot be made, at {step}: {cause}")]
pub struct CreateTableError {
    table: String,
    step: &'static str,
    cause: String,
}

/// Makes the table as `template.yaml` does (indexes, stream, expiry, deletion protection, point-in-time recovery), and waits
/// until it can be used. A table that is there keeps its settings; only its expiry is switched on if it is not. Backups
/// that AWS does not switch on are logged as an error and are no failure.
///
/// # Errors
/// [`CreateTableError`].
pub async fn create(sdk: &SdkConfig, endpoint: Option<&str>, table: &str) -> Result<(), CreateTableError> {
    let client = Client::from_conf(aws::dynamodb(sdk, endpoint).build());
    let fail = |step, cause| CreateTableError { table: table.to_owned(), step, cause };
    let unbuilt = |error: StoreError| fail("CreateTable", error.to_string());
    let tag = Tag::builder().key("application").value("holdfast").build();
    let tag = tag.map_err(|error| fail("CreateTable", error.to_string()))?;
    let request = schema::table(table).map_err(unbuilt)?.deletion_protection_enabled(true).tags(tag);
    let is_new = match request.send_with(&client).await {
        Ok(_) => true,
        Err(error) if error.as_service_error().is_some_and(Refused::is_resource_in_use_exception) => false,
        Err(error) => return Err(fail("CreateTable", error_chain(&error))),
    };
    let ready = client.wait_until_table_exists().table_name(table).wait(READY).await;
    ready.map_err(|error| fail("DescribeTable", error_chain(&error)))?;
    expire(&client, table).await.map_err(|cause| fail("UpdateTimeToLive", cause))?;
    if is_new {
        tracing::info!(table, "the table was made");
        back_up(&client, table).await;
    }
    Ok(())
}

async fn expire(client: &Client, table: &str) -> Result<(), String> {
    let request = schema::expiry(table).map_err(|error| error.to_string())?;
    match request.send_with(client).await {
        Ok(_) => Ok(()),
        Err(error) if error.message().is_some_and(|text| text.contains("already enabled")) => Ok(()),
        Err(error) => Err(error_chain(&error)),
    }
}

/// Switches point-in-time recovery on.
async fn back_up(client: &Client, table: &str) {
    let mut said = String::new();
    for _ in 0..BACKUP_ATTEMPTS {
        match switch_backups_on(client, table).await {
            Ok(()) => return,
            Err(Backups::TooEarly(cause)) => said = cause,
            Err(Backups::Refused(cause)) => {
                said = cause;
                break;
            }
        }
        sleep(BACKUP_PAUSE).await;
    }
    tracing::error!(table, error = said, "point-in-time recovery is not on: switch it on in the AWS console");
}

/// Why backups are not on.
enum Backups {
    /// The table is too new.
    TooEarly(String),
    /// AWS refuses for another reason.
    Refused(String),
}

async fn switch_backups_on(client: &Client, table: &str) -> Result<(), Backups> {
    let on = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build();
    let on = on.map_err(|error| Backups::Refused(error.to_string()))?;
    let request = client.update_continuous_backups().table_name(table);
    match request.point_in_time_recovery_specification(on).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("ContinuousBackupsUnavailableException") => {
            Err(Backups::TooEarly(error_chain(&error)))
        }
        Err(error) => Err(Backups::Refused(error_chain(&error))),
    }
}
