//! The engines that stories run on: dynoxide within this process, and the real DynamoDB Local.

use std::net::Ipv4Addr;
use std::sync::Arc;

use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Config, Credentials, Region};
use tokio::sync::oneshot;

use super::absence::Absence;
use super::connector::Wire;
use super::dynamodb_local;

/// Which engine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The embedded engine, in memory, one for each story.
    Embedded,
    /// Amazon's own emulator, one for the whole run.
    DynamoDbLocal,
}

impl Kind {
    /// The name in brackets after a story's.
    pub fn label(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::DynamoDbLocal => "dynamodb-local",
        }
    }
}

/// A running engine. One of dynoxide ends with its last clone.
#[derive(Clone, Debug)]
pub struct Engine {
    kind: Kind,
    endpoint: String,
    /// Whose data it shows: DynamoDB Local keeps a database for each key.
    access_key: String,
    /// Dropped, it tells the server within this process to stop.
    _stop: Option<Arc<oneshot::Sender<()>>>,
}

impl Engine {
    /// An engine of this kind, started or found.
    ///
    /// # Errors
    /// That this machine has none; dynoxide is always there.
    pub async fn of(kind: Kind) -> Result<Self, Absence> {
        match kind {
            Kind::Embedded => Ok(Self::dynoxide().await),
            Kind::DynamoDbLocal => Ok(Self {
                kind,
                endpoint: dynamodb_local::endpoint().await?,
                access_key: access_key(),
                _stop: None,
            }),
        }
    }

    /// An engine of its own for each story: one instance answers one call at a time, and its
    /// remembered transaction tokens would slow the stories after it. Its memory has a name, so that
    /// it can be prepared as the product prepares its own.
    async fn dynoxide() -> Self {
        let random = getrandom::u64().expect("the system gives random numbers");
        let name = format!("file:story-{random:016x}?mode=memory&cache=shared");
        let database = dynoxide::Database::new(&name).expect("dynoxide opens in memory");
        holdfast::native::engine::prepare(&name).expect("the engine's indexes are made");
        let listener =
            tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port is free");
        let address = listener.local_addr().expect("the port is known");
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, async move {
            // The sender is never used, only dropped.
            let _ = stopped.await;
        }));
        Self {
            kind: Kind::Embedded,
            endpoint: format!("http://{address}"),
            access_key: access_key(),
            _stop: Some(Arc::new(stop)),
        }
    }

    /// Which engine this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The key by which an engine knows this one from others that share its process.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(&self.access_key, "dummy", None, None, "stories")
    }

    /// What the application builds its client from: this endpoint over `wire`, dummy credentials.
    /// Retries and timeouts are the application's own.
    pub fn sdk_config(&self, wire: &Wire) -> Builder {
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(self.credentials())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .endpoint_url(&self.endpoint)
            .http_client(wire.clone())
    }

    /// What a reader of the table's stream builds its client from: the same, for the other API.
    pub fn streams_config(&self, wire: &Wire) -> aws_sdk_dynamodbstreams::config::Builder {
        aws_sdk_dynamodbstreams::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(self.credentials())
            .endpoint_url(&self.endpoint)
            .http_client(wire.clone())
    }
}

/// A key of its own for each story: letters and digits, as DynamoDB Local asks. In one database for all stories it would
/// look through the stream records of all tables that were before, at every call.
fn access_key() -> String {
    format!("story{:016x}", getrandom::u64().expect("the system gives random numbers"))
}
