//! The US states by the names and codes that exports hold.

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
    let same = |(code, name): &&(&str, &str)| code.eq_ignore_ascii_case(&wanted) || letters(name) == wanted;
    STATES.iter().chain(STATE_ALIASES).find(same).map(|(code, _)| *code)
}

/// The USPS codes of the 50 states and the District of Columbia.
pub(super) const STATES: &[(&str, &str)] = &[
    ("AL", "Alabama"),
    ("AK", "Alaska"),
    ("AZ", "Arizona"),
    ("AR", "Arkansas"),
    ("CA", "California"),
    ("CO", "Colorado"),
    ("CT", "Connecticut"),
    ("DE", "Delaware"),
    ("DC", "District of Columbia"),
    ("FL", "Florida"),
    ("GA", "Georgia"),
    ("HI", "Hawaii"),
    ("ID", "Idaho"),
    ("IL", "Illinois"),
    ("IN", "Indiana"),
    ("IA", "Iowa"),
    ("KS", "Kansas"),
    ("KY", "Kentucky"),
    ("LA", "Louisiana"),
    ("ME", "Maine"),
    ("MD", "Maryland"),
    ("MA", "Massachusetts"),
    ("MI", "Michigan"),
    ("MN", "Minnesota"),
    ("MS", "Mississippi"),
    ("MO", "Missouri"),
    ("MT", "Montana"),
    ("NE", "Nebraska"),
    ("NV", "Nevada"),
    ("NH", "New Hampshire"),
    ("NJ", "New Jersey"),
    ("NM", "New Mexico"),
    ("NY", "New York"),
    ("NC", "North Carolina"),
    ("ND", "North Dakota"),
    ("OH", "Ohio"),
    ("OK", "Oklahoma"),
    ("OR", "Oregon"),
    ("PA", "Pennsylvania"),
    ("RI", "Rhode Island"),
    ("SC", "South Carolina"),
    ("SD", "South Dakota"),
    ("TN", "Tennessee"),
    ("TX", "Texas"),
    ("UT", "Utah"),
    ("VT", "Vermont"),
    ("VA", "Virginia"),
    ("WA", "Washington"),
    ("WV", "West Virginia"),
    ("WI", "Wisconsin"),
    ("WY", "Wyoming"),
];

/// Other names that exports hold.
const STATE_ALIASES: &[(&str, &str)] = &[
    ("DC", "Washington DC"),
    ("NC", "N Carolina"),
    ("ND", "N Dakota"),
    ("SC", "S Carolina"),
    ("SD", "S Dakota"),
    ("WV", "W Virginia"),
];
