//! Lists and searches of leads, page by page.
//!
//! Invariants: a page takes at most two calls, one for the keys and one consistent read of the leads, and a search for
//! states up to two more. Its cost depends on the page, not on the size of the table. A search whose other words or
//! filters exclude many leads may end before its page is full; its cursor then continues the search.

use super::domain::{Lead, LeadId};
use super::error::LeadError;
use super::items::{Filter, Sort, lead_key, list_partition, text};
use super::owner_index::owned_cursor;
use super::search::{SearchQuery, finds};
use crate::base::identity::AccountId;
use crate::base::values::Invalid;
use crate::leads::Leads;
use crate::shared::cursors::{cursor_in_index, start_in_index};
use crate::store::schema::{Index, PK};
use crate::store::{Key, Select};

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
    /// [`Invalid`] if a search or a list of one stock or owner is sorted by score.
    pub fn checked(self) -> Result<Self, Invalid> {
        if self.has_fixed_order() && self.sort == Sort::Score {
            return Err(Invalid::new(
                "Search results are sorted by the matching word, and leads with a stock or owner filter newest first. Leave sort out.",
            ));
        }
        Ok(self)
    }

    /// Whether the list cannot be sorted otherwise.
    pub fn has_fixed_order(&self) -> bool {
        self.query.is_some() || self.filter.stock.is_some() || self.filter.owner.is_some()
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
        match (&request.query, request.filter.owner) {
            // Many leads match a single letter, and fewer have one owner.
            (query, Some(owner)) if query.as_ref().is_none_or(SearchQuery::is_short) => {
                self.list_owned(request, owner).await
            }
            (Some(query), _) => self.search(request, query).await,
            (None, _) => {
                let (ids, next) = self.list_ids(request).await?;
                let mut leads = self.read_page(&ids).await?;
                // The index may lag slightly behind the leads.
                leads.retain(|lead| request.filter.admits(lead));
                Ok(LeadPage { leads, next })
            }
        }
    }

    /// Returns a page of an owner's leads. If other filters leave out many of them, it may have fewer than the limit.
    async fn list_owned(&self, request: &ListRequest, owner: AccountId) -> Result<LeadPage, LeadError> {
        let of_owner = Filter { owner: Some(owner), ..Filter::default() };
        let is_narrowed = request.query.is_some() || request.filter != of_owner;
        let limit = if is_narrowed { CANDIDATES.max(request.limit) } else { request.limit };
        let (ids, mut next) = self.owned_ids(owner, limit, request.cursor.as_deref()).await?;
        let mut leads = self.read_page(&ids).await?;
        // A lead may change its owner between the two calls.
        leads.retain(|lead| {
            request.filter.admits(lead) && request.query.as_ref().is_none_or(|query| finds(lead, query))
        });
        if leads.len() > usize::from(request.limit) {
            leads.truncate(request.limit.into());
            next = leads.last().map(|lead| owned_cursor(lead.id));
        }
        Ok(LeadPage { leads, next })
    }
}

pub(super) type Ids = (Vec<LeadId>, Option<String>);

/// A partition of an index, whose sort keys end with the ids of leads.
pub(super) struct IndexPage {
    pub(super) index: Index,
    pub(super) partition: String,
    /// The name of the list in cursors.
    pub(super) list: &'static str,
    /// The key of the indexed item of a lead.
    pub(super) key: fn(LeadId) -> Key,
    pub(super) limit: u16,
}

impl Leads {
    async fn list_ids(&self, request: &ListRequest) -> Result<Ids, LeadError> {
        let (index, partition) = list_partition(request.filter, request.sort);
        let (list, limit) = (request.sort.as_str(), request.limit);
        let page = IndexPage { index, partition, list, key: lead_key, limit };
        self.index_ids(&page, request.cursor.as_deref()).await
    }

    /// Returns the leads of a page of an index, last first, and the cursor of the next page.
    pub(super) async fn index_ids(&self, page: &IndexPage, cursor: Option<&str>) -> Result<Ids, LeadError> {
        let IndexPage { index, partition, list, key, limit } = page;
        let select = Select::index(*index, partition, i32::from(*limit) + 1).backwards();
        let select = start_in_index(select, list, cursor, *key)?;
        let page = self.dynamo.select(&select).await?;
        let mut entries: Vec<(LeadId, String)> = Vec::with_capacity(page.items.len());
        for item in &page.items {
            let id = text(item, PK).and_then(|pk| pk.strip_prefix("LEAD#")).and_then(|id| id.parse().ok());
            if let (Some(id), Some(sort)) = (id, text(item, index.sort)) {
                entries.push((id, sort.to_owned()));
            }
        }
        let has_more = entries.len() > usize::from(*limit);
        entries.truncate((*limit).into());
        let next = entries.last().filter(|_| has_more).map(|(id, sort)| cursor_in_index(list, sort, id));
        Ok((entries.into_iter().map(|(id, _)| id).collect(), next))
    }
}

/// How many matches a search reads to fill one page if a filter leaves out some of them.
pub(super) const CANDIDATES: u16 = 100;

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
