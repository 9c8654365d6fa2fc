//! Stub for `holdfast consume` in builds without the Kafka client.

use crate::cli::Consume;
use crate::console::Console;
use crate::failure::Failure;
use crate::table::Host;

#[expect(clippy::unused_async, reason = "the real command is async")]
pub async fn run(_: Consume, _: &Host<'_>, _: &dyn Console) -> Result<(), Failure> {
    Err(Failure::NotBuilt { part: "Kafka client", feature: "kafka", command: "consume" })
}
