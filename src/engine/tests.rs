//! Tests of the whole engine, in memory and on disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemInput;
use aws_sdk_dynamodb::operation::create_table::CreateTableInput;
use aws_sdk_dynamodb::operation::delete_table::DeleteTableInput;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::operation::update_table::UpdateTableInput;
use aws_sdk_dynamodb::operation::update_time_to_live::UpdateTimeToLiveInput;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate,
    IndexStatus, KeySchemaElement, KeyType, Projection, ProjectionType, Put, PutRequest,
    ReturnConsumedCapacity, ReturnValue, ScalarAttributeType, StreamSpecification, StreamViewType,
    TimeToLiveSpecification, TransactWriteItem, Update, WriteRequest,
};
use jiff::Timestamp;

use super::state::WriteContext;
use super::*;

mod care;
mod data_file;
mod durability;
mod expiry;
mod limits;

type Item = HashMap<String, AttributeValue>;

fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn item(pk: &str, sk: impl Into<String>, more: &[(&str, AttributeValue)]) -> Item {
    let keys = [("pk", text(pk)), ("sk", text(sk))];
    keys.iter().chain(more).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn key_schema(partition: &str, sort: &str) -> Vec<KeySchemaElement> {
    let element =
        |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    vec![element(partition, KeyType::Hash), element(sort, KeyType::Range)]
}

fn definition(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
}

fn create(engine: &Engine) {
    let stream = StreamSpecification::builder().stream_enabled(true);
    let stream = stream.stream_view_type(StreamViewType::NewAndOldImages).build().unwrap();
    let input = CreateTableInput::builder()
        .table_name("things")
        .attribute_definitions(definition("pk", ScalarAttributeType::S))
        .attribute_definitions(definition("sk", ScalarAttributeType::S))
        .set_key_schema(Some(key_schema("pk", "sk")))
        .stream_specification(stream);
    engine.create_table(input.build().unwrap()).unwrap();
}

/// A clock that changes only when a test advances it.
#[derive(Clone)]
struct TestClock(Arc<AtomicI64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000)))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }

    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// Creates an engine in memory with a table.
fn engine() -> (Engine, TestClock) {
    let clock = TestClock::new();
    let shared = clock.clone();
    let engine = Engine::in_memory(move || shared.now());
    create(&engine);
    (engine, clock)
}

fn put(engine: &Engine, item: Item) {
    try_put(engine, item).unwrap();
}

fn try_put(engine: &Engine, item: Item) -> Result<PutItemOutput, EngineError> {
    engine.put_item(PutItemInput::builder().table_name("things").set_item(Some(item)).build().unwrap())
}

fn get(engine: &Engine, pk: &str, sk: &str) -> Option<Item> {
    let input = GetItemInput::builder().table_name("things").key("pk", text(pk)).key("sk", text(sk));
    engine.get_item(&input.build().unwrap()).unwrap().item
}

/// Turns time to live on. The attribute `until` contains the expiry time in seconds.
fn enable_ttl(engine: &Engine) {
    engine.update_time_to_live(ttl_input()).unwrap();
}

fn ttl_input() -> UpdateTimeToLiveInput {
    let ttl = TimeToLiveSpecification::builder().attribute_name("until").enabled(true).build().unwrap();
    UpdateTimeToLiveInput::builder().table_name("things").time_to_live_specification(ttl).build().unwrap()
}

/// Acknowledges a sequence number and waits until the acknowledgment is on disk.
fn acknowledge(engine: &Engine, reader: &str, sequence: u64) -> Result<(), EngineError> {
    let (sender, receiver) = std::sync::mpsc::channel();
    engine.acknowledge(reader, sequence, move |saved| sender.send(saved).unwrap())?;
    receiver.recv().unwrap()
}

fn put_action(item: Item) -> TransactWriteItem {
    let put = Put::builder().table_name("things").set_item(Some(item)).build().unwrap();
    TransactWriteItem::builder().put(put).build()
}

/// A transaction that puts one item.
fn put_transaction(item: Item) -> TransactWriteItemsInput {
    TransactWriteItemsInput::builder().transact_items(put_action(item)).build().unwrap()
}

