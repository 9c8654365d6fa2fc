//! The index of leads by owner in the table.
//!
//! Invariant: the index has an item for a lead if and only if the lead has an owner and is not in the trash, because each
//! change writes it in its own transaction. A lead without an owner costs nothing here. No release had owners before this
//! index, so no lead lacks its item.

use serde_json::json;

use super::domain::{Lead, LeadId};
use super::error::LeadError;
use super::items::text;
use crate::base::identity::AccountId;
use crate::leads::Leads;
use crate::shared::cursors::{cursor_after, start_after};
use crate::store::schema::SK;
use crate::store::{GuardedWrite, Item, Key, Select, StoreError, to_item};

/// The list of an owner's leads, in cursors.
const OWNED: &str = "owned";

fn owned_key(owner: AccountId, lead: LeadId) -> Key {
    Key::new(format!("OWNER#{owner}"), lead.to_string())
}

/// Adds the changes of the index to a write. A change that keeps the owner adds nothing.
pub(super) fn index_owner(
    mut write: GuardedWrite,
    before: Option<&Lead>,
    after: Option<&Lead>,
) -> Result<GuardedWrite, StoreError> {
    let key = |lead: Option<&Lead>| lead.and_then(|lead| Some(owned_key(lead.owner.as_ref()?.id, lead.id)));
    let (old, new) = (key(before), key(after));
    if old == new {
        return Ok(write);
    }
    if let Some(old) = old {
        write = write.delete_derived("owner", &old);
    }
    if let (Some(new), Some(lead)) = (new, after) {
        write = write.put_derived("owner", to_item(&new, &json!({ "leadId": lead.id }))?);
    }
    Ok(write)
}

/// Returns the cursor after a lead in the list of its owner.
pub(super) fn owned_cursor(lead: LeadId) -> String {
    cursor_after(OWNED, lead)
}

impl Leads {
    /// Returns a page of the leads that an account owns, newest first, and the cursor of the next page, with one call.
    pub(super) async fn owned_ids(
        &self,
        owner: AccountId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<(Vec<LeadId>, Option<String>), LeadError> {
        let partition = format!("OWNER#{owner}");
        let mut select = Select::partition(partition, i32::from(limit) + 1).backwards();
        if let Some(id) = start_after(OWNED, cursor)? {
            let key = owned_key(owner, id);
            select = select.after(&key.sk, &key);
        }
        let page = self.dynamo.select(&select).await?;
        let mut ids: Vec<LeadId> = page.items.iter().filter_map(lead_of).collect();
        let has_more = page.more || ids.len() > usize::from(limit);
        ids.truncate(limit.into());
        let next = ids.last().filter(|_| has_more).map(|id| owned_cursor(*id));
        Ok((ids, next))
    }
}

fn lead_of(item: &Item) -> Option<LeadId> {
    text(item, SK)?.parse().ok()
}
