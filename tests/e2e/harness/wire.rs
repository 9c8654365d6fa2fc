//! The wire under the real SDK, on DynamoDB Local: how the SDK sees each fault, and the resulting state of the
//! store.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemInput;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsInput};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, Delete, KeySchemaElement, KeyType,
    KeysAndAttributes, Put, ScalarAttributeType, TransactWriteItem, Update,
};
use holdfast::store::line::{Aws, Operation, Request as _, Target as _};

use crate::support::{Answer, Case, Fault, Reason, TestEnvironment, cases, request};

pub fn all() -> Vec<Case> {
    cases![
        dynamodb: the_record_keeps_every_call_in_order,
            a_lost_reply_commits_once_and_breaks_the_call,
            a_reply_that_never_comes_commits_and_ends_by_timeout,
            a_server_error_after_the_commit_hides_the_commit,
            a_hang_ends_by_the_attempt_timeout,
            nothing_reaches_the_store_when_the_connection_is_refused,
            the_sdk_reads_an_injected_transaction_conflict_as_one_of_dynamodb,
            mixed_reasons_keep_the_order_of_the_actions,
            throttling_errors_have_their_names,
            faults_end_after_their_count_and_the_sdk_retries_past_them,
            a_gate_holds_calls_until_it_opens,
            a_scan_is_counted_on_every_wire,
            the_line_records_what_the_sdk_sends
    ]
}

/// Creates the environment's table: a partition key `pk` and nothing else.
pub async fn make_table(environment: &TestEnvironment) {
    let (key, attribute) = (KeySchemaElement::builder(), AttributeDefinition::builder());
    let key = key.attribute_name("pk").key_type(KeyType::Hash).build();
    let attribute = attribute.attribute_name("pk").attribute_type(ScalarAttributeType::S).build();
    let making = environment.sdk_client().create_table().table_name(environment.table());
    let making = making.key_schema(key.unwrap()).attribute_definitions(attribute.unwrap());
    making.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
}

/// A client that does not retry and waits at most 200 ms for an answer.
fn with_short_timeout(environment: &TestEnvironment) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(200));
    let config = environment.sdk_config().retry_config(RetryConfig::disabled());
    Client::from_conf(config.timeout_config(timeouts.build()).build())
}

/// A client that does not retry.
fn without_retries(environment: &TestEnvironment) -> Client {
    Client::from_conf(environment.sdk_config().retry_config(RetryConfig::disabled()).build())
}

type Written = Result<(), SdkError<TransactWriteItemsError>>;

/// Adds one to a counter and puts an entry beside it, in one transaction.
async fn count_up(environment: &TestEnvironment, client: &Client) -> Written {
    let update = Update::builder()
        .table_name(environment.table())
        .key("pk", AttributeValue::S("counter".to_owned()))
        .update_expression("ADD n :one")
        .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
    let put =
        Put::builder().table_name(environment.table()).item("pk", AttributeValue::S("entry".to_owned()));
    client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().update(update.build().unwrap()).build())
        .transact_items(TransactWriteItem::builder().put(put.build().unwrap()).build())
        .send()
        .await
        .map(|_| ())
}

/// The value of the counter.
async fn counted(environment: &TestEnvironment) -> u32 {
    let asked = environment.sdk_client().get_item().table_name(environment.table());
    let asked = asked.key("pk", AttributeValue::S("counter".to_owned())).consistent_read(true);
    let item = asked.send().await.unwrap().item;
    item.map_or(0, |item| item["n"].as_n().unwrap().parse().unwrap())
}

