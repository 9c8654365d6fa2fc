//! Statuses and scores as other programs write them.

use super::text::fold;
use crate::base::values::Invalid;
use crate::leads::domain::{Score, Status};

/// Words for a status whose meaning is certain, folded: of Salesforce, HubSpot, Zoho, Dynamics, SuiteCRM, EspoCRM,
/// Odoo, Krayin, Pipedrive and Facebook, in English, Spanish, German and French. Everything between the first contact
/// and "qualified" means another thing in each company, so that a person must map it.
const STATUS_WORDS: [(Status, &[&str]); 3] = [
    (
        Status::Prospect,
        &[
            "abierto",
            "created",
            "lead",
            "neu",
            "new",
            "newlead",
            "noncontacte",
            "notcontacted",
            "nouveau",
            "nuevo",
            "offen",
            "open",
            "opennotcontacted",
            "ouvert",
            "prospect",
            "prospecto",
            "raw",
            "subscriber",
            "suscriptor",
        ],
    ),
    (
        Status::Qualified,
        &[
            "calificado",
            "cualificado",
            "marketingqualified",
            "marketingqualifiedlead",
            "mql",
            "opportunity",
            "qualified",
            "qualifiedlead",
            "qualifie",
            "qualifiziert",
            "salesqualified",
            "salesqualifiedlead",
            "sql",
        ],
    ),
    (
        Status::Converted,
        &[
            "client",
            "cliente",
            "closedconverted",
            "closedwon",
            "converted",
            "converti",
            "convertido",
            "customer",
            "gewonnen",
            "gagne",
            "ganado",
            "konvertiert",
            "kunde",
            "won",
        ],
    ),
];

/// Returns the status that a text certainly means.
///
/// # Errors
/// [`Invalid`] if it may mean anything.
pub fn find_status(text: &str) -> Result<Status, Invalid> {
    let word = fold(text);
    let known = STATUS_WORDS.iter().find(|(_, words)| words.contains(&word.as_str()));
    let known = known.map(|(status, _)| *status).or_else(|| text.parse().ok());
    known.ok_or_else(|| Invalid::new("This isn't a known status."))
}

/// Returns the score that a text means: `85`, `85.0`, `85,0`, `85 %`, `85/100`.
///
/// # Errors
/// [`Invalid`] if it is no whole number from 0 to 100.
pub fn find_score(text: &str) -> Result<Score, Invalid> {
    let text = text.trim();
    let number = text.strip_suffix('%').or_else(|| text.strip_suffix("/100")).unwrap_or(text).trim();
    let number = number.strip_prefix('+').unwrap_or(number);
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
    // "1,000" is a thousand.
    let is_thousand = number.contains(',') && fraction.len() == 3;
    let is_whole = fraction.chars().all(|c| c == '0') && !is_thousand;
    let is_number = !whole.is_empty() && whole.chars().all(|c| c.is_ascii_digit());
    if is_whole && is_number { whole.parse() } else { text.parse() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_known_only_if_its_meaning_is_certain() {
        let cases = [
            ("prospect", Status::Prospect),
            ("Open - Not Contacted", Status::Prospect),
            ("NEW", Status::Prospect),
            ("Marketing Qualified Lead", Status::Qualified),
            ("QUALIFIED", Status::Qualified),
            ("Qualifié", Status::Qualified),
            ("Closed - Converted", Status::Converted),
            ("Customer", Status::Converted),
            ("converted ", Status::Converted),
        ];
        for (text, status) in cases {
            assert_eq!(find_status(text), Ok(status), "{text}");
        }
        for text in [
            "Contacted",
            "Working",
            "Pre Qualified",
            "Unqualified",
            "Not Qualified",
            "Closed - Not Converted",
            "complete",
        ] {
            assert!(find_status(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_sorted_and_folded() {
        for (status, words) in STATUS_WORDS {
            assert!(words.iter().all(|word| fold(word) == *word), "{status}");
        }
    }

    #[test]
    fn a_score_is_a_whole_number_however_spreadsheets_write_it() {
        for text in
            ["72", "72.0", "72.", "72,0", "72,00", "72%", "72.0 %", " 72 ", "+72", "72/100", "72.0000000"]
        {
            assert_eq!(find_score(text).map(Score::get), Ok(72), "{text}");
        }
        for text in ["72.5", "0.72", "7,2", "1,000", "-1", "101", "101.0", "hot", "7 2", "7e1", "%", ".0", ""]
        {
            assert!(find_score(text).is_err(), "{text}");
        }
    }
}
