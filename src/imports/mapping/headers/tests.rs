//! Tests of the table of known headers.

use super::*;

fn field(header: &str) -> Option<Field> {
    meanings(header).into_iter().min().map(|meaning| meaning.field)
}

#[test]
fn the_table_is_sorted_has_no_header_twice_and_names_its_sources() {
    let lines = HEADERS_CSV.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(
        known_headers().len(),
        lines - 1,
        "every line is read: its field is known and its rank a number"
    );
    let order = |known: &KnownHeader| (known.field, known.rank, fold(&known.header));
    for pair in known_headers().windows(2) {
        assert!(order(&pair[0]) < order(&pair[1]), "{} comes after {}", pair[0].header, pair[1].header);
    }
    assert!(known_headers().iter().all(|known| (1..=3).contains(&known.rank) && !known.from.is_empty()));
    let both = |fields: &[Field]| {
        matches!(fields, [Field::FullName, Field::FirstName] | [Field::FullName, Field::LastName])
    };
    for (key, meanings) in BY_KEY.iter() {
        let fields: Vec<Field> = meanings.iter().map(|meaning| meaning.field).collect();
        assert!(fields.len() == 1 || both(&fields), "{key}: {fields:?}");
    }
}

#[test]
fn a_header_is_known_in_any_spelling_with_a_record_before_it_or_a_remark_behind_it() {
    let cases = [
        ("E-MAIL 3 - value", Field::Email),
        ("Lead: Email", Field::Email),
        ("Leads_First Name", Field::FirstName),
        ("customerPhone", Field::Phone),
        ("Email (required)", Field::Email),
        ("Contact state (home)", Field::State),
        ("Country of residence", Field::Country),
        ("Residence country", Field::Country),
        ("PRENOM", Field::FirstName),
        ("Email *", Field::Email),
        ("E-mail 2 - Type", Field::Keep),
        ("Physical address: State", Field::State),
        ("Shipping State/Province", Field::State),
        ("Phone - Office", Field::Phone),
        ("postal_country", Field::Country),
    ];
    for (header, expected) in cases {
        assert_eq!(field(header), Some(expected), "{header}");
    }
}

#[test]
fn a_header_with_a_word_for_a_country_is_a_country() {
    let countries = [
        "País de residencia",
        "País de facturación",
        "Pays de résidence",
        "Pays de facturation",
        "Wohnland",
        "Rechnungsland",
        "Adresse (Land)",
        "Dirección (País)",
        "Adresse (Pays)",
        "Adresse 1 - Land",
        "Land des Kunden",
        "In welchem Land wohnen Sie?",
        "¿En qué país vives?",
        "Dans quel pays habitez-vous ?",
        "Ihr Land",
        "Code ISO du pays",
        "Código del país",
        "Herkunftsland",
        "Shipping address country (ISO)",
        "user_country",
        "In which country do you live?",
    ];
    for header in countries {
        assert_eq!(field(header), Some(Field::Country), "{header}");
    }
}

#[test]
fn the_words_around_a_header_are_removed_in_any_number_and_order() {
    let cases = [
        ("Estado de la facturación", Field::State),
        ("Provincia - Domicilio fiscal", Field::State),
        ("Código de provincia", Field::State),
        ("Cliente: Provincia de envío", Field::State),
        ("Estado / Provincia / Región", Field::State),
        ("Ihr Name (Vorname)", Field::FirstName),
        ("Contacto (Correo)", Field::Email),
        ("Vollständiger Name (Nachname)", Field::LastName),
        ("Rechnung Vorname", Field::FirstName),
        ("Teléfono contacto", Field::Phone),
        ("Apellidos del contacto", Field::LastName),
        ("E-Mail privat (Kunde)", Field::Email),
        ("Dirección de envío: Provincia", Field::State),
        ("Adresse de facturation - Pays", Field::Country),
        ("Vorname des Kontakts", Field::FirstName),
        ("Estado del cliente", Field::Status),
        ("Owner (Email)", Field::Owner),
    ];
    for (header, expected) in cases {
        assert_eq!(field(header), Some(expected), "{header}");
    }
}

#[test]
fn other_headers_are_not_known() {
    let others = [
        "",
        "1",
        "address",
        "city",
        "county",
        "zip",
        "Fax",
        "Company ID",
        "Email Opt Out",
        "State Tax",
        "Row",
        "Reason",
        "Notes:",
        "Job Title",
        "Latitude",
        "Converted",
        "Financial Status",
        "Phone Country Code",
        "IP Country",
        "Leadership email 2 of 3",
        "Connected On",
        "Email Domain",
        "Lead",
        "Contact ID",
        "Work",
        "Home Address",
        "Primary Name",
        "Home Fax",
        "Office",
        "Landline",
        "Land size",
        "Land owner",
        "Landing page",
        "Pay status",
        "Paysage",
        "Prefijo del país",
        "Indicatif pays",
        "Ländervorwahl",
        "Estado civil",
        "Departamento",
        "Dirección",
        "Dirección (Calle)",
        "Adresse (PLZ)",
        "Empresa - Correo electrónico",
        "Organización - Apellidos",
        "Kunden-Nr.",
        "Trabajo",
        "Código",
        "Name des Hundes",
    ];
    for header in others {
        assert_eq!(field(header), None, "{header}");
    }
}

#[test]
fn a_precise_header_ranks_before_a_vague_one_and_a_number_ranks_later() {
    let before = [("Email", "E-mail 1 - Value"), ("Email 1", "Email 2"), ("Email 2", "Work Email")];
    for (first, second) in before {
        assert!(rank(first, Field::Email) < rank(second, Field::Email), "{first}, {second}");
    }
    assert!(rank("contact_name", Field::FullName) < rank("name", Field::FullName));
    assert!(rank("State", Field::State) < rank("Contact State", Field::State));
    assert!(rank("Physical State", Field::State) < rank("Shipping State", Field::State));
    assert_eq!(rank("Email", Field::State), u32::MAX);
}
