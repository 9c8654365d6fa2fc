//! The environment of one case: an engine, a unique table name, the wire to the engine, and browsers.

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

/// The test environment of a case. Clones are the same environment.
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
    /// This machine has no such engine.
    pub async fn on(kind: Kind, case: &str) -> Result<Self, MissingTool> {
        Self::with_entry(kind, Entry::Router, case).await
    }

    /// The same with an entry in front of the application.
    ///
    /// # Errors
    /// As [`on`](Self::on).
    pub async fn with_entry(kind: Kind, entry: Entry, case: &str) -> Result<Self, MissingTool> {
        let random = getrandom::u64().expect("the system gives random numbers");
        // A table's name has at most 255 characters. The case's name comes first, for debugging.
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

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The entry of the application.
    pub fn entry(&self) -> Entry {
        self.0.entry
    }

    /// Keeps a server or process until the case ends.
    pub fn keep(&self, running: Running) {
        lock(&self.0.running).push(running);
    }

    /// The output of a component host whose instance trapped.
    pub fn traps(&self) -> Option<String> {
        let running = lock(&self.0.running);
        let output = running.iter().filter_map(Running::output).find(|output| output.contains("wasm trap"));
        output.map(|output| output.chars().take(2_000).collect())
    }

    /// The name of this case's table, which is unique across cases and runs. The table does not exist yet, and it
    /// is deleted when the case ends.
    pub fn table(&self) -> &str {
        &self.0.table
    }

    /// The wire that [`sdk_config`](Self::sdk_config) uses.
    pub fn wire(&self) -> &Wire {
        &self.0.wire
    }

    /// The configuration of a client of DynamoDB Local over this environment's wire.
    pub fn sdk_config(&self) -> Builder {
        self.engine().sdk_config(self.wire())
    }

    /// A client of DynamoDB Local over this environment's wire, with the SDK's own retries and timeouts.
    pub fn sdk_client(&self) -> Client {
        Client::from_conf(self.sdk_config().build())
    }

    /// The store without the application and without the wire.
    pub fn store(&self) -> Store {
        self.engine().store()
    }

    /// Puts items into the table without the application and without the wire, for tables that are too large to be
    /// created by requests.
    pub async fn insert_items(&self, items: Vec<Vec<(&str, AttributeValue)>>) {
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

    /// Another wire for a second instance of the application, which also counts Scans.
    pub fn another_wire(&self) -> Wire {
        let wire = Wire::new();
        lock(&self.0.others).push(wire.clone());
        wire
    }

    /// Opens a browser for a person, which is closed when the case ends.
    pub async fn browser(&self, look: Look) -> Browser {
        let browser = Browser::open(look).await;
        lock(&self.0.browsers).push(browser.clone());
        browser
    }

    /// Marks the case as not run because this machine lacks a tool.
    pub fn report_missing(&self, missing_tool: MissingTool) {
        *lock(&self.0.missing_tool) = Some(missing_tool);
    }

    /// The missing tool that [`report_missing`](Self::report_missing) has recorded.
    pub fn missing_tool(&self) -> Option<MissingTool> {
        lock(&self.0.missing_tool).clone()
    }

    /// The number of Scans that the application has sent.
    pub fn scans(&self) -> usize {
        let others: usize = lock(&self.0.others).iter().map(Wire::scans).sum();
        self.wire().scans() + others
    }

    /// The number of items without a schema version that the application has put.
    pub fn without_schema(&self) -> usize {
        let others: usize = lock(&self.0.others).iter().map(Wire::without_schema).sum();
        self.wire().without_schema() + others
    }

    /// Closes the case's browsers and servers and deletes its table.
    pub async fn close(self) {
        let browsers = std::mem::take(&mut *lock(&self.0.browsers));
        for browser in browsers {
            browser.close().await;
        }
        lock(&self.0.running).clear();
        if self.engine().kind() == Kind::DynamoDbLocal {
            let config = self.engine().sdk_config(&Wire::new()).build();
            let deleted = Client::from_conf(config).delete_table().table_name(self.table());
            // A case may not have created its table.
            let _ = deleted.send().await;
        }
    }
}
