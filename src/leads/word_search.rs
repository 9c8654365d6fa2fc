//! Searches of leads: by the words in the index, and by single letters in a list.
//!
//! Invariant: a search finds each lead once, on one of its pages.

use serde::Deserialize;

use super::domain::{Lead, LeadId};
use super::error::LeadError;
use super::items::{Filter, Sort, lead_key, list_partition, list_sort};
use super::list::{CANDIDATES, IndexPage, LeadPage, ListRequest};
use super::search::{SearchQuery, finds, index_finds};
use super::state_search::{StateSearch, cursor_in_state};
use super::word_index::{FORMER_WORDS, WORDS};
use crate::leads::Leads;
use crate::shared::cursors::cursor_in_index;
use crate::shared::search::WordIndex;
use crate::store::{Condition, from_item};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    pk: String,
    sk: String,
    lead_id: LeadId,
}

/// The list of a search for single letters, in cursors.
const LETTERS: &str = "letters";

impl Leads {
    /// Returns a page of a search.
    pub(super) async fn search(
        &self,
        request: &ListRequest,
        query: &SearchQuery,
    ) -> Result<LeadPage, LeadError> {
        if query.is_short() {
            self.search_list(request, query).await
        } else {
            self.search_words(request, query).await
        }
    }

    /// Returns a page of a search for single letters, which many leads match: it reads the list, newest first.
    async fn search_list(&self, request: &ListRequest, query: &SearchQuery) -> Result<LeadPage, LeadError> {
        let (index, partition) = list_partition(request.filter, Sort::Newest);
        let page = IndexPage { index, partition, list: LETTERS, key: lead_key, limit: CANDIDATES };
        let (ids, next) = self.index_ids(&page, request.cursor.as_deref()).await?;
        let mut leads = self.read_page(&ids).await?;
        leads.retain(|lead| request.filter.admits(lead) && finds(lead, query));
        if leads.len() <= usize::from(request.limit) {
            return Ok(LeadPage { leads, next });
        }
        leads.truncate(request.limit.into());
        let after = |lead: &Lead| cursor_in_index(LETTERS, &list_sort(lead, Sort::Newest), lead.id);
        Ok(LeadPage { next: leads.last().map(after), leads })
    }

    /// Returns a page of a search by the words' index. The words of version 0.1 come after the others, if there may be
    /// any, and the leads of the states that the query names come last.
    async fn search_words(&self, request: &ListRequest, query: &SearchQuery) -> Result<LeadPage, LeadError> {
        let states = StateSearch::of(request, query)?;
        let mut found = Vec::new();
        let mut next = None;
        if !states.is_next_page {
            next = self.find_all_words(request, query, &mut found).await?;
        }
        let mut by_words: Vec<LeadId> = Vec::with_capacity(found.len());
        for one in &found {
            if !by_words.contains(&one.lead_id) {
                by_words.push(one.lead_id);
            }
        }
        let mut by_state = Vec::new();
        if next.is_none() {
            let left = request.limit.saturating_sub(u16::try_from(by_words.len()).unwrap_or(u16::MAX));
            (by_state, next) = self.ids_in_states(&states, request, query, left).await?;
        }
        let new = by_state.iter().filter(|id| !by_words.contains(id));
        let ids: Vec<LeadId> = by_words.iter().chain(new).copied().collect();
        let mut leads = self.read_page(&ids).await?;
        // The index finds a lead once, so that the list of its state leaves it out. Words of earlier versions include
        // those of states.
        leads.retain(|lead| {
            let ids = if index_finds(lead, query) { &by_words } else { &by_state };
            ids.contains(&lead.id) && request.filter.admits(lead) && finds(lead, query)
        });
        if leads.len() > usize::from(request.limit) {
            leads.truncate(request.limit.into());
            next = leads.last().and_then(|lead| {
                let word = found.iter().find(|found| found.lead_id == lead.id);
                word.map(|word| word.index().cursor_after(&word.sk)).or_else(|| cursor_in_state(lead))
            });
        }
        Ok(LeadPage { leads, next })
    }

    /// Adds the matches in the index and in that of version 0.1, and returns the cursor after them.
    async fn find_all_words(
        &self,
        request: &ListRequest,
        query: &SearchQuery,
        found: &mut Vec<Found>,
    ) -> Result<Option<String>, LeadError> {
        let is_former = request.cursor.as_deref().is_some_and(|cursor| FORMER_WORDS.owns(cursor));
        let mut next = request.cursor.clone();
        if !is_former {
            next = self.find_words(WORDS, request, query, found).await?;
        }
        if is_former || (next.is_none() && self.has_former_words().await?) {
            let request = ListRequest { cursor: next.filter(|_| is_former), ..request.clone() };
            next = self.find_words(FORMER_WORDS, &request, query, found).await?;
        }
        Ok(next)
    }

    /// Adds the matches in an index, and returns the cursor after them.
    async fn find_words(
        &self,
        words: WordIndex,
        request: &ListRequest,
        query: &SearchQuery,
        found: &mut Vec<Found>,
    ) -> Result<Option<String>, LeadError> {
        let state = request.filter.state.map(|state| Condition::is("state", state.as_str()));
        let Filter { status, stock, owner, .. } = request.filter;
        let is_filtered = status.is_some() || stock.is_some() || owner.is_some();
        let limit = if is_filtered { CANDIDATES.max(request.limit) } else { request.limit };
        let cursor = request.cursor.as_deref();
        let (items, next) = words.find::<LeadError>(&self.dynamo, query, state, limit, cursor).await?;
        for item in items {
            found.push(from_item(item)?);
        }
        Ok(next)
    }
}

impl Found {
    /// Returns the index that has this word.
    fn index(&self) -> WordIndex {
        if self.pk.starts_with(WORDS.prefix) { WORDS } else { FORMER_WORDS }
    }
}
