//! Tests of mapping columns and of the file of rejected rows.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::super::file::{Head, Limits, read_rows};
use super::*;
use crate::base::values::UsState;

const ALL: Limits = Limits { rows: usize::MAX, bytes: usize::MAX };

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn guess(headers: &[&str]) -> Vec<&'static str> {
    Mapping::guess(&strings(headers)).slugs()
}

fn row(cells: &[&str]) -> Row {
    Row { number: 2, line: 2, span: 0..1, fields: strings(cells), fault: None }
}

/// Returns the headers, the rows and the leads of a whole file, with a guessed mapping.
fn import(file: &[u8]) -> (Vec<String>, Vec<Row>, Vec<RawLead>) {
    let head = Head::detect(file, true).unwrap();
    let window = &file[head.data.offset as usize..];
    let rows = read_rows(&head.dialect, head.data, window, true, ALL).rows;
    let mapping = Mapping::guess(&head.headers);
    mapping.check().unwrap();
    let leads = rows.iter().map(|row| mapping.apply(row)).collect();
    (head.headers, rows, leads)
}

#[test]
fn common_headers_are_recognized_in_any_spelling() {
    let cases: [(Field, &[&str]); 7] = [
        (Field::Email, &["email", "E-mail Address", "E-Mail", "Email 1", "EMAIL_ADDRESS", "e mail"]),
        (Field::State, &["State", "State/Province", "Province", "Region", "ST", "state_code"]),
        (Field::FirstName, &["First Name", "first_name", "fname", "given name", "FirstName"]),
        (Field::LastName, &["Last Name", "last-name", "surname", "family name", "lname"]),
        (Field::FullName, &["Name", "Full Name", "Contact", "contact name"]),
        (Field::LeadScore, &["Score", "Lead Score", "leadScore", "lead_score"]),
        (Field::Status, &["Status", "Stage", "Lead Status"]),
    ];
    for (field, headers) in cases {
        for header in headers {
            assert_eq!(guess(&[header]), [field.slug()], "{header}");
        }
    }
    let others = [
        "address_string",
        "address",
        "company_name",
        "web",
        "county",
        "country",
        "city",
        "zip",
        "phone1",
        "Latitude",
        "Company",
        "Row",
        "Reason",
        "Email Opt Out",
        "State Tax",
        "",
        "1",
    ];
    assert!(guess(&others).iter().all(|slug| *slug == "ignore"), "{:?}", guess(&others));
}

#[test]
fn the_best_matching_column_wins() {
    assert_eq!(guess(&["Email 2", "Email 1", "E-mail Address"]), ["ignore", "ignore", "email"]);
    assert_eq!(guess(&["Email 2", "Email 1"]), ["ignore", "email"]);
    assert_eq!(guess(&["email", "E-Mail"]), ["email", "ignore"]);
    assert_eq!(guess(&["Region", "State"]), ["ignore", "state"]);
    assert_eq!(guess(&["Name", "surname", "First"]), ["ignore", "last-name", "first-name"]);
    assert_eq!(guess(&["First name", "Name"]), ["ignore", "full-name"]);
    assert_eq!(guess(&["Last name", "email"]), ["last-name", "email"]);
}

