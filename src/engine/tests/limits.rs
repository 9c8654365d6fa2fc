//! Tests of limits, capacity units and unsupported parameters.

use super::*;

#[test]
fn capacity_units_match_dynamodb() {
    let (engine, _) = engine();
    add_index(&engine, "whole", all_attributes());
    add_index(&engine, "keys", keys_only());
    let pad = |size: usize| text("x".repeat(size));
    let units = |output: TransactWriteItemsOutput| {
        let one = output.consumed_capacity.unwrap().remove(0);
        let indexes = one.global_secondary_indexes.unwrap_or_default();
        let index = |name: &str| indexes.get(name).map_or(0.0, |one| one.capacity_units.unwrap());
        let table = one.table.unwrap().capacity_units.unwrap();
        (table, index("whole"), index("keys"), one.capacity_units.unwrap())
    };
    let transact = |more: &[(&str, AttributeValue)]| {
        let mut input = put_transaction(item("p", "a", more));
        input.return_consumed_capacity = Some(ReturnConsumedCapacity::Indexes);
        units(engine.transact_write_items(input).unwrap())
    };
    let small = |g: &str| [("x", pad(100)), ("g", text(g))];
    assert_eq!(transact(&[("x", pad(100))]), (2.0, 0.0, 0.0, 2.0));
    let large = [("x", pad(1500)), ("g", text("g"))];
    assert_eq!(transact(&large), (4.0, 2.0, 1.0, 7.0), "put into indexes");
    assert_eq!(transact(&small("g")), (4.0, 2.0, 0.0, 6.0), "the larger item counts");
    assert_eq!(transact(&small("h")), (2.0, 2.0, 2.0, 6.0), "a changed key");
    assert_eq!(transact(&small("h")), (2.0, 0.0, 0.0, 2.0), "nothing changed");
    assert_eq!(transact(&[("x", pad(100))]), (2.0, 1.0, 1.0, 4.0), "removed from indexes");
}

#[test]
fn limits_match_dynamodb() {
    let (engine, _) = engine();
    let actions = |count: usize| {
        let actions = (0..count).map(|n| put_action(item("p", format!("s{n}"), &[]))).collect();
        let input = TransactWriteItemsInput::builder().set_transact_items(Some(actions));
        engine.transact_write_items(input.build().unwrap()).map_err(|error| error.code)
    };
    assert!(actions(100).is_ok());
    assert_eq!(actions(101).unwrap_err(), ErrorCode::Validation);
    let sized = |size: usize| try_put(&engine, item("p", "s", &[("x", text("x".repeat(size - 7)))]));
    assert!(sized(400 * 1024).is_ok());
    assert_eq!(sized(400 * 1024 + 1).unwrap_err().code, ErrorCode::Validation);
    let many = |count: usize| {
        let large = |n: usize| put_action(item("p", n.to_string(), &[("x", text("x".repeat(380_000)))]));
        let actions = (0..count).map(large).collect();
        let input = TransactWriteItemsInput::builder().set_transact_items(Some(actions));
        engine.transact_write_items(input.build().unwrap())
    };
    assert!(many(11).is_ok());
    assert_eq!(many(12).unwrap_err().code, ErrorCode::Validation, "4 MB");
    let requests = |count: usize| {
        let requests = (0..count).map(|n| {
            let put = PutRequest::builder().set_item(Some(item("b", n.to_string(), &[])));
            WriteRequest::builder().put_request(put.build().unwrap()).build()
        });
        let input = BatchWriteItemInput::builder().request_items("things", requests.collect());
        engine.batch_write_item(input.build().unwrap())
    };
    assert!(requests(25).is_ok() && requests(26).is_err());
}

#[test]
fn a_query_page_ends_at_one_megabyte_and_the_next_page_continues_after_it() {
    let (engine, _) = engine();
    for n in 0..30 {
        put(&engine, item("p", format!("{n:02}"), &[("x", text("x".repeat(100_000)))]));
    }
    let mut start = None;
    let (mut pages, mut found) = (0, 0);
    loop {
        let input = QueryInput::builder()
            .table_name("things")
            .key_condition_expression("pk = :p")
            .expression_attribute_values(":p", text("p"))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(start);
        let page = engine.query(&input.build().unwrap()).unwrap();
        pages += 1;
        found += page.count;
        assert!(page.consumed_capacity.unwrap().capacity_units.unwrap() <= 135.0);
        start = page.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    assert_eq!((pages, found), (3, 30));
}

#[test]
fn unsupported_parameters_are_rejected_by_name() {
    let (engine, _) = engine();
    let segments = ScanInput::builder().table_name("things").total_segments(2).segment(0).build().unwrap();
    let error = engine.scan(&segments).unwrap_err();
    assert_eq!(error.code, ErrorCode::Validation);
    assert!(error.message.contains("TotalSegments"), "{error}");
    let legacy = GetItemInput::builder().table_name("things").key("pk", text("p")).key("sk", text("s"));
    let error = engine.get_item(&legacy.attributes_to_get("x").build().unwrap()).unwrap_err();
    assert!(error.message.contains("AttributesToGet"), "{error}");
    let put = PutItemInput::builder().table_name("things").set_item(Some(item("p", "s", &[])));
    let error = engine.put_item(put.return_values(ReturnValue::AllNew).build().unwrap()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Validation);
}
