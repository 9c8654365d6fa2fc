//! What a process provides to the application: its configuration and, on an operating system, threads, tokio's
//! clock, the log, the AWS SDK, Kafka and Lambda.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a host knows where it runs")]

pub mod config;

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "native")]
pub mod kafka;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "native")]
pub mod process;
#[cfg(feature = "aws")]
pub mod secrets;
#[cfg(all(feature = "aws", feature = "local"))]
pub mod table;
