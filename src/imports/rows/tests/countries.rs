//! Tests of leads from other countries, in files in several languages.

use super::{fields, parsed, state};

#[test]
fn a_country_in_any_language_keeps_a_foreign_region_out_of_the_us() {
    let pairs = [
        ("Estado de residencia", "País de residencia"),
        ("Estado de facturación", "País de facturación"),
        ("État", "Pays de résidence"),
        ("État de facturation", "Pays de facturation"),
        ("Bundesland", "Wohnland"),
        ("Rechnungsbundesland", "Rechnungsland"),
        ("Adresse (Bundesland / Provinz)", "Adresse (Land)"),
        ("Dirección (Estado / Provincia)", "Dirección (País)"),
        ("Adresse (État / Province)", "Adresse (Pays)"),
        ("Adresse 1 - Region", "Adresse 1 - Land"),
    ];
    for (region, country) in pairs {
        let at =
            |cell: &str| parsed(&["Name", "Email", region, country], &["Kim", "kim@example.com", "CA", cell]);
        for abroad in ["Italia", "Italia 1", "Italy (+39)", "IT"] {
            let found = at(abroad);
            assert_eq!(state(&found), None, "{region}, {country}: {abroad}");
            assert_eq!(fields(&found).iter().filter(|(_, text)| [&"CA", &abroad].contains(&text)).count(), 2);
            assert!(found.warnings[0].contains("This isn't a US state: the country is"), "{region}");
        }
        for home in ["Estados Unidos", "USA (+1)", ""] {
            assert_eq!(state(&at(home)), Some("CA"), "{region}, {country}: {home}");
        }
    }
}