fn add_index(engine: &Engine, name: &str, projection: Projection) {
    let index = CreateGlobalSecondaryIndexAction::builder()
        .index_name(name)
        .set_key_schema(Some(key_schema("g", "sk")))
        .projection(projection)
        .build()
        .unwrap();
    let input = UpdateTableInput::builder()
        .table_name("things")
        .attribute_definitions(definition("g", ScalarAttributeType::S))
        .global_secondary_index_updates(GlobalSecondaryIndexUpdate::builder().create(index).build());
    engine.update_table(input.build().unwrap()).unwrap();
}

fn keys_only() -> Projection {
    Projection::builder().projection_type(ProjectionType::KeysOnly).build()
}

fn all_attributes() -> Projection {
    Projection::builder().projection_type(ProjectionType::All).build()
}

fn query_index(engine: &Engine, name: &str) -> Vec<Item> {
    let input = QueryInput::builder()
        .table_name("things")
        .index_name(name)
        .key_condition_expression("g = :g")
        .expression_attribute_values(":g", text("g"));
    engine.query(&input.build().unwrap()).unwrap().items.unwrap()
}

#[test]
fn a_new_index_contains_existing_and_later_items() {
    let (engine, _) = engine();
    for n in 0..1234 {
        put(&engine, item("p", format!("{n:05}"), &[("g", text("g")), ("x", number(n))]));
    }
    put(&engine, item("p", "wrong", &[("g", number(1))]));
    put(&engine, item("p", "empty", &[("g", text(""))]));
    put(&engine, item("p", "long", &[("g", text("g".repeat(2049)))]));
    put(&engine, item("p", "none", &[]));
    add_index(&engine, "later", keys_only());
    put(&engine, item("p", "new", &[("g", text("g"))]));
    let found = query_index(&engine, "later");
    assert_eq!(found.len(), 1235);
    assert_eq!(found[7], item("p", "00007", &[("g", text("g"))]));
    let described =
        engine.describe_table(&DescribeTableInput::builder().table_name("things").build().unwrap());
    let indexes = described.unwrap().table.unwrap().global_secondary_indexes.unwrap();
    assert_eq!(indexes[0].index_status, Some(IndexStatus::Active));
}

#[test]
fn indexes_added_concurrently_are_all_complete() {
    let (engine, _) = engine();
    for n in 0..3000 {
        put(&engine, item("p", n.to_string(), &[("g", text("g"))]));
    }
    let names = ["index0", "index1", "index2", "index3"];
    std::thread::scope(|scope| {
        for name in names {
            let engine = &engine;
            scope.spawn(move || add_index(engine, name, keys_only()));
        }
    });
    for name in names {
        assert_eq!(query_index(&engine, name).len(), 3000, "{name}");
    }
}

#[test]
fn an_interrupted_table_deletion_is_completed_later() {
    let (engine, _) = engine();
    for n in 0..700 {
        put(&engine, item("p", n.to_string(), &[("g", text("g"))]));
    }
    let interrupted = |context: &mut WriteContext<'_>| {
        ddl::record_deletion(context, &context.state.catalog["things"].clone());
        Ok(())
    };
    engine.write(interrupted).unwrap();
    assert!(get(&engine, "p", "699").is_some());
    engine.build_indexes().unwrap();
    let scan = engine.scan(&ScanInput::builder().table_name("things").build().unwrap()).unwrap();
    assert_eq!(scan.count, 0);
    engine.build_indexes().unwrap();
}

