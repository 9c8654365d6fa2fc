//! US states and countries as exported files write them.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::text::{fold, is_blank};
use crate::base::values::UsState;

/// Returns the US state that a cell names in one of the usual forms: `NY`, `N.Y.`, `new york`, `N. Carolina`, `Calif.`,
/// `US-CA`, `CA - California`, `California (US)`, `CA 94110`, `CA, USA`, `State of California`. Any other word in the
/// cell, such as another country, makes it no US state.
pub fn find_state(text: &str) -> Option<UsState> {
    if let Some(state) = named(text) {
        return Some(state);
    }
    let is_separator =
        |c: char| matches!(c, ',' | ';' | ':' | '/' | '|' | '-' | '–' | '—' | '_' | '(' | ')' | '[' | ']');
    let parts = text.split(is_separator).map(bare);
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    let states: Option<Vec<UsState>> = parts.iter().map(|part| named(part)).collect();
    let states = states?;
    match states.as_slice() {
        [first, rest @ ..] if rest.iter().all(|state| state == first) => Some(*first),
        // "Washington, D.C., USA"
        [first, second]
            if fold(&parts[0]) == "washington" && second.as_str() == "DC" && first.as_str() == "WA" =>
        {
            Some(*second)
        }
        _ => None,
    }
}

/// Whether the text of a country column names another country than the US. Blank texts, addresses, numbers and areas of
/// land name none. Digits beside a name do not matter: `Italy (+39)`, `IT-20121`.
pub fn is_other_country(text: &str) -> bool {
    // `NA` is the code of Namibia.
    let is_na = text.eq_ignore_ascii_case("na");
    if (is_blank(text) && !is_na) || text.contains('@') || names_us(text) {
        return false;
    }
    let letters: String = text.chars().map(|c| if c.is_numeric() { ' ' } else { c }).collect();
    let names_none = is_blank(&letters) || names_us(&letters) || (letters != text && is_area(&letters));
    is_na || !names_none
}

/// Whether a part of a text names the US or a region of it, such as `US-CA`.
fn names_us(text: &str) -> bool {
    let mut parts = text.split([',', ';', '/', '|', '(', ')', '[', ']']).flat_map(|part| part.split(" - "));
    parts.any(|part| {
        let is_us_or_state = |piece: &str| is_us(piece) || named(piece).is_some();
        is_us(part) || (part.split('-').any(is_us) && part.split('-').all(is_us_or_state))
    })
}

/// Whether a text has only names of the US and ZIP codes: `US USA`, `USA 94110`.
fn is_us(text: &str) -> bool {
    is_us_name(text) || (text.chars().any(char::is_alphabetic) && bare(text).is_empty())
}

/// Whether a text is the unit of an area: `acres`, `sq. ft.` Some files have a column `Land` with the size of a plot.
fn is_area(text: &str) -> bool {
    let mut words = text.split_whitespace().map(fold).filter(|word| !word.is_empty());
    words.all(|word| AREAS.contains(&word.as_str()))
}

/// Removes ZIP codes and the name of the US from a part of a text: `CA 94110 USA`.
fn bare(text: &str) -> String {
    let is_number =
        |word: &str, digits: usize| word.len() == digits && word.chars().all(|c| c.is_ascii_digit());
    let words: Vec<&str> = text.split_whitespace().filter(|word| !is_number(word, 5)).collect();
    // The last four digits of a long ZIP code are a part of their own, because a dash separates parts.
    let is_rest_of_code = matches!(words.as_slice(), [word] if is_number(word, 4));
    let is_us = |count: &usize| {
        words.get(words.len().saturating_sub(*count)..).is_some_and(|last| is_us_name(&last.join(" ")))
    };
    let is_us_before = |count: &usize| words.get(..*count).is_some_and(|first| is_us_name(&first.join(" ")));
    let behind = (1..=words.len().min(LONGEST_US_NAME)).rev().find(is_us).unwrap_or_default();
    let before =
        (1..=(words.len() - behind).min(LONGEST_US_NAME)).rev().find(is_us_before).unwrap_or_default();
    let rest = words.get(before..words.len() - behind).unwrap_or_default();
    if is_rest_of_code { String::new() } else { rest.join(" ") }
}

/// Returns the state with this code or name, in any case and with or without spaces and dots.
fn named(text: &str) -> Option<UsState> {
    let is_letter = |c: char| c.is_alphabetic() || c.is_whitespace() || matches!(c, '.' | ',' | '\'' | '’');
    let looks_like_one =
        |c: char| is_letter(c) || c == '-' || unicode_normalization::char::is_combining_mark(c);
    if !text.chars().all(looks_like_one) {
        return None;
    }
    let folded = fold(text);
    // Dashes are in long names only. "AR-K" is a province of Argentina, and "N-Y" is no code.
    if folded.len() < LONG_NAME && text.contains('-') {
        return None;
    }
    let name = NAMES_OF_STATES.iter().find_map(|prefix| folded.strip_prefix(prefix)).unwrap_or(&folded);
    BY_NAME.get(name).copied()
}

