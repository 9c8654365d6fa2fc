//! Random operations on a small table, so that they affect the same items.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::batch_get_item::builders::BatchGetItemInputBuilder;
use aws_sdk_dynamodb::operation::batch_write_item::builders::BatchWriteItemInputBuilder;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemInputBuilder;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemInputBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemInputBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::operation::scan::builders::ScanInputBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsInputBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemInputBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, Delete, DeleteRequest,
    GlobalSecondaryIndex, KeySchemaElement, KeyType, KeysAndAttributes, Projection, ProjectionType, Put,
    PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, ScalarAttributeType, StreamSpecification,
    StreamViewType, TransactWriteItem, Update, WriteRequest,
};

use super::answer::TestOperation;
use super::expressions::{self, Aliases, PLAIN, number, text, value};
use super::rng::Rng;

type Item = HashMap<String, AttributeValue>;

/// Generates random operations.
pub struct Generator {
    rng: Rng,
    table: String,
    sort: ScalarAttributeType,
    tokens: Vec<(String, TransactWriteItemsInputBuilder)>,
}

const INDEXES: [(&str, &str, Option<&str>); 3] =
    [("keys", "gg", Some("hh")), ("some", "gg", None), ("whole", "ii", Some("hh"))];

fn element(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("a key schema element")
}

fn projection_of(index: &str) -> Projection {
    let projection = Projection::builder();
    match index {
        "keys" => projection.projection_type(ProjectionType::KeysOnly).build(),
        "some" => projection.projection_type(ProjectionType::Include).non_key_attributes("aa").build(),
        _ => projection.projection_type(ProjectionType::All).build(),
    }
}

impl Generator {
    /// A generator with this seed.
    pub fn new(seed: u64, table: &str) -> Self {
        let mut rng = Rng::new(seed);
        let sort = rng.pick(&[ScalarAttributeType::S, ScalarAttributeType::N, ScalarAttributeType::B]);
        Self { rng, table: table.to_owned(), sort, tokens: Vec::new() }
    }

