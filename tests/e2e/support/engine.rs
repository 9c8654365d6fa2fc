//! The engines that cases run on: the embedded engine in memory, and DynamoDB Local.

use std::fmt;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Config, Credentials, Region};
use holdfast::base::blocking::BlockingPool;
use holdfast::base::clock::Clock;
use holdfast::store::line::Line;
use holdfast::store::{Dynamo, Embedded, Key, StreamReader};

use super::connector::Wire;
use super::dynamodb_local;
use super::missing_tool::MissingTool;
use super::store::Store;

/// The kind of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The embedded engine in memory, one for each case.
    Embedded,
    /// Amazon's own emulator, one for the whole run.
    DynamoDbLocal,
}

impl Kind {
    /// The name in brackets after a case's name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::DynamoDbLocal => "dynamodb-local",
        }
    }
}

/// A running engine. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Engine(Place);

#[derive(Clone)]
enum Place {
    Memory(holdfast::engine::Engine),
    Local {
        endpoint: String,
        /// The access key: DynamoDB Local keeps a separate database for each key.
        access_key: String,
    },
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(_) => f.write_str("Memory"),
            Self::Local { endpoint, .. } => write!(f, "Local({endpoint})"),
        }
    }
}

impl Engine {
    /// Creates an engine of this kind, or connects to the running one.
    ///
    /// # Errors
    /// This machine has no such engine. The embedded one is always available.
    pub async fn of(kind: Kind) -> Result<Self, MissingTool> {
        Ok(Self(match kind {
            Kind::Embedded => {
                let clock = Clock::of_system();
                Place::Memory(holdfast::engine::Engine::in_memory(move || clock.now()))
            }
            Kind::DynamoDbLocal => {
                Place::Local { endpoint: dynamodb_local::endpoint().await?, access_key: access_key() }
            }
        }))
    }

    /// The kind of the engine.
    pub fn kind(&self) -> Kind {
        match self.0 {
            Place::Memory(_) => Kind::Embedded,
            Place::Local { .. } => Kind::DynamoDbLocal,
        }
    }

    /// Its address, `http://127.0.0.1:PORT`. Panics on the embedded engine, which has none.
    pub fn endpoint(&self) -> &str {
        self.local().0
    }

    /// The access key that separates this case from others in the same process.
    pub fn access_key(&self) -> &str {
        self.local().1
    }

    #[track_caller]
    fn local(&self) -> (&str, &str) {
        match &self.0 {
            Place::Memory(_) => {
                panic!("the embedded engine has no address: list this case under `dynamodb`")
            }
            Place::Local { endpoint, access_key } => (endpoint, access_key),
        }
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(self.access_key(), "dummy", None, None, "cases")
    }

    /// The configuration of a client of DynamoDB Local: its address over `wire`, and dummy credentials.
    pub fn sdk_config(&self, wire: &Wire) -> Builder {
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(self.credentials())
            .sleep_impl(holdfast::hosts::process::sleep())
            .endpoint_url(self.endpoint())
            .http_client(wire.clone())
    }

    /// The same for the API of streams.
    pub fn streams_config(&self, wire: &Wire) -> aws_sdk_dynamodbstreams::config::Builder {
        aws_sdk_dynamodbstreams::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(self.credentials())
            .endpoint_url(self.endpoint())
            .http_client(wire.clone())
    }

    /// The line to the engine, over `wire`.
    pub fn line(&self, wire: &Wire) -> Line {
        match &self.0 {
            Place::Memory(engine) => Line::to(wire.before(embedded(engine))),
            Place::Local { .. } => Line::to_aws(self.sdk_config(wire), holdfast::hosts::process::sleep()),
        }
    }

    /// A reader of the stream of `dynamo`'s table. Its requests to DynamoDB Local go over `wire`.
    pub fn reader(
        &self,
        wire: &Wire,
        dynamo: &Dynamo,
        consumer: &'static str,
        relevant: fn(&Key) -> bool,
    ) -> StreamReader {
        let dynamo = dynamo.clone();
        match &self.0 {
            Place::Memory(engine) => StreamReader::embedded(dynamo, embedded(engine), consumer, relevant),
            Place::Local { .. } => StreamReader::new(dynamo, self.streams_config(wire), consumer, relevant),
        }
    }

    /// The engine without the application and without a wire.
    pub fn store(&self) -> Store {
        match &self.0 {
            Place::Memory(engine) => Store::Embedded(engine.clone()),
            Place::Local { .. } => Store::Sdk(Client::from_conf(self.sdk_config(&Wire::new()).build())),
        }
    }
}

fn embedded(engine: &holdfast::engine::Engine) -> Embedded {
    Embedded::new(engine.clone(), BlockingPool::here())
}

/// A separate key for each case, of letters and digits, as DynamoDB Local requires. In one database for all cases,
/// every call would search the stream records of all earlier tables.
fn access_key() -> String {
    format!("case{:016x}", getrandom::u64().expect("the system gives random numbers"))
}
