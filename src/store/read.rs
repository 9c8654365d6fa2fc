//! Bounded reads: one item, one page of a key range, or up to a hundred items by key.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity};

use super::budget::Deadline;
use super::expression::Expression;
use super::item::key_of;
use super::schema::{Index, PK, SK};
use super::versions::ATTRIBUTE;
use super::{Condition, Dynamo, Item, Key, StoreError};
use crate::base::telemetry::metrics;

/// A range of one partition, of the table or of an index.
#[derive(Debug, Clone)]
pub struct Select {
    index: Option<Index>,
    partition: String,
    range: Range,
    filter: Option<Condition>,
    backwards: bool,
    limit: i32,
    start: Option<Item>,
}

#[derive(Debug, Clone)]
enum Range {
    All,
    BeginsWith(String),
    Between(String, String),
}

/// One page of a range.
#[derive(Debug)]
pub struct Page {
    /// The items, in the order of the range.
    pub items: Vec<Item>,
    /// Whether the range may have more items after this page.
    pub more: bool,
    /// The key of the last item that was read, even if a filter dropped it.
    pub last: Option<Item>,
}

impl Select {
    /// Selects a whole partition of the table and reads at most `limit` items.
    pub fn partition(pk: impl Into<String>, limit: i32) -> Self {
        Self {
            index: None,
            partition: pk.into(),
            range: Range::All,
            filter: None,
            backwards: false,
            limit,
            start: None,
        }
    }

    /// Selects a whole partition of an index and reads at most `limit` items.
    pub fn index(index: Index, partition: impl Into<String>, limit: i32) -> Self {
        Self { index: Some(index), ..Self::partition(partition, limit) }
    }

    /// Selects only sort keys that begin with this prefix.
    pub fn begins_with(mut self, prefix: impl Into<String>) -> Self {
        self.range = Range::BeginsWith(prefix.into());
        self
    }

    /// Selects only sort keys from `first` to `last`, both included.
    pub fn between(mut self, first: impl Into<String>, last: impl Into<String>) -> Self {
        self.range = Range::Between(first.into(), last.into());
        self
    }

    /// Selects only items that satisfy this condition. DynamoDB still reads and charges the others.
    pub fn filter(mut self, filter: Condition) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Reads from the end of the range to its beginning.
    pub fn backwards(mut self) -> Self {
        self.backwards = true;
        self
    }

    /// Starts after this key. On an index, `sort` is the index's sort key. On the table it is ignored, because `key`
    /// contains the item's sort key.
    pub fn after(mut self, sort: &str, key: &Key) -> Self {
        let mut start = key.attributes();
        if let Some(index) = self.index {
            start.insert(index.partition.to_owned(), AttributeValue::S(self.partition.clone()));
            start.insert(index.sort.to_owned(), AttributeValue::S(sort.to_owned()));
        }
        self.start = Some(start);
        self
    }

    fn key_condition(&self, into: &mut Expression) -> String {
        let (pk, sk) = self.index.map_or((PK, SK), |index| (index.partition, index.sort));
        let mut text = |value: &str| into.value(&AttributeValue::S(value.to_owned()));
        let partition = text(&self.partition);
        let range = match &self.range {
            Range::All => String::new(),
            Range::BeginsWith(prefix) => format!(" AND begins_with(#{sk}, {})", text(prefix)),
            Range::Between(first, last) => {
                format!(" AND #{sk} BETWEEN {} AND {}", text(first), text(last))
            }
        };
        into.name(pk);
        if !range.is_empty() {
            into.name(sk);
        }
        format!("#{pk} = {partition}{range}")
    }
}