async fn the_record_keeps_every_call_in_order(environment: TestEnvironment) {
    make_table(&environment).await;
    count_up(&environment, &environment.sdk_client()).await.unwrap();
    counted(&environment).await;
    let missing = environment.sdk_client().describe_table().table_name("there-is-none").send().await;
    assert!(missing.is_err());

    let calls = environment.wire().calls();
    let seen: Vec<_> = calls.iter().map(|call| (call.operation.as_str(), call.answer)).collect();
    let expected = [
        ("CreateTable", Answer::Status(200)),
        ("TransactWriteItems", Answer::Status(200)),
        ("GetItem", Answer::Status(200)),
        ("DescribeTable", Answer::Status(400)),
    ];
    assert_eq!(seen, expected);
    assert!(calls.iter().all(|call| call.reached_store));
    let action = &calls[1].request["TransactItems"][0]["Update"];
    assert_eq!(action["Key"]["pk"]["S"], "counter");
    let items: Vec<_> = calls[1].items(&["pk"]).into_iter().collect();
    assert_eq!(items, [r#"[{"S":"counter"}]"#, r#"[{"S":"entry"}]"#]);
    assert_eq!(environment.wire().count("GetItem"), 1);

    environment.wire().reset();
    assert_eq!(environment.wire().total(), 0);
}

async fn a_lost_reply_commits_once_and_breaks_the_call(environment: TestEnvironment) {
    make_table(&environment).await;
    environment.wire().next("TransactWriteItems", Fault::ReplyLost);
    let error = count_up(&environment, &without_retries(&environment)).await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(ref failure) if failure.is_io()));
    let call = &environment.wire().calls_of("TransactWriteItems")[0];
    assert_eq!((call.reached_store, call.answer), (true, Answer::Broken));
    assert_eq!(counted(&environment).await, 1);

    // The SDK's own retry sends the same token, so the store writes once.
    environment.wire().next("TransactWriteItems", Fault::ReplyLost);
    count_up(&environment, &environment.sdk_client()).await.unwrap();
    assert_eq!(counted(&environment).await, 2);
    let calls = environment.wire().calls_of("TransactWriteItems");
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[1].request, calls[2].request);
}

async fn a_reply_that_never_comes_commits_and_ends_by_timeout(environment: TestEnvironment) {
    make_table(&environment).await;
    // The store must answer before the timeout, so this client waits longer.
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(2));
    let config = environment.sdk_config().retry_config(RetryConfig::disabled());
    let client = Client::from_conf(config.timeout_config(timeouts.build()).build());
    environment.wire().next("TransactWriteItems", Fault::ReplyNeverComes);
    let error = count_up(&environment, &client).await.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    assert_eq!(environment.wire().calls_of("TransactWriteItems")[0].answer, Answer::None);
    assert_eq!(counted(&environment).await, 1);
}

async fn a_server_error_after_the_commit_hides_the_commit(environment: TestEnvironment) {
    make_table(&environment).await;
    environment.wire().next("TransactWriteItems", Fault::StatusAfterCommit(500));
    let error = count_up(&environment, &without_retries(&environment)).await.unwrap_err();
    assert_eq!(error.code(), Some("InternalServerError"));
    assert_eq!(counted(&environment).await, 1);

    environment.wire().next("TransactWriteItems", Fault::Status(503));
    let error = count_up(&environment, &without_retries(&environment)).await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 503);
    assert_eq!(counted(&environment).await, 1, "a plain error writes nothing");
}

async fn a_hang_ends_by_the_attempt_timeout(environment: TestEnvironment) {
    make_table(&environment).await;
    environment.wire().always("TransactWriteItems", Fault::Hang);
    let start = Instant::now();
    let error = count_up(&environment, &with_short_timeout(&environment)).await.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(!environment.wire().calls_of("TransactWriteItems")[0].reached_store);
    assert_eq!(counted(&environment).await, 0);
}

async fn nothing_reaches_the_store_when_the_connection_is_refused(environment: TestEnvironment) {
    make_table(&environment).await;
    environment.wire().next("TransactWriteItems", Fault::ConnectionRefused);
    let error = count_up(&environment, &without_retries(&environment)).await.unwrap_err();
    let shown = DisplayErrorContext(&error).to_string();
    assert!(shown.contains("connection refused"), "{shown}");
    assert_eq!(counted(&environment).await, 0);
}

