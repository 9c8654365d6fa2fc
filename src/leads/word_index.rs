//! The search index of leads in the table.
//!
//! Version 0.1 split fields otherwise and kept the words in partitions by their first character. Its words stay where
//! they are until their lead changes or `holdfast upgrade` moves them, and are found until then.

use serde::Serialize;

use super::domain::{Lead, LeadId, StoredLead};
use super::items::{CURRENT_INDEX, FIRST_INDEX};
use super::owner_index::index_owner;
use super::search::{second_words_of, words_of};
use crate::base::values::{UsState, email_parts, name_parts};
use crate::shared::search::{IndexWord, WordIndex, index_words};
use crate::store::{GuardedWrite, Key, StoreError};

/// The search index of leads.
pub(super) const WORDS: WordIndex = WordIndex { prefix: "WORD#", partition_chars: 2, list: "search" };
/// The search index of version 0.1.
pub(super) const FORMER_WORDS: WordIndex =
    WordIndex { prefix: "SEARCH#", partition_chars: 1, list: "former search" };

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SearchItem {
    lead_id: LeadId,
    state: Option<UsState>,
}

/// Adds the changes of the search index and of the index of owners to a write. A change that affects neither adds
/// nothing.
pub(super) fn reindex(
    write: GuardedWrite,
    before: Option<&StoredLead>,
    after: Option<&Lead>,
) -> Result<GuardedWrite, StoreError> {
    let mut write = index_owner(write, before.map(|stored| &stored.lead), after)?;
    let indexed = |lead: &Lead| (words_of(lead), lead.state);
    let is_current = before.filter(|stored| stored.word_index == CURRENT_INDEX);
    if is_current.is_some_and(|stored| after.map(indexed) == Some(indexed(&stored.lead))) {
        return Ok(write);
    }
    let mut old = before.map(keys_of).unwrap_or_default();
    if let Some(after) = after {
        let words = words_of(after);
        let search_item = SearchItem { lead_id: after.id, state: after.state };
        let items = WORDS.items_with(&words.indexed, &words.others, &after.id, &search_item)?;
        for (indexed, item) in words.indexed.iter().zip(items) {
            let key = WORDS.key(&indexed.word, &after.id);
            old.retain(|gone| *gone != key);
            write = write.put_derived("word", item);
        }
    }
    Ok(old.iter().fold(write, |write, gone| write.delete_derived("word", gone)))
}

/// Returns the keys of the items of a lead in the index that has its words.
fn keys_of(stored: &StoredLead) -> Vec<Key> {
    let lead = &stored.lead;
    let (index, words) = match stored.word_index {
        FIRST_INDEX => (FORMER_WORDS, former_words_of(lead)),
        CURRENT_INDEX => (WORDS, words_of(lead).indexed),
        _ => (WORDS, second_words_of(lead)),
    };
    words.iter().map(|indexed| index.key(&indexed.word, &lead.id)).collect()
}

/// Returns the words of version 0.1.
fn former_words_of(lead: &Lead) -> Vec<IndexWord> {
    let email = lead.email.as_str();
    let state = lead.state.as_ref().map(|state| state.as_str());
    index_words(name_parts(lead.name.as_str()).chain(email_parts(email)).chain([email]).chain(state))
}
