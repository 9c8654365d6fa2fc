//! What a state has to give: its cap and its oldest free leads, read consistently and together.
//!
//! The cap and the queue stand in one partition in this order, so one query reads both; what it costs depends on how many
//! leads are asked for, never on how many there are.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::domain::{Quantity, StateStock};
use super::items::{CAP, CapItem};
use crate::base::values::UsState;
use crate::leads::domain::Lead;
use crate::leads::items::{FREE, state_partition};
use crate::orders::Orders;
use crate::store::{Item, Key, Select, StoreError, from_item};

/// How many leads a query reads at first, where the cap alone says how many are needed.
const FIRST_LOOK: u32 = 64;
/// How many leads a query reads at least, so that an order can say how many there were where they were few.
const LEAST_LOOK: u32 = 32;
/// States that are read at the same time.
const AT_ONCE: usize = 8;

impl Orders {
    /// What several states have to give, in their order.
    pub(super) async fn read_stocks(
        &self,
        states: &[UsState],
        quantity: Option<Quantity>,
    ) -> Result<Vec<StateStock>, StoreError> {
        let reads: Vec<_> = states.iter().map(|state| self.read_stock(*state, quantity)).collect();
        stream::iter(reads).buffered(AT_ONCE).try_collect().await
    }

    /// What one state has to give to an order that asks for `quantity`.
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
            whole: false,
        };
        let asked = quantity.map_or(FIRST_LOOK, |quantity| quantity.get().clamp(LEAST_LOOK, FIRST_LOOK * 4));
        // Beside the leads there are the cap and a turn.
        let mut limit = asked + 3;
        let mut behind: Option<String> = None;
        loop {
            let mut select =
                Select::partition(state_partition(state), i32::try_from(limit).unwrap_or(i32::MAX));
            if let Some(sort) = &behind {
                select = select.after(sort, &Key::new(state_partition(state), sort));
            }
            let page = self.dynamo.select(&select).await?;
            behind = page.last.as_ref().and_then(sort_of).map(str::to_owned);
            for item in page.items {
                take(&mut stock, item)?;
            }
            stock.whole = behind.is_none();
            let missing =
                stock.most(quantity).saturating_sub(u32::try_from(stock.oldest.len()).unwrap_or(u32::MAX));
            if stock.whole || missing == 0 {
                return Ok(stock);
            }
            limit = missing;
        }
    }

    /// The oldest free leads of a state, whatever its cap says.
    pub(super) async fn oldest_leads(&self, state: UsState, number: usize) -> Result<Vec<Lead>, StoreError> {
        let mut leads: Vec<Lead> = Vec::new();
        let mut behind: Option<String> = None;
        while leads.len() < number {
            let limit = i32::try_from(number - leads.len()).unwrap_or(i32::MAX);
            let mut select = Select::partition(state_partition(state), limit).begins_with(FREE);
            if let Some(sort) = &behind {
                select = select.after(sort, &Key::new(state_partition(state), sort));
            }
            let page = self.dynamo.select(&select).await?;
            behind = page.last.as_ref().and_then(sort_of).map(str::to_owned);
            for item in page.items {
                leads.push(from_item(item)?);
            }
            if behind.is_none() {
                break;
            }
        }
        Ok(leads)
    }
}

fn take(stock: &mut StateStock, item: Item) -> Result<(), StoreError> {
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
    item.get("sk")?.as_s().ok().map(String::as_str)
}