/// The codes of the cancellation reasons of a transaction.
fn reasons(error: &SdkError<TransactWriteItemsError>) -> Vec<String> {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error()
    else {
        panic!("not canceled: {error:?}")
    };
    let reasons = canceled.cancellation_reasons();
    reasons.iter().map(|reason| reason.code().unwrap_or_default().to_owned()).collect()
}

async fn the_sdk_reads_an_injected_transaction_conflict_as_one_of_dynamodb(environment: TestEnvironment) {
    make_table(&environment).await;
    environment.wire().next("TransactWriteItems", Fault::TransactionConflict);
    let error = count_up(&environment, &environment.sdk_client()).await.unwrap_err();
    assert_eq!(reasons(&error), ["TransactionConflict", "None"]);
    let message = error.message().unwrap();
    assert!(message.ends_with("[TransactionConflict, None]"), "{message}");
    assert_eq!(environment.wire().count("TransactWriteItems"), 1, "the SDK does not retry it");
    assert_eq!(counted(&environment).await, 0);

    environment.wire().next("PutItem", Fault::TransactionConflict);
    let put = environment.sdk_client().put_item().table_name(environment.table());
    let put = put.item("pk", AttributeValue::S("alone".to_owned())).send().await;
    assert!(put.unwrap_err().into_service_error().is_transaction_conflict_exception());
}

async fn mixed_reasons_keep_the_order_of_the_actions(environment: TestEnvironment) {
    make_table(&environment).await;
    for (given, expected) in [
        (vec![Reason::None, Reason::TransactionConflict], ["None", "TransactionConflict"]),
        (
            vec![Reason::ConditionalCheckFailed, Reason::ThrottlingError],
            ["ConditionalCheckFailed", "ThrottlingError"],
        ),
        (
            vec![Reason::ProvisionedThroughputExceeded, Reason::ValidationError],
            ["ProvisionedThroughputExceeded", "ValidationError"],
        ),
    ] {
        environment.wire().next("TransactWriteItems", Fault::Mixed(given));
        let error = count_up(&environment, &without_retries(&environment)).await.unwrap_err();
        assert_eq!(reasons(&error), expected);
    }
    assert_eq!(counted(&environment).await, 0);
}

async fn throttling_errors_have_their_names(environment: TestEnvironment) {
    make_table(&environment).await;
    for (fault, code) in [
        (Fault::Throttled, "ThrottlingException"),
        (Fault::ThroughputExceeded, "ProvisionedThroughputExceededException"),
        (Fault::TransactionInProgress, "TransactionInProgressException"),
        (Fault::Status(500), "InternalServerError"),
    ] {
        environment.wire().next("TransactWriteItems", fault);
        let error = count_up(&environment, &without_retries(&environment)).await.unwrap_err();
        assert_eq!(error.code(), Some(code));
    }
    assert_eq!(counted(&environment).await, 0);
}

async fn faults_end_after_their_count_and_the_sdk_retries_past_them(environment: TestEnvironment) {
    make_table(&environment).await;
    environment.wire().times(2, "TransactWriteItems", Fault::ThroughputExceeded);
    count_up(&environment, &environment.sdk_client()).await.unwrap();
    assert_eq!(environment.wire().count("TransactWriteItems"), 3);
    assert_eq!(counted(&environment).await, 1);
}

async fn a_gate_holds_calls_until_it_opens(environment: TestEnvironment) {
    make_table(&environment).await;
    let gate = environment.wire().hold(2, "TransactWriteItems");
    let held: Vec<_> = (0..2)
        .map(|_| {
            let environment = environment.clone();
            tokio::spawn(async move { count_up(&environment, &environment.sdk_client()).await })
        })
        .collect();
    gate.arrived(2).await;
    assert_eq!(counted(&environment).await, 0);
    count_up(&environment, &environment.sdk_client()).await.unwrap();
    assert_eq!(counted(&environment).await, 1, "the third call passes");

    gate.open();
    for held in held {
        // Both change one item, and no emulator cancels either of them for that.
        held.await.unwrap().unwrap();
    }
    assert_eq!(counted(&environment).await, 3);
}

