//! The part of a search that finds leads by words of their state. The lists of the states have these leads, so that no
//! lead needs items in the search index for them.

use super::domain::{Lead, LeadId};
use super::error::LeadError;
use super::items::{Filter, Sort, lead_key, list_partition, list_sort};
use super::list::{CANDIDATES, Ids, IndexPage, ListRequest};
use super::search::{SearchQuery, states_with};
use crate::base::values::UsState;
use crate::leads::Leads;
use crate::shared::cursors::cursor_in_index;
use crate::store::{Cursor, CursorError};

/// The list of a search by states, in cursors.
const STATES: &str = "states";
/// The list of one of these states, in cursors.
const STATE: &str = "state";
/// The beginning of the list of a state, in cursors. Their parts are not empty.
const START: &str = "-";
/// How many states a page reads.
const STATES_AT_ONCE: usize = 2;

/// The states to look in.
pub(super) struct StateSearch {
    /// The states, from the one of the cursor on.
    states: Vec<UsState>,
    /// The cursor in the first of them.
    cursor: Option<String>,
    /// Whether a page before looked in states already.
    pub(super) is_next_page: bool,
}

impl StateSearch {
    /// Returns the states that a query names, after the cursor of the request.
    pub(super) fn of(request: &ListRequest, query: &SearchQuery) -> Result<Self, CursorError> {
        let all = states_with(query.longest());
        let states = all.filter(|state| request.filter.state.is_none_or(|only| only == *state));
        let place = request.cursor.as_deref().map(|cursor| Cursor::<2>::decode(STATES, cursor));
        let Some(Ok(place)) = place else {
            return Ok(Self { states: states.collect(), cursor: None, is_next_page: false });
        };
        let [code, inner] = place.parts();
        let first: UsState = code.parse().map_err(|_| CursorError)?;
        let cursor = Some(inner.clone()).filter(|inner| inner != START);
        Ok(Self { states: states.skip_while(|state| *state != first).collect(), cursor, is_next_page: true })
    }
}

fn state_cursor(state: UsState, inner: &str) -> String {
    Cursor::after([state.as_str().to_owned(), inner.to_owned()]).encode(STATES)
}

/// Returns the cursor after a lead in the list of its state.
pub(super) fn cursor_in_state(lead: &Lead) -> Option<String> {
    let inner = cursor_in_index(STATE, &list_sort(lead, Sort::Newest), lead.id);
    lead.state.map(|state| state_cursor(state, &inner))
}

impl Leads {
    /// Returns up to `limit` leads of the states, newest first, or more if others of the query's words may leave some of
    /// them out.
    pub(super) async fn ids_in_states(
        &self,
        search: &StateSearch,
        request: &ListRequest,
        query: &SearchQuery,
        limit: u16,
    ) -> Result<Ids, LeadError> {
        let is_narrowed = !query.others().is_empty() || request.filter.owner.is_some();
        let wanted = if is_narrowed { CANDIDATES.max(limit) } else { limit };
        let mut ids: Vec<LeadId> = Vec::new();
        let mut cursor = search.cursor.clone();
        for (number, state) in search.states.iter().enumerate() {
            let left = wanted.saturating_sub(u16::try_from(ids.len()).unwrap_or(u16::MAX));
            if limit == 0 || left == 0 || number == STATES_AT_ONCE {
                return Ok((ids, Some(state_cursor(*state, cursor.as_deref().unwrap_or(START)))));
            }
            let filter = Filter { state: Some(*state), ..request.filter };
            let (index, partition) = list_partition(filter, Sort::Newest);
            let page = IndexPage { index, partition, list: STATE, key: lead_key, limit: left };
            let (more, next) = self.index_ids(&page, cursor.take().as_deref()).await?;
            ids.extend(more);
            if let Some(next) = next {
                return Ok((ids, Some(state_cursor(*state, &next))));
            }
        }
        Ok((ids, None))
    }
}