/// The states by their folded codes, names and other names.
static BY_NAME: LazyLock<HashMap<String, UsState>> = LazyLock::new(|| {
    let own = UsState::all().flat_map(|state| [(fold(state.as_str()), state), (fold(state.name()), state)]);
    let parsed = ALIASES.iter().filter_map(|(code, aliases)| Some((code.parse().ok()?, aliases)));
    let others =
        parsed.flat_map(|(state, aliases)| aliases.iter().map(move |alias| ((*alias).to_owned(), state)));
    others.chain(own).collect()
});

/// The most words of a name of the US.
const LONGEST_US_NAME: usize = 5;

/// The fewest letters of a name with a dash, such as "Nouveau-Mexique".
const LONG_NAME: usize = 12;

/// What may come before the name of a state.
const NAMES_OF_STATES: [&str; 4] = ["stateof", "commonwealthof", "estadode", "etatde"];

fn is_us_name(text: &str) -> bool {
    US_NAMES.contains(&fold(text).as_str())
}

/// Units of areas, and what is beside them.
const AREAS: [&str; 17] = [
    "ac", "acre", "acreage", "acres", "feet", "foot", "ft", "ha", "hectare", "hectares", "lot", "lots", "m",
    "sf", "sq", "sqft", "square",
];

/// The United States in English, Spanish, German, French, Italian, Portuguese and Dutch, and their ISO 3166 codes.
const US_NAMES: [&str; 33] = [
    "840",
    "america",
    "amerika",
    "dievereinigtenstaaten",
    "dievereinigtenstaatenvonamerika",
    "eeuu",
    "eeuua",
    "estadosunidoseeuu",
    "estadosunidos",
    "estadosunidosdaamerica",
    "estadosunidosdeamerica",
    "etatsunis",
    "etatsunisdamerique",
    "eua",
    "lesetatsunis",
    "lesetatsunisdamerique",
    "losestadosunidos",
    "losestadosunidosdeamerica",
    "statiuniti",
    "statiunitidamerica",
    "theunitedstates",
    "theunitedstatesofamerica",
    "unitedstates",
    "unitedstatesofamerica",
    "us",
    "usa",
    "usofa",
    "usofamerica",
    "verenigdestaten",
    "vereinigtestaaten",
    "vereinigtestaatenamerikas",
    "vereinigtestaatenvonamerika",
    "vereinigtenstaaten",
];

/// Other names of states: the abbreviations from before the two-letter codes, short forms, and names in Spanish, German
/// and French where they differ.
///
/// Source: U.S. Government Publishing Office Style Manual, chapter 9, and Associated Press Stylebook.
const ALIASES: [(&str, &[&str]); 43] = [
    ("AK", &["alas"]),
    ("AL", &["ala"]),
    ("AR", &["ark"]),
    ("AZ", &["ariz"]),
    ("CA", &["cal", "cali", "calif", "californie", "kalifornien"]),
    ("CO", &["colo"]),
    ("CT", &["conn"]),
    ("DC", &["distofcolumbia", "distritodecolumbia", "washingtondc"]),
    ("DE", &["del"]),
    ("FL", &["fla", "floride"]),
    ("GA", &["georgie"]),
    ("HI", &["haw"]),
    ("ID", &["ida"]),
    ("IL", &["ill", "ills"]),
    ("IN", &["ind"]),
    ("KS", &["kan", "kans"]),
    ("LA", &["louisiane", "luisiana"]),
    ("MA", &["mass"]),
    ("MI", &["mich"]),
    ("MN", &["minn"]),
    ("MO", &["misuri"]),
    ("MS", &["misisipi", "miss"]),
    ("MT", &["mont"]),
    ("NC", &["carolinadelnorte", "carolinedunord", "ncarolina", "nocarolina", "nordcarolina"]),
    ("ND", &["dakotadelnorte", "dakotadunord", "ndak", "ndakota", "nodakota", "norddakota"]),
    ("NE", &["neb", "nebr"]),
    ("NH", &["nhampshire", "nuevohampshire"]),
    ("NJ", &["njersey", "nuevajersey"]),
    ("NM", &["newmex", "nmex", "nmexico", "nouveaumexique", "nuevomexico"]),
    ("NV", &["nev"]),
    ("NY", &["newyorkstate", "nuevayork"]),
    ("OK", &["okla"]),
    ("OR", &["ore", "oreg"]),
    ("PA", &["penn", "penna", "pennsylvanie", "pensilvania"]),
    ("SC", &["carolinadelsur", "carolinedusud", "scarolina", "socarolina", "sudcarolina"]),
    ("SD", &["dakotadelsur", "dakotadusud", "sdak", "sdakota", "sodakota", "suddakota"]),
    ("TN", &["tenn"]),
    ("TX", &["tejas", "tex"]),
    ("VA", &["virginie"]),
    ("WA", &["wash", "washingtonstate"]),
    ("WI", &["wis", "wisc"]),
    ("WV", &["virginiaoccidental", "virginieoccidentale", "wva", "wvirginia"]),
    ("WY", &["wyo"]),
];

#[cfg(test)]
mod tests;
