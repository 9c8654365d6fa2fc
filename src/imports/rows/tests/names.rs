//! Tests of the name that a row gives.

use super::*;

#[test]
fn first_and_last_name_win_and_the_full_name_serves_where_they_are_blank() {
    let headers = ["Name", "First Name", "Last Name", "Email"];
    let name = |cells: [&str; 3]| {
        let found = parsed(&headers, &[&cells[..], &["kim@example.com"]].concat());
        (
            found.lead.name.to_string(),
            fields(&found).iter().map(|(_, text)| (*text).to_owned()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(name(["Osei Tiling", "", ""]), ("Osei Tiling".into(), vec![]));
    assert_eq!(name(["Osei Tiling", "Kim", "Osei"]), ("Kim Osei".into(), vec!["Osei Tiling".into()]));
    assert_eq!(name(["KIM OSEI", "Kim", "Osei"]), ("Kim Osei".into(), vec![]));
    assert_eq!(name(["Kim Osei", "Kim", ""]), ("Kim Osei".into(), vec![]));
    assert_eq!(name(["Osei Tiling", "Kim", "-"]), ("Kim".into(), vec!["Osei Tiling".into()]));
    assert_eq!(name(["", "Nan", "Null"]), ("Nan Null".into(), vec![]));
}

#[test]
fn a_part_of_a_name_is_joined_with_the_column_that_has_the_rest() {
    let cases: [(&[&str], &[&str]); 4] = [
        (&["Name", "Vorname", "E-Mail"], &["Osei", "Kim", "kim@example.com"]),
        (&["First Name", "Name", "Email"], &["Kim", "Kim Osei", "kim@example.com"]),
        (&["Nombre", "Apellidos", "Correo"], &["Kim", "Osei", "kim@example.com"]),
        (&["Nom", "Prénom", "Courriel"], &["Osei", "Kim", "kim@example.com"]),
    ];
    for (headers, cells) in cases {
        let found = parsed(headers, cells);
        assert_eq!((found.lead.name.as_str(), fields(&found).len()), ("Kim Osei", 0), "{headers:?}");
    }
}

#[test]
fn a_full_name_column_that_a_person_named_wins() {
    let mapping = Mapping::guess(&strings(&["First Name", "Last Name", "Signed by", "Email"]));
    let mapping = mapping.with_column("Signed by", Field::FullName).unwrap();
    let found = lead_of(&row(&["Osei", "Tiling", "Kim Osei", "kim@example.com"]), &mapping).unwrap();
    assert_eq!((found.lead.name.as_str(), fields(&found)), ("Kim Osei", vec![("Last Name", "Tiling")]));
}

#[test]
fn an_order_number_is_no_name() {
    let headers = ["Name", "Email", "Billing Name", "Shipping Name"];
    let name = |cells: [&str; 3]| {
        let cells = [cells[0], "kim@example.com", cells[1], cells[2]];
        parsed(&headers, &cells).lead.name.to_string()
    };
    for number in ["#1001", "1001", "SO1001", "US-1001-A", "Order 1001", "Bestellung Nr. 7", "No. #12"] {
        assert_eq!(name([number, "Kim Osei", "Jo Osei"]), "Kim Osei");
        assert_eq!(name([number, "", "Jo Osei"]), "Jo Osei");
        assert_eq!(name([number, "", ""]), "kim");
    }
    assert_eq!(name(["Kim Osei 3rd", "", ""]), "Kim Osei 3rd");
    let found = parsed(&headers, &["#1001", "kim@example.com", "Kim Osei", ""]);
    assert_eq!((fields(&found), found.warnings.len()), (vec![("Name (file)", "#1001")], 0));
}

#[test]
fn without_a_name_the_email_cell_gives_one() {
    let name = |email: &str| {
        let found = parsed(&["Name", "Email", "Company"], &["", email, "Osei Tiling"]);
        (found.lead.name.to_string(), found.has_name, found.warnings)
    };
    assert_eq!(name("Kim Osei <info@example.com>"), ("Kim Osei".into(), true, vec![]));
    let warning = |name: &str| vec![format!("Name is empty; “{name}” is taken from the email.")];
    assert_eq!(name("kim.osei@example.com"), ("kim.osei".into(), false, warning("kim.osei")));
    assert_eq!(name("info@example.com <info@example.com>"), ("info".into(), false, warning("info")));
}

#[test]
fn a_name_is_one_line_without_invisible_characters() {
    let name = |name: &str| parsed(&["Name", "Email"], &[name, "kim@example.com"]);
    for text in ["Kim\nOsei", "Kim\tOsei", "Kim\r\n \u{a0}Osei", "\u{200e}Kim  Osei\u{202c}", "Kim\u{7}Osei"]
    {
        let found = name(text);
        assert_eq!((found.lead.name.as_str(), found.warnings.len()), ("Kim Osei", 0), "{text:?}");
    }
    let found = name("K\u{ad}im Osei");
    assert_eq!(found.lead.name.as_str(), "Kim Osei");
    assert_eq!(
        found.warnings,
        ["Name “K[U+00AD]im Osei”: The invisible character U+00AD (soft hyphen) is removed."]
    );
}

#[test]
fn a_very_long_name_is_cut_and_kept_whole() {
    let long = "Tiling and Flooring of Greater Northern Nevada and Southern Oregon Incorporated Limited";
    let found = parsed(&["Name", "Email"], &[&format!("Osei {long}"), "kim@example.com"]);
    assert_eq!(found.lead.name.as_str(), format!("Osei {}", long.trim_end_matches(" Limited")));
    assert_eq!(fields(&found), [("Full name", format!("Osei {long}").as_str())]);
    assert!(found.warnings[0].contains(
        "at most 12 words. It's shortened; the full text is kept as the custom field “Full name”."
    ));
    assert_eq!(
        parsed(&["Name", "Email"], &[&"x".repeat(500), "kim@example.com"]).lead.name.as_str().len(),
        60
    );
}
