//! Tests of mapping columns and values, and of the file of rejected rows.

use super::*;
use crate::base::values::begins_formula;

mod languages;
mod listed;
mod products;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn guess(headers: &[&str]) -> Vec<&'static str> {
    Mapping::guess(&strings(headers)).slugs()
}

fn rows(cells: &[&[&str]]) -> Vec<Row> {
    cells.iter().map(|cells| Row { fields: strings(cells), ..Row::default() }).collect()
}

/// The positions of a field's columns, the best first.
fn order(mapping: &Mapping, field: Field) -> Vec<usize> {
    mapping.columns_of(field).map(|(at, _)| at).collect()
}

#[test]
fn common_headers_are_recognized_in_any_spelling() {
    let cases: [(Field, &[&str]); 12] = [
        (
            Field::Email,
            &["email", "E-mail Address", "E-Mail", "Email 1", "EMAIL_ADDRESS", "e mail", "Courriel"],
        ),
        (
            Field::State,
            &["State", "State/Province", "Province", "Region", "ST", "state_code", "Bundesland", "État"],
        ),
        (
            Field::FirstName,
            &["First Name", "first_name", "fname", "given name", "FirstName", "Vorname", "Prénom"],
        ),
        (
            Field::LastName,
            &["Last Name", "last-name", "surname", "family name", "lname", "Nachname", "Apellidos"],
        ),
        (Field::FullName, &["Name", "Full Name", "Contact", "contact name", "Nombre", "Nom"]),
        (Field::LeadScore, &["Score", "Lead Score", "leadScore", "lead_score", "HubSpot Score"]),
        (Field::Status, &["Status", "Stage", "Lead Status", "Lifecycle Stage", "Statut"]),
        (Field::Phone, &["Phone", "phone1", "Mobile Phone", "p h o n e", "Teléfono", "Handy"]),
        (Field::Company, &["Company", "company_name", "Organization", "Firma", "Société", "Empresa"]),
        (Field::Source, &["Lead Source", "Source", "Original Source", "Quelle", "Origen"]),
        (Field::Owner, &["Owner", "Lead Owner", "Assigned To", "Contact owner", "Propietario"]),
        (Field::Country, &["Country", "Country/Region", "Land", "País", "Pays", "Country of birth"]),
    ];
    for (field, headers) in cases {
        for header in headers {
            assert_eq!(guess(&[header]), [field.slug()], "{header}");
        }
    }
    let others = [
        "address_string",
        "city",
        "county",
        "zip",
        "web",
        "Latitude",
        "Row",
        "Email Opt Out",
        "State Tax",
        "",
        "1",
    ];
    assert!(guess(&others).iter().all(|slug| *slug == "keep"), "{:?}", guess(&others));
}

#[test]
fn the_most_precise_column_of_a_field_is_the_best() {
    let best = |headers: &[&str], field| order(&Mapping::guess(&strings(headers)), field);
    assert_eq!(best(&["Email 2", "Email 1", "E-mail Address"], Field::Email), [2, 1, 0]);
    assert_eq!(best(&["email", "E-Mail"], Field::Email), [0, 1]);
    assert_eq!(best(&["E-mail 2 - Value", "Home Email", "E-mail 1 - Value"], Field::Email), [2, 0, 1]);
    assert_eq!(best(&["Region", "Billing State", "State"], Field::State), [2, 1, 0]);
    assert_eq!(best(&["name", "contact_name"], Field::FullName), [1, 0]);
}

#[test]
fn a_column_that_a_person_names_is_preferred_to_the_guess() {
    let headers = strings(&["Name", "Email", "Billing Email", "", "Notes", "notes"]);
    let mapping = Mapping::guess(&headers).with_column("Billing Email", Field::Email).unwrap();
    assert_eq!(order(&mapping, Field::Email), [2, 1]);
    let mapping =
        mapping.with_column("Column 4", Field::Phone).unwrap().with_column("EMAIL", Field::Ignore).unwrap();
    assert_eq!(mapping.slugs(), ["full-name", "ignore", "email", "phone", "keep", "keep"]);
    let mapping =
        mapping.with_column("notes 2", Field::Source).unwrap().with_column("Notes", Field::Company).unwrap();
    assert_eq!(mapping.slugs()[4..], ["company", "source"]);
    let error = mapping.with_column("Mail", Field::Email).unwrap_err().to_string();
    assert_eq!(
        error,
        "The file has no column “Mail”. Its columns are: Name, Email, Billing Email, Column 4, Notes, notes 2."
    );
    let error = field_named("shoe size").unwrap_err().to_string();
    assert!(
        error.starts_with("There's no field “shoe size”. The fields are: ignore, keep, full-name"),
        "{error}"
    );
}

