//! Calls of the line as the JSON that the SDK would send.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use holdfast::store::line::Operation;
use serde_json::{Map, Value, json};

type Attributes = HashMap<String, AttributeValue>;

/// The body of the request; empty for operations that create tables.
pub fn json(operation: &Operation) -> Value {
    match operation.clone() {
        Operation::BatchGetItem(input) => {
            let input = input.build().expect("the input is whole");
            let tables =
                input.request_items.unwrap_or_default().into_iter().map(|(table, keys_and_attributes)| {
                    let keys: Vec<_> = keys_and_attributes.keys.iter().map(item).collect();
                    (
                        table,
                        some([
                            ("Keys", json!(keys)),
                            ("ConsistentRead", json!(keys_and_attributes.consistent_read)),
                        ]),
                    )
                });
            json!({ "RequestItems": tables.collect::<Map<_, _>>() })
        }
        Operation::GetItem(input) => {
            let input = input.build().expect("the input is whole");
            some([
                ("TableName", json!(input.table_name)),
                ("Key", json!(input.key.as_ref().map(item))),
                ("ConsistentRead", json!(input.consistent_read)),
                ("ProjectionExpression", json!(input.projection_expression)),
            ])
        }
        Operation::Query(input) => {
            let input = input.build().expect("the input is whole");
            some([
                ("TableName", json!(input.table_name)),
                ("IndexName", json!(input.index_name)),
                ("KeyConditionExpression", json!(input.key_condition_expression)),
                ("FilterExpression", json!(input.filter_expression)),
                ("ProjectionExpression", json!(input.projection_expression)),
                ("ExpressionAttributeNames", json!(input.expression_attribute_names)),
                ("ExpressionAttributeValues", json!(input.expression_attribute_values.as_ref().map(item))),
                ("ExclusiveStartKey", json!(input.exclusive_start_key.as_ref().map(item))),
                ("Limit", json!(input.limit)),
                ("ScanIndexForward", json!(input.scan_index_forward)),
                ("ConsistentRead", json!(input.consistent_read)),
            ])
        }
        Operation::TransactWriteItems(input) => {
            let input = input.build().expect("the input is whole");
            let actions: Vec<_> = input.transact_items.unwrap_or_default().iter().map(action).collect();
            some([
                ("TransactItems", json!(actions)),
                ("ClientRequestToken", json!(input.client_request_token)),
            ])
        }
        Operation::DescribeTable(input) => json!({ "TableName": input.get_table_name() }),
        Operation::CreateTable(_) | Operation::Scan(_) | Operation::UpdateTimeToLive(_) => json!({}),
    }
}

fn action(action: &TransactWriteItem) -> Value {
    if let Some(put) = &action.put {
        let fields = [("TableName", json!(put.table_name)), ("Item", item(&put.item))];
        let values = put.expression_attribute_values.as_ref();
        return json!({ "Put": with_condition(fields, &put.condition_expression,
            put.expression_attribute_names.as_ref(), values) });
    }
    if let Some(update) = &action.update {
        let fields = [
            ("TableName", json!(update.table_name)),
            ("Key", item(&update.key)),
            ("UpdateExpression", json!(update.update_expression)),
        ];
        let values = update.expression_attribute_values.as_ref();
        return json!({ "Update": with_condition(fields, &update.condition_expression,
            update.expression_attribute_names.as_ref(), values) });
    }
    if let Some(delete) = &action.delete {
        let fields = [("TableName", json!(delete.table_name)), ("Key", item(&delete.key))];
        let values = delete.expression_attribute_values.as_ref();
        return json!({ "Delete": with_condition(fields, &delete.condition_expression,
            delete.expression_attribute_names.as_ref(), values) });
    }
    let check = action.condition_check.as_ref().expect("an action is one of four");
    let fields = [("TableName", json!(check.table_name)), ("Key", item(&check.key))];
    let values = check.expression_attribute_values.as_ref();
    let condition = Some(check.condition_expression.clone());
    json!({ "ConditionCheck": with_condition(fields, &condition, check.expression_attribute_names.as_ref(), values) })
}

fn with_condition<const N: usize>(
    fields: [(&str, Value); N],
    condition: &Option<String>,
    names: Option<&HashMap<String, String>>,
    values: Option<&Attributes>,
) -> Value {
    let mut whole = some(fields);
    let more = some([
        ("ConditionExpression", json!(condition)),
        ("ExpressionAttributeNames", json!(names)),
        ("ExpressionAttributeValues", json!(values.map(item))),
    ]);
    let (whole_fields, more) = (whole.as_object_mut(), more.as_object().cloned());
    whole_fields.expect("an object").extend(more.expect("an object"));
    whole
}

/// The fields that are set.
fn some<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let set = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(set.map(|(name, value)| (name.to_owned(), value)).collect())
}

fn item(attributes: &Attributes) -> Value {
    let value = |value: &AttributeValue| {
        serde_json::to_value(serde_dynamo::AttributeValue::from(value.clone()))
            .expect("a value can be written")
    };
    Value::Object(attributes.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect())
}