impl Dynamo {
    /// Reads the item with this key consistently.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.raw(key).await?.map(|item| self.schema_versions.to_current(item)).transpose()
    }

    /// Reads the item with this key consistently, without converting it to the current schema.
    pub(super) async fn raw(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let request = GetItemInput::builder().table_name(&*self.table).consistent_read(true);
        let request = request.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = self.output(&request.set_key(Some(key.attributes()))).await?;
        metrics::read(&output.consumed_capacity);
        Ok(output.item)
    }

    /// Reads one page of a range. A read of the table is consistent; an index does not support consistent reads.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn select(&self, select: &Select) -> Result<Page, StoreError> {
        let page = self.select_unconverted(select).await?;
        let to_current = |item| match select.index {
            // An index holds only keys, which have no schema version.
            Some(_) => Ok(item),
            None => self.schema_versions.to_current(item),
        };
        let items = page.items.into_iter().map(to_current).collect::<Result<_, _>>()?;
        Ok(Page { items, ..page })
    }

    /// Reads one page of a range without converting its items to the current schema, for a caller that needs little
    /// more than the keys. So an item that this version cannot read does not hide the others.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn select_unconverted(&self, select: &Select) -> Result<Page, StoreError> {
        let mut expression = Expression::default();
        let key_condition = select.key_condition(&mut expression);
        let filter = select.filter.as_ref().map(|filter| filter.render(&mut expression));
        let request = QueryInput::builder()
            .table_name(&*self.table)
            .set_index_name(select.index.map(|index| index.name.to_owned()))
            .consistent_read(select.index.is_none())
            .key_condition_expression(key_condition)
            .set_filter_expression(filter)
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .scan_index_forward(!select.backwards)
            .limit(select.limit)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(select.start.clone());
        let output = self.output(&request).await?;
        metrics::read(&output.consumed_capacity);
        let last = output.last_evaluated_key.filter(|key| !key.is_empty());
        Ok(Page { items: output.items.unwrap_or_default(), more: last.is_some(), last })
    }

    /// Reads up to a hundred items by key, consistently and in the order of the keys. Keys without an item are left
    /// out. Keys that DynamoDB leaves unprocessed are requested again after a wait with jitter, until the deadline.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn get_all(&self, keys: &[Key]) -> Result<Vec<Item>, StoreError> {
        self.get_parts(keys, &[]).await
    }

    /// Reads items like [`get_all`](Self::get_all), but returns only these attributes, or all if `attributes` is
    /// empty. It costs the same read units and takes less time.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn get_parts(&self, keys: &[Key], attributes: &[&str]) -> Result<Vec<Item>, StoreError> {
        let mut found: HashMap<Key, Item> = HashMap::new();
        let mut wanted: Vec<Item> = keys.iter().map(Key::attributes).collect();
        let (deadline, mut attempts) = (self.deadline(), 0);
        while !wanted.is_empty() {
            if attempts > 0 {
                self.wait_for_unprocessed(wanted.len(), attempts, deadline).await?;
            }
            attempts += 1;
            let request = keys_and_attributes(std::mem::take(&mut wanted), attributes)?;
            let request = BatchGetItemInput::builder().request_items(&*self.table, request);
            let request = request.return_consumed_capacity(ReturnConsumedCapacity::Total);
            let output = self.output(&request).await?;
            metrics::read(output.consumed_capacity());
            for item in output.responses.into_iter().flat_map(HashMap::into_values).flatten() {
                if let Some(key) = key_of(&item) {
                    found.insert(key, self.schema_versions.to_current(item)?);
                }
            }
            let rest = output.unprocessed_keys.into_iter().flat_map(HashMap::into_values);
            wanted = rest.flat_map(|rest| rest.keys).collect();
        }
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }

    /// Waits before unprocessed keys are requested again. DynamoDB leaves keys unprocessed when it throttles, and needs a
    /// moment to recover.
    async fn wait_for_unprocessed(
        &self,
        keys: usize,
        attempts: u32,
        deadline: Deadline,
    ) -> Result<(), StoreError> {
        let wait = self.jittered(Self::FIRST_WAIT, attempts);
        if wait >= self.left(deadline) {
            let last = format!("unprocessed keys: {keys}");
            return Err(StoreError::Unavailable { operation: "BatchGetItem", attempts, last });
        }
        self.sleep(wait).await;
        Ok(())
    }
}

/// Requests these attributes of the items with these keys, or all attributes if `attributes` is empty.
fn keys_and_attributes(keys: Vec<Item>, attributes: &[&str]) -> Result<KeysAndAttributes, StoreError> {
    let mut request = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
    if !attributes.is_empty() {
        let mut expression = Expression::default();
        let own = [PK, SK, ATTRIBUTE];
        let names = own.iter().chain(attributes).map(|attribute| expression.name(attribute));
        let projection = names.collect::<Vec<_>>().join(", ");
        request =
            request.projection_expression(projection).set_expression_attribute_names(expression.names());
    }
    request.build().map_err(|error| StoreError::failed("BatchGetItem", error))
}
