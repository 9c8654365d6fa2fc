//! The environment of one case: an engine, a table name of its own, the wire to it, and its browsers.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemInput;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use futures_util::StreamExt;

use super::browser::{Browser, Look};
use super::connector::Wire;
use super::engine::{Engine, Kind};
use super::entry::{Entry, Running};
use super::missing_tool::MissingTool;
use super::store::Store;

/// What a case is given. Clones are the same environment.
#[derive(Clone)]
pub struct TestEnvironment(Arc<Inner>);

struct Inner {
    engine: Engine,
    entry: Entry,
    table: String,
    wire: Wire,
    /// The wires of further instances of the application.
    others: Mutex<Vec<Wire>>,
    browsers: Mutex<Vec<Browser>>,
    running: Mutex<Vec<Running>>,
    missing_tool: Mutex<Option<MissingTool>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TestEnvironment {
    /// An environment on an engine of this kind, for the case with this name.
    ///
    /// # Errors
    /// That this machine has no such engine.
    pub async fn on(kind: Kind, case: &str) -> Result<Self, MissingTool> {
        Self::before(kind, Entry::Router, case).await
    }

    /// The same with something before the application.
    ///
    /// # Errors
    /// As [`on`](Self::on).
    pub async fn before(kind: Kind, entry: Entry, case: &str) -> Result<Self, MissingTool> {
        let random = getrandom::u64().expect("the system gives random numbers");
        // A table's name may have 255 characters; the sentence leads so that a person can tell.
        let table = format!("{:.200}-{random:016x}", case.replace("::", "."));
        Ok(Self(Arc::new(Inner {
            engine: Engine::of(kind).await?,
            entry,
            table,
            wire: Wire::new(),
            others: Mutex::default(),
            browsers: Mutex::default(),
            running: Mutex::default(),
            missing_tool: Mutex::default(),
        })))
    }

    /// The engine beneath.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// What stands before the application.
    pub fn entry(&self) -> Entry {
        self.0.entry
    }

    /// Keeps what was started for this case until its end.
    pub fn keep(&self, running: Running) {
        lock(&self.0.running).push(running);
    }

    /// What the component's hosts said of an instance that ended other than by its answer.
    pub fn traps(&self) -> Option<String> {
        let running = lock(&self.0.running);
        let said = running.iter().filter_map(Running::output).find(|said| said.contains("wasm trap"));
        said.map(|said| said.chars().take(2_000).collect())
    }

    /// The name of this case's table, which no other case and no other run uses. It is not yet
    /// there; whatever is called so when the case ends is deleted.
    pub fn table(&self) -> &str {
        &self.0.table
    }

    /// The wire that [`sdk_config`](Self::sdk_config) uses.
    pub fn wire(&self) -> &Wire {
        &self.0.wire
    }

    /// What a client of DynamoDB Local is made of, over this environment's wire.
    pub fn sdk_config(&self) -> Builder {
        self.engine().sdk_config(self.wire())
    }

    /// A ready client of DynamoDB Local over this environment's wire, with the SDK's own retries and timeouts.
    pub fn sdk_client(&self) -> Client {
        Client::from_conf(self.sdk_config().build())
    }

    /// The store past the product, and unwatched.
    pub fn store(&self) -> Store {
        self.engine().store()
    }

    /// Puts many items into the table, past the product and unwatched: for tables that are too large to be made by it.
    pub async fn pour(&self, items: Vec<Vec<(&str, AttributeValue)>>) {
        let request = |item: Vec<(&str, AttributeValue)>| {
            let item = item.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let put = PutRequest::builder().set_item(Some(item)).build().expect("an item is put");
            WriteRequest::builder().put_request(put).build()
        };
        let requests: Vec<WriteRequest> = items.into_iter().map(request).collect();
        let store = self.store();
        let batches: Vec<_> = requests.chunks(25).map(<[_]>::to_vec).collect();
        futures_util::stream::iter(batches)
            .for_each_concurrent(4, async |batch| {
                let put = BatchWriteItemInput::builder().request_items(self.table(), batch);
                store.batch_write_item(put).await;
            })
            .await;
    }

    /// A wire of its own for a second instance of the application, watched for Scans as the first.
    pub fn another_wire(&self) -> Wire {
        let wire = Wire::new();
        lock(&self.0.others).push(wire.clone());
        wire
    }

    /// A person at a browser of their own, closed when the case ends.
    pub async fn browser(&self, look: Look) -> Browser {
        let browser = Browser::open(look).await;
        lock(&self.0.browsers).push(browser.clone());
        browser
    }

    /// Says that the rest of the case cannot be told here: it counts as not run.
    pub fn lacks(&self, missing_tool: MissingTool) {
        *lock(&self.0.missing_tool) = Some(missing_tool);
    }

    /// What [`lacks`](Self::lacks) was told.
    pub fn missing_tool(&self) -> Option<MissingTool> {
        lock(&self.0.missing_tool).clone()
    }

    /// How many Scans the application has sent.
    pub fn scans(&self) -> usize {
        let others: usize = lock(&self.0.others).iter().map(Wire::scans).sum();
        self.wire().scans() + others
    }

    /// How many items the application has put that do not say in which form they are.
    pub fn unnumbered(&self) -> usize {
        let others: usize = lock(&self.0.others).iter().map(Wire::unnumbered).sum();
        self.wire().unnumbered() + others
    }

    /// Ends the case's browsers and servers and deletes its table.
    pub async fn close(self) {
        let browsers = std::mem::take(&mut *lock(&self.0.browsers));
        for browser in browsers {
            browser.close().await;
        }
        lock(&self.0.running).clear();
        if self.engine().kind() == Kind::DynamoDbLocal {
            let config = self.engine().sdk_config(&Wire::new()).build();
            let deleted = Client::from_conf(config).delete_table().table_name(self.table());
            // A case that made no table leaves none to delete.
            let _ = deleted.send().await;
        }
    }
}
