//! Counting continues on restored tables and with the layout of an earlier version.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::pending;
use holdfast::app::build_router;
use holdfast::base::blocking::BlockingPool;
use holdfast::base::clock::Clock;
use holdfast::projections::consume::is_relevant;
use holdfast::store::line::Line;
use holdfast::store::stream::Batch;
use holdfast::store::{Embedded, StreamReader, schema};

use super::{POLL, assert_recounted, change_on, live, process_stream, set};
use crate::orders::stock;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: statistics_of_an_earlier_version_are_migrated_without_loss_or_double_counting,
            counting_continues_on_a_restored_table_with_a_new_stream;
        embedded: counting_continues_on_a_backup_restored_into_a_new_engine
    ]
}

async fn statistics_of_an_earlier_version_are_migrated_without_loss_or_double_counting(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let counts = async || {
        let stats = workspace.app.statistics().read().await.unwrap();
        let of = |code: &str| {
            let state = stats.by_state.iter().find(|count| count.state == code.parse().unwrap()).unwrap();
            [state.unassigned, state.assigned, state.fulfilled]
        };
        (stats.by_stock[0].count, of("NY"), of("WY"))
    };
    set(&environment, "STATS", "STATS", "SET prospect = :n, unassigned = :n", &[(":n", 9)]).await;
    set(&environment, "STATE#NY", "COUNTED", "SET unassigned = :u, assigned = :a", &[(":u", 4), (":a", 2)])
        .await;
    set(&environment, "STATE#WY", "COUNTED", "SET unassigned = :u, fulfilled = :f", &[(":u", -1), (":f", 3)])
        .await;
    assert_eq!(counts().await, (9, [4, 2, 0], [0, 0, 3]), "both layouts are added");

    stock(&workspace, "NY", 1).await;
    process_stream(&environment, &workspace).await;
    assert_eq!(
        counts().await,
        (10, [5, 2, 0], [0, 0, 3]),
        "the first change that is counted takes them over"
    );
    environment.wire().reset();
    counts().await;
    assert_eq!(environment.wire().total(), 1, "all statistics are one read");

    // A function of the earlier version was still running.
    set(&environment, "STATE#WY", "COUNTED", "ADD unassigned :u", &[(":u", 3)]).await;
    process_stream(&environment, &workspace).await;
    assert_eq!(counts().await, (10, [5, 2, 0], [2, 0, 3]), "its change takes them over as well");
    workspace.app.statistics().migrate().await.unwrap();
    assert_eq!(counts().await, (10, [5, 2, 0], [2, 0, 3]));
}

/// All items of a table.
async fn items(environment: &TestEnvironment) -> Vec<HashMap<String, AttributeValue>> {
    let (mut items, mut start) = (Vec::new(), None);
    loop {
        let scan = ScanInput::builder().table_name(environment.table()).set_exclusive_start_key(start);
        let page = environment.store().scan(scan).await;
        items.extend(page.items.unwrap_or_default());
        start = page.last_evaluated_key.filter(|key| !key.is_empty());
        if start.is_none() {
            return items;
        }
    }
}

async fn counting_continues_on_a_restored_table_with_a_new_stream(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    live(&workspace).await;
    process_stream(&environment, &workspace).await;
    let before = assert_recounted(&workspace).await;
    // A table that AWS restores has the items and a new stream, whose sequence numbers may be smaller.
    let restored =
        TestEnvironment::on(environment.engine().kind(), "restored").await.expect("the same engine");
    let other = Workspace::open(&restored).await;
    let items = items(&environment).await;
    let pairs = items.iter().map(|item| item.iter().map(|(name, value)| (name.as_str(), value.clone())));
    restored.insert_items(pairs.map(Iterator::collect).collect()).await;
    // Pretend that the last counted records have high sequence numbers of the old stream.
    for item in items.iter().filter(|item| item["sk"] == AttributeValue::S("COUNTED".to_owned())) {
        let update = UpdateItemInput::builder().table_name(restored.table());
        let update = update.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
        let update = update.update_expression("SET #sequence = :last");
        let update = update.expression_attribute_names("#sequence", "sequence");
        let last = AttributeValue::S("9".repeat(40));
        restored.store().update_item(update.expression_attribute_values(":last", last)).await;
    }
    process_stream(&restored, &other).await;
    assert_eq!(assert_recounted(&other).await.by_stock, before.by_stock, "what was restored counts once");
    change_on(&other).await;
    process_stream(&restored, &other).await;
    let after = assert_recounted(&other).await;
    assert_eq!(after.total, before.total + 1);
    restored.close().await;
}

async fn counting_continues_on_a_backup_restored_into_a_new_engine(environment: TestEnvironment) {
    let directory = std::env::temp_dir().join(format!("holdfast-{}", environment.table()));
    std::fs::create_dir_all(&directory).unwrap();
    let open = |name: &str| {
        let clock = Clock::of_system();
        holdfast::engine::Engine::open(&directory.join(name), move || clock.now()).unwrap()
    };
    let workspace = Workspace::open(&environment).await;
    let over = |engine: &holdfast::engine::Engine| {
        let embedded = Embedded::new(engine.clone(), BlockingPool::here());
        let mut workspace = workspace.clone();
        workspace.app.dynamo = workspace.app.dynamo.over(Line::to(embedded.clone()));
        workspace.app.background = workspace.app.dynamo.clone();
        (workspace.router, workspace.routes) = build_router(workspace.app.clone());
        (workspace, embedded)
    };
    let count = async |workspace: &Workspace, engine: &Embedded| {
        let reader =
            StreamReader::embedded(workspace.app.dynamo.clone(), engine.clone(), "case", is_relevant);
        let handle = async |batch: Arc<Batch>| workspace.app.projections().consume_batch(&batch).await;
        reader.paced(POLL).drain(handle, pending()).await.unwrap();
    };
    let first = open("first.db");
    let (workspace, engine) = over(&first);
    schema::create_table(&workspace.app.dynamo).await.unwrap();
    live(&workspace).await;
    count(&workspace, &engine).await;
    let counted = assert_recounted(&workspace).await;
    first.backup(&directory.join("backup.db")).unwrap();
    // Records after the backup are lost with the first engine, and their sequence numbers are reused.
    change_on(&workspace).await;
    count(&workspace, &engine).await;

    let second = open("backup.db");
    let (workspace, engine) = over(&second);
    count(&workspace, &engine).await;
    assert_eq!(assert_recounted(&workspace).await.by_stock, counted.by_stock);
    change_on(&workspace).await;
    count(&workspace, &engine).await;
    assert_eq!(assert_recounted(&workspace).await.total, counted.total + 1);
    drop((first, second, engine));
    let _ = std::fs::remove_dir_all(&directory);
}
