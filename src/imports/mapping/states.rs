//! The US states by the names and codes that exports hold.

use crate::base::values::UsState;

/// The USPS code of a US state or the District of Columbia, from its code or its name as people write them: in any
/// case, with spaces and dots ("N.Y.", "new  york", "Washington, D.C.", "N. Carolina").
pub fn state_code(text: &str) -> Option<&'static str> {
    let is_filler = |c: char| c.is_whitespace() || matches!(c, '.' | ',');
    let is_known = |c: char| c.is_ascii_alphabetic() || is_filler(c);
    if !text.chars().all(is_known) {
        return None;
    }
    let letters = |text: &str| -> String {
        text.chars().filter(|c| !is_filler(*c)).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = letters(text);
    let same = |(code, name): &(&str, &str)| code.eq_ignore_ascii_case(&wanted) || letters(name) == wanted;
    let states = UsState::all().map(|state| (state.as_str(), state.name()));
    states.chain(STATE_ALIASES).find(same).map(|(code, _)| code)
}

/// Other names that exports hold.
const STATE_ALIASES: [(&str, &str); 6] = [
    ("DC", "Washington DC"),
    ("NC", "N Carolina"),
    ("ND", "N Dakota"),
    ("SC", "S Carolina"),
    ("SD", "S Dakota"),
    ("WV", "W Virginia"),
];
