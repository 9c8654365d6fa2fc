//! What every story stands on: engines to run against, a wire that can fail on purpose, a browser.
//!
//! Nothing here knows the product but `desk`, which is the application over a story's world.

pub mod absence;
pub mod axe;
pub mod bootstrap;
pub mod browser;
pub mod chance;
pub mod connector;
pub mod desk;
pub mod durations;
pub mod dynamodb_local;
pub mod engine;
pub mod fault;
pub mod front;
pub mod gateway;
pub mod http;
pub mod kafka;
pub mod lambda;
pub mod line;
pub mod look;
pub mod npm;
pub mod panics;
pub mod policy;
pub mod process;
pub mod property;
pub mod request;
pub mod run;
pub mod secrets_manager;
pub mod store;
pub mod story;
pub mod virtual_time;
pub mod wait;
pub mod webdriver;
pub mod world;

pub use connector::Answer;
pub use engine::Kind;
pub use fault::{Fault, Reason};
pub use front::Front;
pub use story::Story;
pub(crate) use story::stories;
pub use world::World;