#[test]
fn a_chosen_mapping_is_validated() {
    let columns = 3;
    let good = Mapping::from_slugs(&["email", "full-name", "ignore"], columns).unwrap();
    assert_eq!(good.fields(), [Field::Email, Field::FullName, Field::Ignore]);
    assert_eq!(Mapping::from_slugs(&good.slugs(), columns), Ok(good));
    let cases: [(&[&str], &str); 7] = [
        (&["full-name", "ignore", "state"], "No column is mapped to “E-mail”"),
        (&["email", "ignore", "state"], "No column is mapped to a name"),
        (&["email", "full-name", "last-name"], "mapped twice: to “Full name” and to “Last name”"),
        (&["email", "full-name", "email"], "Columns 1 and 3 are both mapped to “E-mail”"),
        (&["email", "full-name", "shoe-size"], "Column 3 is mapped to “shoe-size”"),
        (&["email", "full-name"], "has 3 columns, but 2 were mapped"),
        (&["email", "full-name", "ignore", "state"], "has 3 columns, but 4 were mapped"),
    ];
    for (slugs, words) in cases {
        let error = Mapping::from_slugs(slugs, columns).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(Mapping::guess(&strings(&["Name"])).check(), Err(MappingError::NoEmail));
}

#[test]
fn every_field_has_a_unique_slug() {
    for field in Field::ALL {
        assert_eq!(Field::parse(field.slug()), Some(field));
    }
    assert_eq!(Field::parse("Email"), None);
}

#[test]
fn a_row_becomes_a_raw_lead() {
    let headers = strings(&["last", "first", "email", "st", "score", "status"]);
    let mapping = Mapping::guess(&headers);
    let full = mapping.apply(&row(&["Lovelace", "Ada", "ada@example.com", "NY", "80", "QUALIFIED"]));
    let expected = RawLead {
        name: "Ada Lovelace".into(),
        email: "ada@example.com".into(),
        state: Some("NY".into()),
        lead_score: Some("80".into()),
        status: Some("QUALIFIED".into()),
    };
    assert_eq!(full, expected);
    let empty =
        RawLead { name: "Ada".into(), email: String::new(), state: None, lead_score: None, status: None };
    assert_eq!(mapping.apply(&row(&["", "Ada", "", ""])), empty);
}

#[test]
fn states_are_recognized_by_code_and_name() {
    let cases = [
        ("NY", Some("NY")),
        ("ny", Some("NY")),
        ("N.Y.", Some("NY")),
        (" new  york ", Some("NY")),
        ("NEW\u{a0}YORK", Some("NY")),
        ("Washington", Some("WA")),
        ("Washington DC", Some("DC")),
        ("Washington, D.C.", Some("DC")),
        ("D.C.", Some("DC")),
        ("district of columbia", Some("DC")),
        ("N. Carolina", Some("NC")),
        ("West Virginia", Some("WV")),
        ("", None),
        ("..", None),
        ("PR", None),
        ("Ontario", None),
        ("NY 10001", None),
        ("N-Y", None),
        ("ΝΥ", None),
    ];
    for (text, code) in cases {
        assert_eq!(state_code(text), code, "{text:?}");
    }
    for state in UsState::all() {
        let (code, name) = (state.as_str(), state.name());
        assert_eq!((state_code(code), state_code(name)), (Some(code), Some(code)));
    }
}

#[test]
fn the_file_of_rejected_rows_can_be_imported_again() {
    let headers = strings(&["name", "email", "=note"]);
    let first = strings(&["Ann; Lee", "ann", "=1+1"]);
    let second = strings(&["-Bob", "bob@example.com", "x", "too many"]);
    let third = strings(&["Cy"]);
    let rejected = [
        (3, "The e-mail is not valid.", first.as_slice()),
        (5, "+1", second.as_slice()),
        (9, "Why", third.as_slice()),
    ];
    let file = rejected_csv(b';', &headers, rejected.into_iter()).unwrap();
    let expected = "\u{feff}Row;Reason;name;email;'=note\r\n\
        3;The e-mail is not valid.;\"Ann; Lee\";ann;'=1+1\r\n\
        5;'+1;'-Bob;bob@example.com;x;too many\r\n\
        9;Why;Cy;;\r\n";
    assert_eq!(file, expected);

    let (headers, rows, leads) = import(file.as_bytes());
    assert_eq!((leads[0].name.as_str(), leads[0].email.as_str()), ("Ann; Lee", "ann"));
    assert_eq!(leads[1].name, "-Bob");
    assert!(rows[1].fault.is_some());
    // If a row is rejected again, its number and reason are the new ones.
    let again = [(2, "Still", rows[0].fields.as_slice())];
    let file = rejected_csv(b';', &headers, again.into_iter()).unwrap();
    let expected = "\u{feff}Row;Reason;name;email;'=note\r\n2;Still;\"Ann; Lee\";ann;'=1+1\r\n";
    assert_eq!(file, expected);
}

#[test]
fn the_columns_of_real_exports_are_mapped_automatically() {
    macro_rules! fixture {
        ($name:literal) => {
            import(include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/leads/", $name)))
        };
    }
    let (_, _, leads) = fixture!("contacts.csv");
    assert_eq!(leads.len(), 36);
    assert_eq!((leads[4].name.as_str(), leads[4].state.as_deref()), ("Elodie Marchand", Some("VT")));
    assert_eq!(leads[4].email, "elodie.marchand@example.org");

    let (_, _, leads) = fixture!("contacts-semicolon-windows-1252.csv");
    let first = &leads[0];
    assert_eq!((first.lead_score.as_deref(), first.status.as_deref()), (Some("35"), Some("PROSPECT")));
    assert!(leads.iter().all(|lead| { lead.state.as_deref().is_some_and(|s| state_code(s).is_some()) }));

    let (_, _, leads) = fixture!("contacts-tab-bom.csv");
    assert_eq!((leads[6].name.as_str(), leads[6].state.as_deref()), ("Søren Østergaard", Some("wi")));
    assert_eq!(leads[6].lead_score, None);
}
