//! The headers that known products write in German.

use super::check;

#[test]
fn the_columns_of_products_in_german_are_recognized() {
    check(&[
        (
            "Salesforce",
            &[
                ("Vorname", "first-name"),
                ("Nachname", "last-name"),
                ("Firma / Account", "company"),
                ("E-Mail", "email"),
                ("Bundesland/Kanton", "state"),
                ("Land", "country"),
                ("Lead-Status", "status"),
                ("Leadquelle", "source"),
                ("Lead-Inhaber", "owner"),
            ],
        ),
        (
            "Salesforce, contacts",
            &[
                ("Postanschrift (Bundesland/Kanton)", "state"),
                ("Postanschrift (Land)", "country"),
                ("Rechnungsbundesland", "state"),
                ("Rechnungsland", "country"),
                ("Lieferland", "country"),
            ],
        ),
        (
            "HubSpot",
            &[
                ("Telefonnummer", "phone"),
                ("Bundesland/Region", "state"),
                ("Land/Region", "country"),
                ("Lifecycle-Phase", "status"),
                ("Zuständiger Mitarbeiter", "owner"),
                ("Ursprüngliche Quelle", "source"),
            ],
        ),
        ("Zoho", &[("Lead-Quelle", "source"), ("Lead-Besitzer", "owner"), ("Mobil", "phone")]),
        (
            "Pipedrive",
            &[
                ("Person - Name", "full-name"),
                ("Person - E-Mail - Arbeit", "email"),
                ("Person - E-Mail - Privat", "email"),
                ("Person - Telefon - Mobil", "phone"),
                ("Person - Bundesland/Landkreis der Postadresse", "state"),
                ("Person - Land der Postadresse", "country"),
            ],
        ),
        (
            "Dynamics",
            &[
                ("Vollständiger Name", "full-name"),
                ("Adresse 1: Bundesland/Kanton", "state"),
                ("Adresse 1: Land/Region", "country"),
                ("Statusgrund", "status"),
            ],
        ),
        (
            "SuiteCRM",
            &[
                ("Hauptadresse Bundesland", "state"),
                ("Hauptadresse Land", "country"),
                ("Weitere Adresse: Bundesland", "state"),
                ("Weitere Adresse: Land", "country"),
            ],
        ),
        ("EspoCRM", &[("Adresse Bundesland", "state"), ("Adresse Land", "country")]),
        ("Odoo", &[("Kontaktname", "full-name"), ("Unternehmensname", "company"), ("Verkäufer", "owner")]),
        (
            "Twenty",
            &[
                ("Name / Vorname", "first-name"),
                ("Name / Nachname", "last-name"),
                ("E-Mails / Primäre E-Mail", "email"),
                ("Telefone / Primäre Telefonnummer", "phone"),
                ("Unternehmen / Name", "company"),
            ],
        ),
        ("Krayin", &[("Name", "full-name"), ("E-Mails", "email"), ("Kontaktnummern", "phone")]),
        (
            "Google",
            &[
                ("E-Mail 1 - Typ", "keep"),
                ("E-Mail 1 - Wert", "email"),
                ("E-Mail 2 - Wert", "email"),
                ("Telefon 1 - Wert", "phone"),
                ("Adresse 1 - Region", "state"),
                ("Adresse 1 - Land", "country"),
                ("Adresse 1 - Stadt", "keep"),
            ],
        ),
        (
            "Outlook",
            &[
                ("Bundesland/Kanton geschäftlich", "state"),
                ("Land/Region geschäftlich", "country"),
                ("Telefon geschäftlich", "phone"),
                ("Telefon privat", "phone"),
                ("Fax privat", "keep"),
            ],
        ),
        ("Mailchimp", &[("E-Mail-Adresse", "email"), ("Telefonnummer", "phone")]),
        ("Constant Contact", &[("Bundesland - Privat", "state"), ("Land - Privat", "country")]),
        (
            "Facebook",
            &[
                ("geschäftliche_e-mail-adresse", "email"),
                ("vollständiger_name", "full-name"),
                ("bundesland", "state"),
            ],
        ),
        ("LinkedIn", &[("Geschäftliche E-Mail", "email"), ("Land/Region", "country")]),
        (
            "WooCommerce",
            &[
                ("Vorname (Rechnung)", "first-name"),
                ("Nachname (Rechnung)", "last-name"),
                ("E-Mail (Rechnung)", "email"),
                ("Bundesland (Rechnung)", "state"),
                ("Ländercode (Rechnung)", "country"),
            ],
        ),
        ("Shopify", &[("Rechnung: Provinz", "state"), ("Rechnung: Land", "country")]),
        (
            "Gravity Forms",
            &[
                ("Name (Präfix)", "keep"),
                ("Name (Vorname)", "first-name"),
                ("Name (Nachname)", "last-name"),
                ("Adresse (Ort)", "keep"),
                ("Adresse (Bundesland / Provinz)", "state"),
                ("Adresse (Land)", "country"),
                ("E-Mail (E-Mail eingeben)", "email"),
            ],
        ),
        (
            "People",
            &[
                ("Wohnland", "country"),
                ("Arbeits-E-Mail", "email"),
                ("E-Mail des Kunden", "email"),
                ("Bundesland/Provinz", "state"),
            ],
        ),
    ]);
}
