//! The words of states.

use crate::base::values::UsState;
use crate::shared::search::fold;

/// Returns the words of a state: its code and the words of its name.
pub(super) fn state_words(state: &UsState) -> Vec<String> {
    std::iter::once(state.as_str()).chain(state.name().split(' ')).map(fold).collect()
}

/// Returns the states with a word that begins with a typed word.
pub(in crate::leads) fn states_with(typed: &str) -> impl Iterator<Item = UsState> {
    UsState::all().filter(move |state| state_words(state).iter().any(|word| word.starts_with(typed)))
}

/// Whether a typed word begins a word of a state.
pub(super) fn begins_state_word(typed: &str) -> bool {
    states_with(typed).next().is_some()
}