    /// The definition of the table: three indexes and a stream.
    pub fn create_table(&self) -> CreateTableInputBuilder {
        let definition = |(name, kind): (&str, &ScalarAttributeType)| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(kind.clone())
                .build()
                .expect("a definition")
        };
        let (s, n) = (ScalarAttributeType::S, ScalarAttributeType::N);
        let definitions =
            [("pk", &s), ("sk", &self.sort), ("gg", &s), ("hh", &n), ("ii", &n)].map(definition);
        let indexes = INDEXES.map(|(name, partition, sort)| {
            let mut keys = vec![element(partition, KeyType::Hash)];
            keys.extend(sort.map(|sort| element(sort, KeyType::Range)));
            GlobalSecondaryIndex::builder()
                .index_name(name)
                .set_key_schema(Some(keys))
                .projection(projection_of(name))
                .build()
                .expect("an index")
        });
        let stream = StreamSpecification::builder().stream_enabled(true);
        let stream = stream.stream_view_type(StreamViewType::NewAndOldImages).build().expect("a stream");
        CreateTableInputBuilder::default()
            .table_name(&self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(definitions.to_vec()))
            .key_schema(element("pk", KeyType::Hash))
            .key_schema(element("sk", KeyType::Range))
            .set_global_secondary_indexes(Some(indexes.to_vec()))
            .stream_specification(stream)
    }

    fn sort_value(&mut self) -> AttributeValue {
        match self.sort {
            ScalarAttributeType::N => {
                number(self.rng.pick(&["-10", "-1", "0", "0.5", "1", "2", "10", "1e3"]))
            }
            ScalarAttributeType::B => AttributeValue::B(Blob::new(self.rng.pick(&[
                &b"\x00"[..],
                b"\x00\x01",
                b"a",
                b"a\x00",
                b"ab",
                b"\xFF",
                b"\xFFa",
            ]))),
            _ => text(self.rng.pick(&["a", "a\u{0}", "ab", "b", "ba", "é", "zz", "~"])),
        }
    }

    fn key(&mut self) -> Item {
        let partition = text(self.rng.pick(&["p", "q", "r"]));
        let mut key = HashMap::from([("pk".to_owned(), partition), ("sk".to_owned(), self.sort_value())]);
        if self.rng.chance(3) {
            match self.rng.below(5) {
                0 => drop(key.remove("sk")),
                1 => drop(key.insert("pk".to_owned(), text(""))),
                2 => drop(key.insert("pk".to_owned(), text(&"p".repeat(2049)))),
                3 => drop(key.insert("pk".to_owned(), AttributeValue::Bool(true))),
                _ => drop(key.insert("other".to_owned(), text("x"))),
            }
        }
        key
    }

    /// Values for the keys of indexes. The sort key is almost never the same twice.
    fn index_values(&mut self) -> Vec<(&'static str, AttributeValue)> {
        let mut values = Vec::new();
        if self.rng.chance(60) {
            values.push(("gg", text(self.rng.pick(&["g", "h"]))));
        }
        if self.rng.chance(70) {
            values.push(("hh", number(self.rng.below(1_000_000_000) as i64 - 500_000_000)));
        }
        if self.rng.chance(50) {
            values.push(("ii", number(self.rng.pick(&["1", "1.0", "2"]))));
        }
        if self.rng.chance(3) {
            let wrong =
                [("gg", number(1)), ("hh", text("x")), ("gg", text("")), ("ii", AttributeValue::Bool(true))];
            let (name, value) = self.rng.pick(&wrong);
            values.retain(|(other, _)| *other != name);
            values.push((name, value));
        }
        values
    }

    fn item(&mut self) -> Item {
        let mut item = self.key();
        for (name, value) in self.index_values() {
            item.insert(name.to_owned(), value);
        }
        for name in PLAIN {
            if self.rng.chance(50) {
                item.insert(name.to_owned(), value(&mut self.rng, 2));
            }
        }
        item
    }

    fn condition(&mut self, aliases: &mut Aliases) -> Option<String> {
        if !self.rng.chance(45) {
            return None;
        }
        if self.rng.chance(25) {
            return Some((self.rng.pick(&["attribute_exists(pk)", "attribute_not_exists(pk)"])).to_owned());
        }
        let condition = expressions::condition(&mut self.rng, aliases, 2);
        if self.rng.chance(2) {
            aliases.add_unused();
        }
        Some(condition)
    }

    fn update(&mut self, aliases: &mut Aliases) -> String {
        let keys = if self.rng.chance(30) { self.index_values() } else { Vec::new() };
        let mut update = expressions::update(&mut self.rng, aliases, keys);
        if self.rng.chance(1) {
            update.push_str("SET");
        }
        update
    }

    /// The next operation.
    pub fn operation(&mut self) -> TestOperation {
        match self.rng.below(100) {
            0..=19 => TestOperation::Put(self.put()),
            20..=44 => TestOperation::Update(self.update_item()),
            45..=50 => TestOperation::Delete(self.delete()),
            51..=56 => TestOperation::Get(self.get()),
            57..=59 => TestOperation::BatchGet(self.batch_get()),
            60..=63 => TestOperation::BatchWrite(self.batch_write()),
            64..=79 => TestOperation::Transact(self.transact()),
            80..=96 => self.query(),
            _ => TestOperation::Scan(self.scan()),
        }
    }

    fn returns_old(&mut self) -> Option<ReturnValuesOnConditionCheckFailure> {
        self.rng.chance(50).then_some(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    fn put(&mut self) -> PutItemInputBuilder {
        let mut aliases = Aliases::default();
        let condition = self.condition(&mut aliases);
        let mut item = self.item();
        if self.rng.chance(12) {
            // A partition that does not fit on a page. DynamoDB Local counts whole items even where an index
            // projects less; DynamoDB counts only the projected attributes.
            item.remove("gg");
            item.insert("pk".to_owned(), text("big"));
            // Three of them are below the limit of a page (1 MB) and four are above it, by far: DynamoDB Local counts
            // the overhead of nested values otherwise, so pages near the limit end at different items.
            item.insert("ee".to_owned(), text(&"x".repeat(300_000 + self.rng.below(2_000))));
        }
        PutItemInputBuilder::default()
            .table_name(&self.table)
            .set_item(Some(item))
            .set_condition_expression(condition)
            .set_expression_attribute_names(aliases.names())
            .set_expression_attribute_values(aliases.values())
            .set_return_values_on_condition_check_failure(self.returns_old())
            .set_return_values(self.rng.chance(50).then_some(ReturnValue::AllOld))
    }

    fn update_item(&mut self) -> UpdateItemInputBuilder {
        let mut aliases = Aliases::default();
        let condition = self.condition(&mut aliases);
        let update = self.update(&mut aliases);
        let key = self.key();
        let returns = [
            ReturnValue::None,
            ReturnValue::AllOld,
            ReturnValue::AllNew,
            ReturnValue::UpdatedOld,
            ReturnValue::UpdatedNew,
        ];
        UpdateItemInputBuilder::default()
            .table_name(&self.table)
            .set_key(Some(key))
            .update_expression(update)
            .set_condition_expression(condition)
            .set_expression_attribute_names(aliases.names())
            .set_expression_attribute_values(aliases.values())
            .set_return_values_on_condition_check_failure(self.returns_old())
            .return_values(self.rng.pick(&returns))
    }

    fn delete(&mut self) -> DeleteItemInputBuilder {
        let mut aliases = Aliases::default();
        let condition = self.condition(&mut aliases);
        let key = self.key();
        DeleteItemInputBuilder::default()
            .table_name(&self.table)
            .set_key(Some(key))
            .set_condition_expression(condition)
            .set_expression_attribute_names(aliases.names())
            .set_expression_attribute_values(aliases.values())
            .set_return_values_on_condition_check_failure(self.returns_old())
            .set_return_values(self.rng.chance(50).then_some(ReturnValue::AllOld))
    }

    fn get(&mut self) -> GetItemInputBuilder {
        let mut aliases = Aliases::default();
        let projection = self.rng.chance(50).then(|| expressions::projection(&mut self.rng, &mut aliases));
        GetItemInputBuilder::default()
            .table_name(&self.table)
            .set_key(Some(self.key()))
            .consistent_read(true)
            .set_projection_expression(projection)
            .set_expression_attribute_names(aliases.names())
    }

    fn batch_get(&mut self) -> BatchGetItemInputBuilder {
        let keys: Vec<_> = (0..=self.rng.below(5)).map(|_| self.key()).collect();
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        BatchGetItemInputBuilder::default().request_items(&self.table, keys.expect("some keys"))
    }

    fn batch_write(&mut self) -> BatchWriteItemInputBuilder {
        let count = if self.rng.chance(5) { 26 } else { 1 + self.rng.below(6) };
        let requests: Vec<_> = (0..count)
            .map(|_| {
                if self.rng.chance(70) {
                    let put = PutRequest::builder().set_item(Some(self.item())).build().expect("a put");
                    return WriteRequest::builder().put_request(put).build();
                }
                let delete = DeleteRequest::builder().set_key(Some(self.key())).build().expect("a deletion");
                WriteRequest::builder().delete_request(delete).build()
            })
            .collect();
        BatchWriteItemInputBuilder::default().request_items(&self.table, requests)
    }

    fn transact(&mut self) -> TransactWriteItemsInputBuilder {
        if self.rng.chance(10) && !self.tokens.is_empty() {
            // The same token again, with the same actions or with others.
            let (token, same) = self.rng.pick(&self.tokens.clone());
            if self.rng.chance(60) {
                return same;
            }
            return self.transaction().client_request_token(token);
        }
        let transaction = self.transaction();
        if !self.rng.chance(20) {
            return transaction;
        }
        // Tokens belong to the account, not to the table.
        let run = self.table.trim_start_matches("differential-");
        let token = format!("{run}-{}", self.tokens.len());
        let transaction = transaction.client_request_token(&token);
        self.tokens.push((token, transaction.clone()));
        transaction
    }

    fn transaction(&mut self) -> TransactWriteItemsInputBuilder {
        let count = 1 + self.rng.below(5);
        let mut keys: Vec<Item> = Vec::new();
        let mut items = Vec::new();
        while items.len() < count {
            let item = self.item();
            let key: Item = item
                .iter()
                .filter(|(name, _)| matches!(&***name, "pk" | "sk" | "other"))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if keys.contains(&key) && !self.rng.chance(3) {
                continue;
            }
            keys.push(key.clone());
            items.push(self.action(key, item));
        }
        TransactWriteItemsInputBuilder::default().set_transact_items(Some(items))
    }

    fn action(&mut self, key: Item, item: Item) -> TransactWriteItem {
        let mut aliases = Aliases::default();
        let condition = self.condition(&mut aliases);
        let old = self.returns_old();
        let action = TransactWriteItem::builder();
        match self.rng.below(10) {
            0..=3 => {
                let put = Put::builder()
                    .table_name(&self.table)
                    .set_item(Some(item))
                    .set_condition_expression(condition);
                let put = put
                    .set_expression_attribute_names(aliases.names())
                    .set_expression_attribute_values(aliases.values())
                    .set_return_values_on_condition_check_failure(old);
                action.put(put.build().expect("a put")).build()
            }
            4..=6 => {
                let update = self.update(&mut aliases);
                let update =
                    Update::builder().table_name(&self.table).set_key(Some(key)).update_expression(update);
                let update = update
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(aliases.names())
                    .set_expression_attribute_values(aliases.values())
                    .set_return_values_on_condition_check_failure(old);
                action.update(update.build().expect("an update")).build()
            }
            7 | 8 => {
                let delete = Delete::builder()
                    .table_name(&self.table)
                    .set_key(Some(key))
                    .set_condition_expression(condition);
                let delete = delete
                    .set_expression_attribute_names(aliases.names())
                    .set_expression_attribute_values(aliases.values())
                    .set_return_values_on_condition_check_failure(old);
                action.delete(delete.build().expect("a deletion")).build()
            }
            _ => {
                let condition = condition.unwrap_or_else(|| "attribute_exists(pk)".to_owned());
                let check = ConditionCheck::builder().table_name(&self.table).set_key(Some(key));
                let check = check
                    .condition_expression(condition)
                    .set_expression_attribute_names(aliases.names())
                    .set_expression_attribute_values(aliases.values())
                    .set_return_values_on_condition_check_failure(old);
                action.condition_check(check.build().expect("a check")).build()
            }
        }
    }

    fn query(&mut self) -> TestOperation {
        let mut aliases = Aliases::default();
        let index = self.rng.chance(50).then(|| self.rng.pick(&INDEXES));
        let (partition, sort) = match index {
            None => ("pk", Some("sk")),
            Some((_, partition, sort)) => (partition, sort),
        };
        let partition_value = match partition {
            "pk" => text(self.rng.pick(&["p", "q", "r", "none", "big"])),
            "gg" => text(self.rng.pick(&["g", "h"])),
            _ => number(self.rng.pick(&["1", "2"])),
        };
        let fits_on_a_page = partition_value != text("big");
        let mut condition = format!("{partition} = {}", aliases.put(partition_value));
        if let Some(sort) = sort.filter(|_| self.rng.chance(60)) {
            condition.push_str(&format!(" AND {}", self.range(sort, &mut aliases)));
        }
        let filter = (fits_on_a_page && self.rng.chance(25))
            .then(|| expressions::condition(&mut self.rng, &mut aliases, 1));
        // The order of entries with the same index key is undefined, so those are read in one page.
        let ordered = sort.is_some();
        let limit = (ordered && self.rng.chance(50)).then(|| 1 + self.rng.below(4) as i32);
        let query = QueryInputBuilder::default()
            .table_name(&self.table)
            .set_index_name(index.map(|(name, ..)| name.to_owned()))
            .key_condition_expression(condition)
            .set_filter_expression(filter)
            .set_expression_attribute_names(aliases.names())
            .set_expression_attribute_values(aliases.values())
            .scan_index_forward(self.rng.chance(50))
            .consistent_read(index.is_none() || self.rng.chance(3))
            .set_limit(limit);
        TestOperation::Query(query, ordered)
    }

    fn range(&mut self, sort: &str, aliases: &mut Aliases) -> String {
        let one = self.range_value(sort);
        let one = aliases.put(one);
        let prefix = sort == "sk" && self.sort != ScalarAttributeType::N;
        match self.rng.below(10) {
            0 | 1 => {
                let two = self.range_value(sort);
                format!("{sort} BETWEEN {one} AND {}", aliases.put(two))
            }
            2..=4 if prefix => format!("begins_with({sort}, {one})"),
            _ => format!("{sort} {} {one}", self.rng.pick(&["=", "<", "<=", ">", ">="])),
        }
    }

    fn range_value(&mut self, sort: &str) -> AttributeValue {
        match sort {
            "sk" => self.sort_value(),
            _ => number(self.rng.below(1_000_000_000) as i64 - 500_000_000),
        }
    }

    fn scan(&mut self) -> ScanInputBuilder {
        let mut aliases = Aliases::default();
        let filter = self.rng.chance(50).then(|| expressions::condition(&mut self.rng, &mut aliases, 1));
        ScanInputBuilder::default()
            .table_name(&self.table)
            .consistent_read(true)
            .set_limit(self.rng.chance(30).then_some(5))
            .set_filter_expression(filter)
            .set_expression_attribute_names(aliases.names())
            .set_expression_attribute_values(aliases.values())
    }
}
