//! `holdfast consume` where the Kafka client was not built.

use crate::cli::Consume;
use crate::console::Console;
use crate::failure::Failure;
use crate::table::Host;

/// Says how to build it.
///
/// # Errors
/// [`Failure::NotBuilt`], always.
#[expect(clippy::unused_async, reason = "the command that is built waits")]
pub async fn run(_: Consume, _: &Host<'_>, _: &dyn Console) -> Result<(), Failure> {
    Err(Failure::NotBuilt { part: "Kafka client", feature: "kafka", command: "consume" })
}
