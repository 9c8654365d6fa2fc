//! Tables and secrets on AWS where the clients of AWS were not built.

use holdfast::accounts::keys::{CookieKeys, KeyRing};
use holdfast::app::App;
use holdfast::hosts::config::Told;

use crate::cli::{ServeOptions, TableOptions};
use crate::failure::Failure;

const fn not_built(command: &'static str) -> Failure {
    Failure::NotBuilt { part: "client of AWS", feature: "aws", command }
}

/// Says how to build the server of a table on AWS.
///
/// # Errors
/// [`Failure::NotBuilt`], always.
#[expect(clippy::unused_async, reason = "the server that is built waits")]
pub async fn run(_: &ServeOptions, _: &str) -> Result<(), Failure> {
    Err(not_built("serve --table"))
}

/// Says how to build the commands on a table on AWS.
///
/// # Errors
/// [`Failure::NotBuilt`], always.
#[expect(clippy::unused_async, reason = "the client that is built waits")]
pub async fn open(_: &TableOptions, _: &str) -> Result<App, Failure> {
    Err(not_built("COMMAND --table"))
}

/// The keys of cookies that the environment gives as text.
///
/// # Errors
/// [`Failure::NotBuilt`] if they are in a secret on AWS.
#[expect(clippy::unused_async, reason = "the reading that is built waits")]
pub async fn cookie_keys(told: &Told<KeyRing>) -> Result<CookieKeys, Failure> {
    match told {
        Told::Here(ring) => Ok(CookieKeys::fixed(ring.clone())),
        Told::InVault(_) => Err(not_built("serve")),
    }
}
