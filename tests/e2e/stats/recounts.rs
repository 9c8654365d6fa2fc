//! Recounts correct the statistics, also during writes and after an interruption.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::FutureExt as _;
use futures_util::future::join;
use holdfast::leads::domain::Stock;
use holdfast::stats::RecountError;
use serde_json::json;

use super::{all_leads, assert_recounted, change_on, live, new_records, process_stream, set};
use crate::orders::stock;
use crate::support::workspace::{Workspace, change};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: a_recount_corrects_the_statistics_during_writes,
            an_interrupted_recount_starts_again;
        embedded: a_recount_stops_when_a_newer_one_has_started
    ]
}

/// Sets a text attribute of an item without the application, synchronously.
fn set_now(environment: &TestEnvironment, pk: &str, name: &str, value: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update =
        UpdateItemInput::builder().table_name(environment.table()).key("pk", text(pk)).key("sk", text(pk));
    let update = update.update_expression("SET #name = :value").expression_attribute_names("#name", name);
    let update = update.expression_attribute_values(":value", text(value));
    environment.store().update_item(update).now_or_never().expect("the embedded engine does it at once");
}

/// Makes the statistics and the counts of some records wrong, without the application.
async fn make_wrong(environment: &TestEnvironment, workspace: &Workspace) {
    set(environment, "STATS", "STATS", "ADD prospect :n, unassigned :n, unassignedNY :n", &[(":n", 7)]).await;
    for lead in all_leads(workspace).await.iter().take(3) {
        let text = |text: String| AttributeValue::S(text);
        let delete = DeleteItemInput::builder().table_name(environment.table());
        let key = delete.key("pk", text(format!("LEAD#{}", lead.id))).key("sk", text("COUNTED".to_owned()));
        environment.store().delete_item(key).await;
    }
}

async fn a_recount_corrects_the_statistics_during_writes(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "WA", 130).await;
    live(&workspace).await;
    process_stream(&environment, &workspace).await;
    make_wrong(&environment, &workspace).await;
    let writing = async {
        for _ in 0..3 {
            change_on_once(&workspace).await;
            process_stream(&environment, &workspace).await;
        }
    };
    let (recounted, ()) = join(workspace.app.statistics().recount(|_| ()), writing).await;
    let recounted = recounted.unwrap();
    assert!(recounted.leads >= 191 && recounted.orders >= 2, "{recounted:?}");
    // The stream may have corrected some of the errors first.
    process_stream(&environment, &workspace).await;
    assert_recounted(&workspace).await;

    // A second recount finds nothing to correct, and later changes are counted.
    let again = workspace.app.statistics().recount(|_| ()).await.unwrap();
    assert_eq!(again.corrections, 0);
    assert_recounted(&workspace).await;
    change_on(&workspace).await;
    process_stream(&environment, &workspace).await;
    assert_recounted(&workspace).await;
    let new_records = new_records(&environment, &workspace).await;
    workspace.app.projections().consume(&new_records).await.unwrap();
    assert_recounted(&workspace).await;
}

/// Changes some leads that are free now.
async fn change_on_once(workspace: &Workspace) {
    let agent = workspace.agent().await;
    let free = all_leads(workspace).await.into_iter().filter(|lead| lead.stock == Stock::Unassigned).take(5);
    for lead in free {
        let other = if lead.state == Some("WA".parse().unwrap()) { "OR" } else { "WA" };
        let lead = serde_json::to_value(lead).unwrap();
        let version = lead["version"].as_u64().unwrap();
        change(&agent, &lead, version, json!({ "state": other })).await.expect(200);
    }
}

async fn an_interrupted_recount_starts_again(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    live(&workspace).await;
    process_stream(&environment, &workspace).await;
    let right = assert_recounted(&workspace).await;
    make_wrong(&environment, &workspace).await;
    // It has read the leads but not the orders.
    let mut pages = 0;
    let statistics = workspace.app.statistics();
    let interrupted = statistics.recount(|_| {
        pages += 1;
        environment.wire().always("Query", Fault::Refused("AccessDeniedException"));
    });
    interrupted.await.unwrap_err();
    assert_eq!(pages, 1);
    environment.wire().reset();
    change_on(&workspace).await;
    process_stream(&environment, &workspace).await;
    workspace.app.statistics().recount(|_| ()).await.unwrap();
    assert_eq!(assert_recounted(&workspace).await.total, right.total + 1);
}

async fn a_recount_stops_when_a_newer_one_has_started(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    live(&workspace).await;
    process_stream(&environment, &workspace).await;
    let statistics = workspace.app.statistics();
    let overtaken = statistics.recount(|_| set_now(&environment, "STATS", "recount", "another"));
    assert!(matches!(overtaken.await, Err(RecountError::Superseded)));
    assert_recounted(&workspace).await;
}
