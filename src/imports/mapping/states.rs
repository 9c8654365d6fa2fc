//! The names and codes of US states in exported files.

use crate::base::values::UsState;

/// Returns the USPS code of a US state or the District of Columbia from its code or its name, in any case and
/// with spaces, dots and commas ("N.Y.", "new  york", "Washington, D.C.", "N. Carolina").
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

/// Other names that exported files use.
const STATE_ALIASES: [(&str, &str); 6] = [
    ("DC", "Washington DC"),
    ("NC", "N Carolina"),
    ("ND", "N Dakota"),
    ("SC", "S Carolina"),
    ("SD", "S Dakota"),
    ("WV", "W Virginia"),
];
