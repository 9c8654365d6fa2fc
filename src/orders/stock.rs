//! The cap and the oldest free leads of a state, read consistently in one query.
//!
//! The cap and the queue are in one partition, in this order, so one query reads both. Its cost depends on
//! how many leads are requested, not on how many there are.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::domain::{Quantity, StateStock};
use super::items::{CAP, CapItem, text_attribute};
use crate::base::values::UsState;
use crate::leads::domain::Lead;
use crate::leads::items::{FREE, state_partition};
use crate::orders::Orders;
use crate::store::schema::SK;
use crate::store::{Item, Key, Select, StoreError, from_item};

/// The number of leads that the first query reads if only the cap limits the order.
const FIRST_READ: u32 = 64;
/// The least number of leads that the first query reads, so that the answer can say how many there were if
/// there were few.
const MIN_READ: u32 = 32;
/// The number of states that are read at the same time.
const CONCURRENCY: usize = 8;

impl Orders {
    /// Reads the stock of several states, in their order.
    pub(super) async fn read_stocks(
        &self,
        states: &[UsState],
        quantity: Option<Quantity>,
    ) -> Result<Vec<StateStock>, StoreError> {
        let reads: Vec<_> = states.iter().map(|state| self.read_stock(*state, quantity)).collect();
        stream::iter(reads).buffered(CONCURRENCY).try_collect().await
    }

    /// Reads the stock of one state for an order that requests `quantity`.
    pub(super) async fn read_stock(
        &self,
        state: UsState,
        quantity: Option<Quantity>,
    ) -> Result<StateStock, StoreError> {
        let initial = CapItem::initial(state);
        let mut stock = StateStock {
            state,
            cap: initial.cap,
            out: initial.out,
            remaining: initial.remaining,
            stored: false,
            oldest: Vec::new(),
            complete: false,
        };
        let asked = quantity.map_or(FIRST_READ, |quantity| quantity.get().clamp(MIN_READ, FIRST_READ * 4));
        // The partition also contains the cap and a lease.
        let mut limit = asked + 3;
        let mut last_key: Option<String> = None;
        loop {
            let select = Select::partition(state_partition(state), i32::try_from(limit).unwrap_or(i32::MAX));
            for item in self.next_items(state, select, &mut last_key).await? {
                add_item(&mut stock, item)?;
            }
            stock.complete = last_key.is_none();
            let missing =
                stock.most(quantity).saturating_sub(u32::try_from(stock.oldest.len()).unwrap_or(u32::MAX));
            if stock.complete || missing == 0 {
                return Ok(stock);
            }
            limit = missing;
        }
    }

    /// Reads the oldest free leads of a state, regardless of its cap.
    pub(super) async fn oldest_leads(&self, state: UsState, number: usize) -> Result<Vec<Lead>, StoreError> {
        let mut leads = Vec::new();
        let mut last_key: Option<String> = None;
        while leads.len() < number {
            let limit = i32::try_from(number - leads.len()).unwrap_or(i32::MAX);
            let select = Select::partition(state_partition(state), limit).begins_with(FREE);
            for item in self.next_items(state, select, &mut last_key).await? {
                leads.push(from_item::<Lead>(item)?);
            }
            if last_key.is_none() {
                break;
            }
        }
        Ok(leads)
    }

    /// Reads the next items of a state's partition, after the last sort key that was read. Updates this key, to `None`
    /// at the end.
    async fn next_items(
        &self,
        state: UsState,
        mut select: Select,
        last_key: &mut Option<String>,
    ) -> Result<Vec<Item>, StoreError> {
        if let Some(sort) = last_key.as_deref() {
            select = select.after(sort, &Key::new(state_partition(state), sort));
        }
        let page = self.dynamo.select(&select).await?;
        *last_key = page.last.as_ref().and_then(sort_of).map(str::to_owned);
        Ok(page.items)
    }
}

fn add_item(stock: &mut StateStock, item: Item) -> Result<(), StoreError> {
    match sort_of(&item) {
        Some(CAP) => {
            let CapItem { cap, out, remaining, .. } = from_item(item)?;
            (stock.cap, stock.out, stock.remaining, stock.stored) = (cap, out, remaining, true);
        }
        Some(sort) if sort.starts_with(FREE) => stock.oldest.push(from_item::<Lead>(item)?),
        _ => {}
    }
    Ok(())
}

fn sort_of(item: &Item) -> Option<&str> {
    text_attribute(item, SK)
}
