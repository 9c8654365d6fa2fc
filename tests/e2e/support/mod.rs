//! The harness of the cases: engines, a wire that can inject faults, browsers.
//!
//! Only `workspace` knows the application: it runs the application over a case's environment.

pub mod axe;
pub mod bootstrap;
pub mod browser;
pub mod case;
pub mod chance;
pub mod clock;
pub mod connector;
pub mod dynamodb_local;
pub mod engine;
pub mod entry;
pub mod environment;
pub mod fault;
pub mod gate;
pub mod gateway;
pub mod html;
pub mod http;
pub mod kafka;
pub mod lambda;
pub mod line;
pub mod look;
pub mod missing_tool;
pub mod npm;
pub mod outcome;
pub mod panics;
pub mod picture;
pub mod policy;
pub mod process;
pub mod property;
pub mod records;
pub mod request;
pub mod run;
pub mod secrets_manager;
pub mod store;
pub mod virtual_time;
pub mod wait;
pub mod webdriver;
pub mod workspace;

pub use case::Case;
pub(crate) use case::cases;
pub use engine::Kind;
pub use entry::Entry;
pub use environment::TestEnvironment;
pub use fault::{Fault, Reason};
pub use outcome::Answer;
