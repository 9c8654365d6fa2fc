//! Which country column belongs to which state column: those of the home, of the office, of the bill.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::vocabulary::{Role, Word, words_of};

/// The roles of words that say the kind of a place. What is left says whose place it is.
const ROLES: [Role; 4] = [Role::State, Role::Country, Role::Detail, Role::Link];

/// The fewest letters of a word that is removed from inside another: `MailingStateCode`.
const INNER_WORD: usize = 4;

/// Short words that say nothing here.
const SMALL_WORDS: [&str; 4] = ["cc", "dep", "id", "st"];

/// Returns whose place a header of a state or a country is about, for example `billing` for both "Billing Province" and
/// "billing_country".
pub fn owner_of_place(header: &str) -> String {
    // A word comes before its parts: "bundesland" before "land".
    let mut inner: Vec<&Word> = words_of(&ROLES).filter(|word| word.text.len() >= INNER_WORD).collect();
    inner.sort_by_key(|word| std::cmp::Reverse(word.text.len()));
    let is_small =
        |word: &str| SMALL_WORDS.contains(&word) || words_of(&ROLES).any(|known| known.text == word);
    let rest = words(header)
        .into_iter()
        .map(|word| inner.iter().fold(word, |word, one| word.replace(&one.text, "")));
    rest.filter(|word| !is_small(word)).collect()
}

/// Splits a header at spaces, punctuation and inner capitals, and folds its words.
pub(super) fn words(header: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for c in header.nfd().filter(|c| !is_combining_mark(*c)) {
        if !c.is_alphanumeric() || (c.is_uppercase() && after_small) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        after_small = c.is_lowercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_and_the_country_of_one_place_belong_together() {
        let pairs = [
            ("State", "Country"),
            ("State/Province (text only)", "Country (text only)"),
            ("State/Region", "Country/Region"),
            ("Address 2 - Region", "Address 2 - Country"),
            ("MailingStateCode", "MailingCountryCode"),
            ("REGION", "CC"),
            ("billing_state", "Country Code (Billing)"),
            ("Billing Province Name", "Billing Country"),
            ("State - Home", "Country - Home"),
            ("address1_stateorprovince", "address1_country"),
            ("ST", "Country"),
            ("Dép/Région (bureau)", "Pays/Région (bureau)"),
            ("Provincia o estado de trabajo", "País o región del trabajo"),
            ("Bundesland/Kanton privat", "Land/Region privat"),
            ("state_id/code", "country_id/name"),
            ("Person - State/county of Postal address", "Person - Country of Postal address"),
            ("Otra provincia o estado", "Otra país o región"),
            ("Adresse (Bundesland / Provinz)", "Adresse (Land)"),
            ("Dirección 1: Estado o provincia", "Dirección 1: País o región"),
            ("Código de estado (facturación)", "Código de país (facturación)"),
            ("Rechnungsbundesland", "Rechnungsland"),
            ("État/Province de facturation", "Pays de facturation"),
            ("Persona - Estado/condado de Dirección postal", "Persona - País de Dirección postal"),
        ];
        for (state, country) in pairs {
            assert_eq!(owner_of_place(state), owner_of_place(country), "{state}, {country}");
        }
        let different =
            [("Business State", "Home Country/Region"), ("Address 1 - Region", "Address 2 - Country")];
        for (state, country) in different {
            assert_ne!(owner_of_place(state), owner_of_place(country), "{state}, {country}");
        }
    }
}