#[test]
fn a_chosen_mapping_is_validated() {
    let headers = strings(&["a", "b", "c"]);
    let good = Mapping::from_slugs(&["email", "full-name", "ignore"], &headers).unwrap();
    assert_eq!(Mapping::from_slugs(&good.slugs(), &headers), Ok(good.clone()));
    assert!(good.fits(&headers) && !good.fits(&headers[..2]));
    assert!(Mapping::from_slugs(&["email", "full-name", "email"], &headers).is_ok());
    let cases: [(&[&str], &str); 5] = [
        (&["full-name", "ignore", "state"], "No column is matched with “Email”"),
        (&["email", "ignore", "state"], "No column is matched with a name"),
        (&["email", "full-name", "shoe-size"], "Column 3 is matched with “shoe-size”"),
        (&["email", "full-name"], "has 3 columns, but 2 were mapped"),
        (&["email", "full-name", "ignore", "state"], "has 3 columns, but 4 were mapped"),
    ];
    for (slugs, words) in cases {
        let error = Mapping::from_slugs(slugs, &headers).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(Mapping::guess(&strings(&["Name"])).check(), Err(MappingError::NoEmail));
}

#[test]
fn values_of_some_fields_can_be_mapped() {
    let mapping = Mapping::guess(&strings(&["Name", "Email", "Status"]));
    let mapping = mapping.with_value(Field::Status, "Working - Contacted", "qualified").unwrap();
    let mapping = mapping.with_value(Field::Status, "WORKING contacted", "Prospect").unwrap();
    let mapping = mapping.with_value(Field::State, "NorCal", "California").unwrap();
    let mapping = mapping.with_value(Field::LeadScore, "★★★", "90%").unwrap();
    assert_eq!(mapping.values().len(), 3);
    assert_eq!(mapping.value_of(Field::Status, "working contacted"), Some("PROSPECT"));
    assert_eq!(mapping.value_of(Field::State, " norcal"), Some("CA"));
    assert_eq!(mapping.value_of(Field::LeadScore, "★★★"), Some("90"));
    assert_eq!(
        (mapping.value_of(Field::LeadScore, "★★"), mapping.value_of(Field::Source, "NorCal")),
        (None, None)
    );
    let wrong = [
        (Field::Status, "Working", "Hot", "The status must be PROSPECT, QUALIFIED, or CONVERTED."),
        (Field::State, "Ontario", "ON", "a US state"),
        (Field::LeadScore, "Hot", "101", "a whole number from 0 to 100"),
        (Field::Email, "a", "b", "Values of “Email” can't be mapped"),
        (Field::Status, " ", "QUALIFIED", "for example Working=QUALIFIED"),
    ];
    for (field, text, value, words) in wrong {
        let error = mapping.clone().with_value(field, text, value).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_summary_counts_the_columns() {
    let headers = strings(&["first", "last", "email", "st", "a", "b", "c"]);
    let mapping = Mapping::guess(&headers);
    assert_eq!(mapping.summary().to_string(), "7 columns: 4 mapped, 3 kept as custom fields");
    let mapping = mapping.with_column("a", Field::Ignore).unwrap().with_column("b", Field::Ignore).unwrap();
    assert_eq!(mapping.summary(), Summary { mapped: 4, kept: 1, ignored: 2 });
    assert_eq!(mapping.summary().to_string(), "7 columns: 4 mapped, 1 kept as a custom field, 2 ignored");
}

#[test]
fn a_mapping_is_stored_with_its_headers_and_earlier_lists_of_slugs_are_still_read() {
    let mapping = Mapping::guess(&strings(&["Name", "Email", "Work Email", "Note"]));
    let mapping = mapping.with_column("Work Email", Field::Email).unwrap();
    let mapping = mapping.with_value(Field::Status, "Hot", "QUALIFIED").unwrap();
    let stored = serde_json::to_value(&mapping).unwrap();
    let expected = serde_json::json!({
        "columns": [
            { "header": "Name", "field": "full-name" },
            { "header": "Email", "field": "email" },
            { "header": "Work Email", "field": "email", "chosen": true },
            { "header": "Note", "field": "keep" },
        ],
        "values": [{ "field": "status", "text": "Hot", "value": "QUALIFIED" }],
    });
    assert_eq!(stored, expected);
    assert_eq!(serde_json::from_value::<Mapping>(stored).unwrap(), mapping);
    let earlier: Mapping = serde_json::from_str(r#"["full-name","ignore","email"]"#).unwrap();
    assert_eq!((earlier.slugs(), earlier.check()), (vec!["full-name", "ignore", "email"], Ok(())));
    assert!(serde_json::from_str::<Mapping>(r#"["full-name","shoe-size"]"#).is_err());
}

/// Returns the headers and the rows of a file in CSV.
fn parsed(text: &str, delimiter: u8) -> (Vec<String>, Vec<Row>) {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let fields =
        reader.records().map(|record| record.unwrap().iter().map(|cell| cell.trim().to_owned()).collect());
    (headers, fields.map(|fields| Row { fields, ..Row::default() }).collect())
}

#[test]
fn the_file_of_rejected_rows_can_be_imported_again() {
    let headers = strings(&["name", "email", "=note"]);
    let first = strings(&["Ann; Lee", "ann", "=1+1"]);
    let second = strings(&["-Bob", "bob@example.com", "x", "too many"]);
    let third = strings(&["Cy"]);
    let rejected = [
        (3, "The email is not valid.", first.as_slice()),
        (5, "+1", second.as_slice()),
        (9, "Why", third.as_slice()),
    ];
    let file = rejected_csv(b';', &headers, rejected.into_iter()).unwrap();
    let expected = "\u{feff}Row;Reason;name;email;'=note\r\n\
        3;The email is not valid.;\"Ann; Lee\";ann;'=1+1\r\n\
        5;'+1;'-Bob;bob@example.com;x;too many\r\n\
        9;Why;Cy;;\r\n";
    assert_eq!(file, expected);

    let (headers, rows) = parsed(&file, b';');
    let mapping = Mapping::guess(&headers);
    assert_eq!(mapping.slugs(), ["ignore", "ignore", "full-name", "email", "keep"]);
    assert_eq!(mapping.columns()[4].title(), "=note");
    // If a row is rejected again, its number and reason are the new ones.
    let again = [(2, "Still", rows[0].fields.as_slice())];
    let file = rejected_csv(b';', &headers, again.into_iter()).unwrap();
    let expected = "\u{feff}Row;Reason;name;email;'=note\r\n2;Still;\"Ann; Lee\";ann;'=1+1\r\n";
    assert_eq!(file.replace("''", "'"), expected);
}

#[test]
fn a_rejected_cell_means_the_same_when_it_is_imported_again() {
    for cell in
        ["=1+1", "＝1+1", "\u{200b}=1", "\u{feff}+1", " -1", "'@x", "\u{202e}Ann", "(212) 555-0100", "'tis"]
    {
        let fields = strings(&[cell]);
        let file =
            rejected_csv(b',', &strings(&["note"]), [(2, "Why", fields.as_slice())].into_iter()).unwrap();
        let (_, rows) = parsed(&file, b',');
        let read = &rows[0].fields[2];
        assert!(!begins_formula(read), "{read:?}");
        assert_eq!(super::text::clean(read), super::text::clean(cell));
    }
}

#[test]
fn the_columns_of_real_exports_are_mapped_automatically() {
    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/leads/", $name))
        };
    }
    let (headers, rows) = parsed(&String::from_utf8_lossy(fixture!("contacts.csv")), b',');
    let mapping = Mapping::guess(&headers);
    assert_eq!(mapping.summary().to_string(), "12 columns: 7 mapped, 5 kept as custom fields");
    let phones: Vec<&str> =
        order(&mapping, Field::Phone).into_iter().map(|at| rows[4].fields[at].as_str()).collect();
    assert_eq!(phones, ["555-0108", "555-0109"]);

    let (text, ..) = encoding_rs::WINDOWS_1252.decode(fixture!("contacts-semicolon-windows-1252.csv"));
    let (headers, _) = parsed(&text, b';');
    assert_eq!(
        Mapping::guess(&headers).slugs(),
        ["full-name", "state", "email", "lead-score", "status", "keep"]
    );

    let (headers, rows) = parsed(&String::from_utf8_lossy(fixture!("contacts-tab-bom.csv")), b'\t');
    assert_eq!(Mapping::guess(&headers).slugs(), ["email", "last-name", "first-name", "state"]);
    assert!(rows.iter().all(|row| find_state(&row.fields[3]).is_some()));
}
