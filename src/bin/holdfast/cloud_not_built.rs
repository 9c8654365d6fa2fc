//! Stubs for tables and secrets on AWS in builds without the AWS clients.

use holdfast::accounts::keys::{KeyRing, Keys, SecretKey};
use holdfast::app::App;
use holdfast::hosts::config::Configured;

use crate::cli::{ServeOptions, TableOptions};
use crate::failure::Failure;

const fn not_built(command: &'static str) -> Failure {
    Failure::NotBuilt { part: "client of AWS", feature: "aws", command }
}

#[expect(clippy::unused_async, reason = "the real server is async")]
pub async fn run(_: &ServeOptions, _: &str) -> Result<(), Failure> {
    Err(not_built("serve --table"))
}

#[expect(clippy::unused_async, reason = "the real client is async")]
pub async fn open(_: &TableOptions, _: &str) -> Result<App, Failure> {
    Err(not_built("COMMAND --table"))
}

/// Returns the keys that the environment gives as text.
#[expect(clippy::unused_async, reason = "the real function is async")]
pub async fn keys<K: SecretKey>(keys: &Configured<KeyRing<K>>) -> Result<Keys<K>, Failure> {
    match keys {
        Configured::Inline(ring) => Ok(Keys::fixed(ring.clone())),
        Configured::InSecret(_) => Err(not_built("serve")),
    }
}
