//! The search index of leads in the table.
//!
//! Version 0.1 split fields otherwise and kept the words in partitions by their first character. Its words stay where
//! they are until their lead changes or `holdfast upgrade` moves them, and are found until then.

use serde::Serialize;

use super::domain::{Lead, LeadId, StoredLead};
use super::owner_index::index_owner;
use super::search::words_of;
use crate::base::values::{UsState, email_parts, name_parts};
use crate::shared::search::{IndexWord, WordIndex, index_words};
use crate::store::{GuardedWrite, StoreError};

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
    let (former, current) = match before {
        Some(stored) if stored.has_former_words => (Some(&stored.lead), None),
        Some(stored) => (None, Some(&stored.lead)),
        None => (None, None),
    };
    for word in former.map(former_words_of).unwrap_or_default() {
        if let Some(lead) = former {
            write = write.delete_derived("word", &FORMER_WORDS.key(&word.word, &lead.id));
        }
    }
    let indexed = |lead: &Lead| (words_of(lead), lead.state);
    let (old, new) = (current.map(indexed), after.map(indexed));
    if old == new {
        return Ok(write);
    }
    let kept = new.as_ref().map(|(words, _)| words.as_slice()).unwrap_or_default();
    if let (Some(lead), Some((words, _))) = (current, &old) {
        for gone in words.iter().filter(|old| kept.iter().all(|new| new.word != old.word)) {
            write = write.delete_derived("word", &WORDS.key(&gone.word, &lead.id));
        }
    }
    if let Some(after) = after {
        let search_item = SearchItem { lead_id: after.id, state: after.state };
        for item in WORDS.items(kept, &after.id, &search_item)? {
            write = write.put_derived("word", item);
        }
    }
    Ok(write)
}

/// Returns the words of version 0.1.
fn former_words_of(lead: &Lead) -> Vec<IndexWord> {
    let email = lead.email.as_str();
    let state = lead.state.as_ref().map(|state| state.as_str());
    index_words(name_parts(lead.name.as_str()).chain(email_parts(email)).chain([email]).chain(state))
}
