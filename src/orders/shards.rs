//! Reads an order together with all its shards.

use super::items::{SHARDS, Shard, is_shard, shard_key};
use crate::base::values::OrderId;
use crate::reservations::{ORDER, order_key};
use crate::store::{Dynamo, Item, Select, StoreError, from_item};

/// Returns all shards of an order, and the item of the order if it exists.
pub(super) async fn order_and_shards(
    dynamo: &Dynamo,
    id: OrderId,
) -> Result<(Option<Item>, Vec<Shard>), StoreError> {
    let (pk, mut first) = (order_key(id).pk, SHARDS.to_owned());
    let mut shards: Vec<Shard> = Vec::new();
    loop {
        let page = dynamo.select(&Select::partition(&*pk, 1_000).between(&*first, ORDER)).await?;
        for item in page.items {
            if !is_shard(&item) {
                // The item of the order comes after its shards.
                return Ok((Some(item), shards));
            }
            let shard: Shard = from_item(item)?;
            first = shard_key(id, shard.number + 1).sk;
            shards.push(shard);
        }
        if !page.more {
            return Ok((None, shards));
        }
    }
}
