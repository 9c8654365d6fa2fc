//! Tests of states and countries as exported files write them.

use super::*;

fn code(text: &str) -> Option<&'static str> {
    find_state(text).map(|state| state.as_str())
}

#[test]
fn states_are_recognized_by_code_and_name() {
    for state in UsState::all() {
        let known = Some(state.as_str());
        assert_eq!((code(state.as_str()), code(state.name())), (known, known));
        assert_eq!(code(&format!("{} ({})", state.name(), state.as_str())), known, "{state}");
        assert_eq!(code(&format!("US-{}", state.as_str())), known, "{state}");
        assert_eq!(code(&format!("{}, United States", state.name())), known, "{state}");
    }
    let cases = [
        ("ny", "NY"),
        ("N.Y.", "NY"),
        (" new  york ", "NY"),
        ("NEW\u{a0}YORK", "NY"),
        ("Washington", "WA"),
        ("Washington DC", "DC"),
        ("Washington, D.C.", "DC"),
        ("Washington, D.C., USA", "DC"),
        ("D.C. 20001", "DC"),
        ("district of columbia", "DC"),
        ("N. Carolina", "NC"),
        ("West Virginia", "WV"),
        ("Hawai'i", "HI"),
    ];
    for (text, expected) in cases {
        assert_eq!(code(text), Some(expected), "{text:?}");
    }
}

#[test]
fn states_are_recognized_in_every_usual_form() {
    let cases = [
        ("US-TX", "TX"),
        ("usa-tx", "TX"),
        ("US_TX", "TX"),
        ("TX - Texas", "TX"),
        ("Texas – TX", "TX"),
        ("TX/Texas", "TX"),
        ("TX: Texas", "TX"),
        ("Tex.", "TX"),
        ("TEXAS (US)", "TX"),
        ("Texas [USA]", "TX"),
        ("TX (Texas)", "TX"),
        ("TX 78701", "TX"),
        ("TX 78701-1234", "TX"),
        ("78701 TX", "TX"),
        ("TX, 78701, USA", "TX"),
        ("tx, usa", "TX"),
        ("TX, U.S.A.", "TX"),
        ("TX USA", "TX"),
        ("US TX", "TX"),
        ("Texas 78701 United States", "TX"),
        ("Texas, United States of America", "TX"),
        ("Texas, EE. UU.", "TX"),
        ("State of Texas", "TX"),
        ("Commonwealth of Massachusetts", "MA"),
        ("Penna.", "PA"),
        ("Mass.", "MA"),
        ("N. Mex.", "NM"),
        ("W. Va.", "WV"),
        ("Nueva York", "NY"),
        ("Kalifornien", "CA"),
        ("Caroline du Nord", "NC"),
        ("Nouveau-Mexique", "NM"),
        ("Pensilvania", "PA"),
    ];
    for (text, expected) in cases {
        assert_eq!(code(text), Some(expected), "{text:?}");
    }
}

#[test]
fn provinces_territories_and_other_countries_are_no_us_states() {
    let others = [
        "",
        "..",
        "PR",
        "Puerto Rico",
        "GU",
        "VI",
        "AS",
        "MP",
        "AA",
        "AE",
        "AP",
        "Ontario",
        "N-Y",
        "ΝΥ",
        "WA, Australia",
        "CA, Italy",
        "CA, Canada",
        "Ontario (CA)",
        "Montana (BG)",
        "CA-ON",
        "AR-K",
        "IT-CA",
        "BR-PA",
        "IN-GA",
        "CO-AL",
        "Baja California",
        "CA, NV",
        "Perth, WA",
        "Tex-Mex",
        "US",
        "USA",
        "94110",
        "12",
        "CA 9411",
        "New York, Nueva Esparta",
    ];
    for text in others {
        assert_eq!(code(text), None, "{text:?}");
    }
}

#[test]
fn the_us_and_no_country_are_distinguished_from_other_countries() {
    let us = [
        "",
        "n/a",
        "US",
        "u.s.",
        "USA",
        "U.S.A.",
        "United States",
        "united states of america",
        "United States (US)",
        "US - United States",
        "United States of America (the)",
        "Vereinigte Staaten",
        "Estados Unidos",
        "États-Unis",
        "Etats-Unis d'Amérique",
        "EE.UU.",
        "840",
        "ann@example.com",
        "5 acres",
        "2.5 ac.",
        "10,000 sq. ft.",
        "12",
        "+1",
        "+1 (US)",
        "USA (+1)",
        "United States 1",
        "US1",
        "USA 94110",
        "US USA",
        "US/USA",
        "US-CA",
        "840 - United States",
        "Vereinigte Staaten (USA)",
        "Vereinigte Staaten von Amerika",
        "Los Estados Unidos",
        "Estados Unidos (EE. UU.)",
        "États-Unis (+1)",
        "États-Unis d'Amérique (USA)",
    ];
    for text in us {
        assert!(!is_other_country(text), "{text:?}");
    }
}

#[test]
fn other_countries_are_known_in_any_language_and_with_digits_beside_them() {
    let countries = [
        "Italy",
        "CA",
        "IT",
        "Canada",
        "NA",
        "Deutschland",
        "Georgia",
        "Mexico (Estados Unidos Mexicanos)",
        "Italy (+39)",
        "Italia 1",
        "Italia1",
        "IT 39",
        "IT-20121",
        "DE-10115",
        "ITA",
        "ITA (380)",
        "DEU",
        "D",
        "Alemania",
        "Deutschland (DE, +49)",
        "Allemagne 49",
        "Italien",
        "Italie",
        "España",
        "Spanien",
        "Espagne",
        "México",
        "Reino Unido",
        "Vereinigtes Königreich",
        "Royaume-Uni",
        "52 - Mexico",
        "1 - Canada",
        "Non-US",
        "Outside US",
        "GB",
        "UK 44",
    ];
    for text in countries {
        assert!(is_other_country(text), "{text:?}");
    }
}