#[test]
fn a_client_request_token_prevents_a_second_write_for_ten_minutes() {
    let (engine, clock) = engine();
    let transact = |token: &str, n: &str| {
        let update = Update::builder()
            .table_name("things")
            .key("pk", text("p"))
            .key("sk", text("a"))
            .update_expression("ADD n :n")
            .expression_attribute_values(":n", number(n))
            .build()
            .unwrap();
        let input = TransactWriteItemsInput::builder()
            .client_request_token(token)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .transact_items(TransactWriteItem::builder().update(update).build());
        engine.transact_write_items(input.build().unwrap())
    };
    let units = |output: TransactWriteItemsOutput| {
        let one = output.consumed_capacity.unwrap().remove(0);
        (one.capacity_units, one.read_capacity_units, one.write_capacity_units)
    };
    let counted = || get(&engine, "p", "a").unwrap()["n"].clone();
    assert_eq!(units(transact("one", "1").unwrap()), (Some(2.0), None, Some(2.0)));
    clock.advance(599);
    assert_eq!(units(transact("one", "1").unwrap()), (Some(2.0), Some(2.0), None));
    assert_eq!(counted(), number(1));
    let error = transact("one", "2").unwrap_err();
    assert_eq!(error.code, ErrorCode::IdempotentParameterMismatch);
    transact("two", "1").unwrap();
    clock.advance(1);
    transact("one", "2").unwrap();
    assert_eq!(counted(), number(4), "a token expires after ten minutes");
    transact("two", "1").unwrap();
    assert_eq!(counted(), number(4), "newer tokens are kept when older ones expire");
}

#[test]
fn records_are_kept_until_the_reader_acknowledges_them() {
    let (engine, _) = engine();
    assert_eq!(engine.register_reader("counts").unwrap(), 0);
    for n in 0..10 {
        put(&engine, item("p", n.to_string(), &[]));
    }
    put(&engine, item("p", "9", &[]));
    let page = engine.read_stream("things", 0, 4, &|_| true).unwrap();
    assert_eq!(page.records.len(), 4);
    assert_eq!(engine.trim_stream(100).unwrap(), 0);
    acknowledge(&engine, "counts", page.last).unwrap();
    acknowledge(&engine, "counts", 1).unwrap();
    let position = engine.register_reader("counts").unwrap();
    assert_eq!(position, page.last, "an acknowledgment never moves backward");
    assert_eq!(engine.trim_stream(3).unwrap(), 3);
    assert_eq!(engine.trim_stream(100).unwrap(), 1);
    let rest = engine.read_stream("things", page.last, 100, &|_| true).unwrap();
    assert_eq!(rest.records.len(), 6, "a put that changes nothing creates no record");
    assert!(acknowledge(&engine, "unknown", 1).is_err());
    acknowledge(&engine, "counts", u64::MAX).unwrap();
    put(&engine, item("p", "10", &[]));
    put(&engine, item("p", "11", &[]));
    engine.trim_stream(100).unwrap();
    let page = engine.read_stream("things", rest.last, 100, &|_| true).unwrap();
    assert_eq!(page.records.len(), 2, "later records are not acknowledged");
}

/// A temporary directory, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("holdfast-engine-{}-{next}", std::process::id())))
    }

    fn file(&self) -> PathBuf {
        self.0.join("data.holdfast")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> Engine {
    Engine::open(path, Timestamp::now).unwrap()
}

/// Creates an engine on a new file with a table.
fn on_disk() -> (Directory, Engine) {
    let directory = Directory::new();
    let engine = open(&directory.file());
    create(&engine);
    (directory, engine)
}

#[test]
fn all_data_survives_reopening_the_engine() {
    let (directory, engine) = on_disk();
    add_index(&engine, "keys", keys_only());
    put(&engine, item("p", "a", &[("g", text("g")), ("n", number("1.50"))]));
    engine.register_reader("counts").unwrap();
    let page = engine.read_stream("things", 0, 10, &|_| true).unwrap();
    acknowledge(&engine, "counts", page.last).unwrap();
    drop(engine);

    let engine = open(&directory.file());
    assert_eq!(get(&engine, "p", "a").unwrap()["n"], number("1.5"));
    assert_eq!(query_index(&engine, "keys").len(), 1);
    assert_eq!(engine.register_reader("counts").unwrap(), page.last);
    put(&engine, item("p", "b", &[]));
    let next = engine.read_stream("things", page.last, 10, &|_| true).unwrap();
    assert_eq!(next.records.len(), 1);
    assert!(next.last > page.last, "a sequence number is never used twice");
}
