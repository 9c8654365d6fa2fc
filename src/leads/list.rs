//! Lists and searches of leads, page by page.
//!
//! Invariants: a page takes at most two calls, one for the keys and one consistent read of the leads. Its cost depends
//! on the page, not on the size of the table. A search whose other words or filters exclude many leads may end before
//! its page is full; its cursor then continues the search.

use serde::Deserialize;

use super::domain::{Lead, LeadId};
use super::error::LeadError;
use super::items::{Filter, STORED, Sort, WORDS, lead_key, list_partition, stored_lead};
use super::search::SearchQuery;
use super::store::keys;
use crate::base::values::Invalid;
use crate::leads::Leads;
use crate::store::{Condition, Cursor, CursorError, Item, Select, from_item};

/// The parameters of a list.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// Only leads with these words.
    pub query: Option<SearchQuery>,
    /// Only leads that pass this filter.
    pub filter: Filter,
    /// The sort order. A search is sorted by the matching words instead.
    pub sort: Sort,
    /// The most leads on the page, 1 to 100.
    pub limit: u16,
    /// The cursor after which the page starts.
    pub cursor: Option<String>,
}

impl ListRequest {
    /// Returns the request if its sort order is supported.
    ///
    /// # Errors
    /// [`Invalid`] if a search or a list of one stock is sorted by score.
    pub fn checked(self) -> Result<Self, Invalid> {
        let has_fixed_order = self.query.is_some() || self.filter.stock.is_some();
        if has_fixed_order && self.sort == Sort::Score {
            return Err(Invalid::new(
                "A search lists its matches by the matching word, and a list of one stock is newest first; leave sort out.",
            ));
        }
        Ok(self)
    }
}

/// One page of leads.
#[derive(Debug, Default)]
pub struct LeadPage {
    /// The leads.
    pub leads: Vec<Lead>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl Leads {
    /// Returns a page of leads.
    ///
    /// # Errors
    /// [`LeadError::Cursor`] if the cursor belongs to another list.
    pub async fn list(&self, request: &ListRequest) -> Result<LeadPage, LeadError> {
        let (ids, next) = match &request.query {
            Some(query) => self.search_ids(request, query).await?,
            None => self.list_ids(request).await?,
        };
        let items = self.dynamo.get_parts(&keys(&ids), &STORED).await?;
        let stored = items.into_iter().map(stored_lead).collect::<Result<Vec<_>, _>>()?;
        let resolved = self.resolve_all(stored).await?;
        resolved.iter().for_each(|lead| self.snapshots.insert(lead));
        // The index may lag slightly behind the leads.
        let leads =
            resolved.into_iter().map(|lead| lead.lead).filter(|lead| request.filter.admits(lead)).collect();
        Ok(LeadPage { leads, next })
    }
}

type Ids = (Vec<LeadId>, Option<String>);

impl Leads {
    async fn list_ids(&self, request: &ListRequest) -> Result<Ids, LeadError> {
        let list = request.sort.as_str();
        let (index, partition) = list_partition(request.filter, request.sort);
        let mut select = Select::index(index, partition, i32::from(request.limit) + 1).backwards();
        if let Some(text) = &request.cursor {
            let cursor = Cursor::<2>::decode(list, text)?;
            let [sort, id] = cursor.parts();
            let id: LeadId = id.parse().map_err(|_| CursorError)?;
            if !sort.ends_with(&id.to_string()) {
                return Err(CursorError.into());
            }
            select = select.after(sort, &lead_key(id));
        }
        let page = self.dynamo.select(&select).await?;
        let mut entries: Vec<(LeadId, String)> = Vec::with_capacity(page.items.len());
        for item in &page.items {
            let id = text(item, "pk").and_then(|pk| pk.strip_prefix("LEAD#")).and_then(|id| id.parse().ok());
            if let (Some(id), Some(sort)) = (id, text(item, index.sort)) {
                entries.push((id, sort.to_owned()));
            }
        }
        let has_more = entries.len() > usize::from(request.limit);
        entries.truncate(request.limit.into());
        let next = entries.last().filter(|_| has_more);
        let next = next.map(|(id, sort)| Cursor::after([sort.clone(), id.to_string()]).encode(list));
        Ok((entries.into_iter().map(|(id, _)| id).collect(), next))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    lead_id: LeadId,
}

impl Leads {
    async fn search_ids(&self, request: &ListRequest, query: &SearchQuery) -> Result<Ids, LeadError> {
        let Filter { status, state, stock: _ } = request.filter;
        let status = status.map(|status| Condition::is("status", status.as_str()));
        let state = state.map(|state| Condition::is("state", state.as_str()));
        let filter = status.into_iter().chain(state).reduce(Condition::and);
        let cursor = request.cursor.as_deref();
        let (items, next) =
            WORDS.find::<LeadError>(&self.dynamo, query, filter, request.limit, cursor).await?;
        let found = items.into_iter().map(from_item).collect::<Result<Vec<Found>, _>>()?;
        Ok((found.into_iter().map(|found| found.lead_id).collect(), next))
    }
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::super::items::list_sort;
    use super::*;

    #[test]
    fn a_list_sort_key_ends_with_the_id_in_its_cursor() {
        let id = LeadId::new(jiff::Timestamp::UNIX_EPOCH, &[7; 10]);
        let new = serde_json::json!({"name": "Ann", "email": "ann@example.com", "leadScore": 7});
        let new: super::super::domain::NewLead = serde_json::from_value(new).unwrap();
        let lead =
            new.into_lead(id, jiff::Timestamp::UNIX_EPOCH, crate::base::identity::Actor::new("t")).unwrap();
        for sort in [Sort::Newest, Sort::Score] {
            assert!(list_sort(&lead, sort).ends_with(&id.to_string()));
        }
        assert!(list_sort(&lead, Sort::Score).starts_with("007#"));
    }
}