async fn a_scan_is_counted_on_every_wire(_: TestEnvironment) {
    // Its own environment, because a Scan in the case's environment would fail the case.
    let environment =
        TestEnvironment::on(crate::support::Kind::DynamoDbLocal, "harness::scanner").await.unwrap();
    make_table(&environment).await;
    environment.sdk_client().scan().table_name(environment.table()).send().await.unwrap();
    assert_eq!(environment.scans(), 1);

    let config = environment.engine().sdk_config(&environment.another_wire()).build();
    Client::from_conf(config).scan().table_name(environment.table()).send().await.unwrap();
    environment.wire().reset();
    assert_eq!(environment.scans(), 2, "a reset does not forget a Scan");
}

/// One operation of each kind that the product sends, with every field that it sets.
fn operations(table: &str) -> Vec<Operation> {
    let key = |name: &str| ("pk".to_owned(), AttributeValue::S(name.to_owned()));
    let keys = |name: &str| Some([key(name)].into());
    let (names, values) = (("#n", "n"), (":n", AttributeValue::N("1".to_owned())));
    let (put, update, delete) = (Put::builder(), Update::builder(), Delete::builder());
    let put = put.table_name(table).set_item(keys("a")).condition_expression("#n = :n");
    let put = put
        .expression_attribute_names(names.0, names.1)
        .expression_attribute_values(values.0, values.1.clone());
    let update = update.table_name(table).set_key(keys("b")).update_expression("ADD #n :n");
    let update = update
        .expression_attribute_names(names.0, names.1)
        .expression_attribute_values(values.0, values.1.clone());
    let delete = delete.table_name(table).set_key(keys("c")).condition_expression("attribute_exists(pk)");
    let check = ConditionCheck::builder().table_name(table).set_key(keys("d"));
    let check = check.condition_expression("attribute_not_exists(pk)");
    let item = TransactWriteItem::builder;
    let transaction = TransactWriteItemsInput::builder()
        .transact_items(item().put(put.build().unwrap()).build())
        .transact_items(item().update(update.build().unwrap()).build())
        .transact_items(item().delete(delete.build().unwrap()).build())
        .transact_items(item().condition_check(check.build().unwrap()).build())
        .client_request_token("a token");
    let asked = KeysAndAttributes::builder().keys([key("a")].into()).consistent_read(true).build().unwrap();
    let query = QueryInput::builder()
        .table_name(table)
        .index_name("by-n")
        .key_condition_expression("pk = :pk")
        .filter_expression("#n = :n")
        .expression_attribute_names(names.0, names.1)
        .expression_attribute_values(":pk", AttributeValue::S("a".to_owned()))
        .set_exclusive_start_key(keys("a"))
        .limit(7)
        .scan_index_forward(false);
    vec![
        transaction.into_operation(),
        GetItemInput::builder().table_name(table).set_key(keys("a")).consistent_read(true).into_operation(),
        BatchGetItemInput::builder().request_items(table, asked).into_operation(),
        query.into_operation(),
        DescribeTableInput::builder().table_name(table).into_operation(),
    ]
}

async fn the_line_records_what_the_sdk_sends(environment: TestEnvironment) {
    make_table(&environment).await;
    environment.wire().reset();
    let operations = operations(environment.table());
    for operation in operations.clone() {
        // Whether the store accepts it does not matter here.
        let _ = Aws(without_retries(&environment)).call(operation).await;
    }
    let sent: Vec<_> = environment.wire().calls().into_iter().map(|call| call.request).collect();
    assert_eq!(operations.iter().map(request::json).collect::<Vec<_>>(), sent);
}
