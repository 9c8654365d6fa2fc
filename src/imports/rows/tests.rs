//! Tests of turning rows into leads.

use super::*;
use crate::imports::file::RowFault;
use crate::leads::domain::Owner;

mod countries;
mod names;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn row(cells: &[&str]) -> Row {
    Row { fields: strings(cells), ..Row::default() }
}

fn parse(headers: &[&str], cells: &[&str]) -> Result<ParsedRow, String> {
    lead_of(&row(cells), &Mapping::guess(&strings(headers)))
}

/// The lead of a row that is not rejected.
fn parsed(headers: &[&str], cells: &[&str]) -> ParsedRow {
    parse(headers, cells).unwrap_or_else(|reason| panic!("{cells:?}: {reason}"))
}

/// A lead with a name, an email address and one more cell.
fn with(header: &str, cell: &str) -> ParsedRow {
    parsed(&["Name", "Email", header], &["Kim Osei", "kim@example.com", cell])
}

fn fields(parsed: &ParsedRow) -> Vec<(&str, &str)> {
    parsed.lead.fields.iter().map(|field| (field.name.as_str(), field.text.as_str())).collect()
}

fn state(parsed: &ParsedRow) -> Option<&'static str> {
    parsed.lead.state.map(|state| state.as_str())
}

#[test]
fn a_row_becomes_a_lead_with_all_its_data() {
    let headers =
        ["last", "first", "email", "phone1", "company_name", "st", "score", "status", "source", "web"];
    let cells = [
        "Osei",
        "Kim",
        "kim@example.com",
        "775-555-0142",
        "Osei & Co",
        "Nevada",
        "80",
        "converted",
        "Fair",
        "example.com",
    ];
    let found = parsed(&headers, &cells);
    let ParsedRow { lead, owner, warnings, .. } = &found;
    assert_eq!((lead.name.as_str(), lead.email.as_str()), ("Kim Osei", "kim@example.com"));
    assert_eq!(lead.phone.as_ref().map(Phone::as_str), Some("775-555-0142"));
    assert_eq!(lead.company.as_ref().map(Company::as_str), Some("Osei & Co"));
    assert_eq!(lead.source.as_ref().map(LeadSource::as_str), Some("Fair"));
    assert_eq!((state(&found), lead.lead_score.get(), lead.status), (Some("NV"), 80, Status::Converted));
    assert_eq!((fields(&found), owner, warnings.len()), (vec![("web", "example.com")], &None, 0));
}

#[test]
fn a_row_with_few_cells_has_the_defaults() {
    let found = parsed(&["Name", "Email", "State", "Score", "Status", "Note"], &["Kim", "kim@example.com"]);
    assert_eq!(found.lead, NewLead::named("Kim".parse().unwrap(), "kim@example.com".parse().unwrap()));
}

#[test]
fn an_optional_cell_never_costs_the_contact() {
    let long = "x".repeat(161);
    let cases = [
        ("Lead Status", "Working", "Lead Status", "This isn't a known status."),
        ("Stage", "Demo held", "Stage", "This isn't a known status."),
        ("State", "Ontario", "State (file)", "This isn't a US state. Use one such as TX or Texas."),
        ("State", "PR", "State (file)", "This isn't a US state"),
        ("State", "AE", "State (file)", "This isn't a US state"),
        ("Lead Score", "hot", "Lead Score (file)", "A lead score must be a whole number from 0 to 100."),
        ("Score", "72.5", "Score", "A lead score must be a whole number"),
        ("Score", "140", "Score", "A lead score must be a whole number"),
        ("Phone", "call me", "Phone (file)", "at least three digits"),
        ("Phone", "1.77556E+10", "Phone (file)", "rounded this number"),
        ("Company", &long, "Company (file)", "at most 160 characters"),
        ("Company", "Ac\u{202e}me", "Company (file)", "U+202E"),
        ("Source", &long, "Source (file)", "at most 100 characters"),
    ];
    for (header, cell, title, reason) in cases {
        let found = with(header, cell);
        assert_eq!(fields(&found), [(title, cell)], "{header}");
        assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
        let warning = &found.warnings[0];
        assert!(warning.starts_with(&format!("{header} “")) && warning.contains(reason), "{warning}");
        assert!(warning.ends_with(&format!("It's kept as the custom field “{title}”.")), "{warning}");
    }
}

#[test]
fn a_cell_that_says_that_there_is_no_value_is_blank() {
    for header in ["State", "Score", "Status", "Phone", "Company", "Lead Owner", "Country"] {
        for cell in ["", "n/a", "N/A", "nan", "-", "none", "NULL", "(blank)", "--None--"] {
            let found = with(header, cell);
            assert!(
                fields(&found).is_empty() && found.warnings.is_empty() && found.owner.is_none(),
                "{header} {cell}"
            );
        }
    }
}

#[test]
fn scores_are_read_as_spreadsheets_write_them() {
    for (cell, score) in [("85.0", 85), ("85%", 85), ("85,0", 85), (" 85 ", 85), ("0", 0), ("100.00", 100)] {
        let found = with("Lead Score", cell);
        assert_eq!((found.lead.lead_score.get(), found.warnings.len()), (score, 0), "{cell}");
    }
}

#[test]
fn words_of_other_programs_become_statuses() {
    let cases =
        [("New", Status::Prospect), ("Open - Not Contacted", Status::Prospect), ("MQL", Status::Qualified)];
    for (cell, status) in cases {
        let found = with("Lead Status", cell);
        assert_eq!((found.lead.status, fields(&found).len(), found.warnings.len()), (status, 0, 0), "{cell}");
    }
}

#[test]
fn a_customer_without_the_score_becomes_qualified_and_keeps_the_word() {
    let headers = ["Name", "Email", "Lifecycle Stage", "Score"];
    let found = parsed(&headers, &["Kim", "kim@example.com", "Customer", "79"]);
    assert_eq!((found.lead.status, found.lead.lead_score.get()), (Status::Qualified, 79));
    assert_eq!(fields(&found), [("Lifecycle Stage", "Customer")]);
    assert!(found.warnings[0].contains("“Customer”: A lead needs a score of 80 or more to be converted"));
    let found = parsed(&headers, &["Kim", "kim@example.com", "Customer", "80"]);
    assert_eq!((found.lead.status, found.warnings.len()), (Status::Converted, 0));
}

#[test]
fn a_mapped_value_is_used_instead_of_the_text() {
    let mapping = Mapping::guess(&strings(&["Name", "Email", "Status", "State", "Country"]));
    let mapping = mapping.with_value(Field::Status, "Working", "QUALIFIED").unwrap();
    let mapping = mapping.with_value(Field::State, "NorCal", "CA").unwrap();
    let found = lead_of(&row(&["Kim", "kim@example.com", "WORKING", "norcal", ""]), &mapping).unwrap();
    assert_eq!((found.lead.status, state(&found), found.warnings.len()), (Status::Qualified, Some("CA"), 0));
}

#[test]
fn a_state_in_another_country_is_no_us_state() {
    let headers = ["Name", "Email", "State/Province", "Country"];
    let at = |state: &str, country: &str| parsed(&headers, &["Kim", "kim@example.com", state, country]);
    let found = at("CA", "Italy");
    assert_eq!((state(&found), fields(&found)), (None, vec![("State/Province", "CA"), ("Country", "Italy")]));
    let expected = "State/Province “CA”: This isn't a US state: the country is “Italy”. It's kept as the custom field “State/Province”.";
    assert_eq!(found.warnings, [expected]);
    for country in [
        "",
        "US",
        "usa",
        "U.S.A.",
        "United States",
        "Vereinigte Staaten",
        "Estados Unidos",
        "États-Unis",
        "n/a",
    ] {
        assert_eq!(state(&at("PA", country)), Some("PA"), "{country}");
    }
    for (cell, country) in
        [("PA", "Brazil"), ("WA", "AU"), ("DE", "Deutschland"), ("WA, Australia", ""), ("GA", "NA")]
    {
        assert_eq!(state(&at(cell, country)), None, "{cell} {country}");
    }
    let found = at("CA", "United States");
    assert_eq!((fields(&found), found.warnings.len()), (vec![("Country", "United States")], 0));
}

#[test]
fn the_country_of_an_address_is_that_of_its_state() {
    let headers =
        ["Name", "Email", "Business State", "Business Country/Region", "Home State", "Home Country/Region"];
    let at = |cells: [&str; 4]| state(&parsed(&headers, &[&["Kim", "kim@example.com"], &cells[..]].concat()));
    assert_eq!(at(["WA", "Australia", "NV", ""]), Some("NV"));
    assert_eq!(at(["NV", "", "WA", "Australia"]), Some("NV"));
    assert_eq!(at(["", "USA", "WA", "Australia"]), None);
    assert_eq!(at(["Ontario", "", "TX", "USA"]), Some("TX"));
    // A country of no state's place counts for all.
    let headers = ["Name", "Email", "State", "Residence country"];
    assert_eq!(state(&parsed(&headers, &["Kim", "kim@example.com", "NV", "Spain"])), None);
}

#[test]
fn a_territory_in_the_first_column_leaves_the_state_to_the_next() {
    let headers = ["Name", "Email", "State", "Other State"];
    let found = parsed(&headers, &["Kim", "kim@example.com", "Guam", "Oregon"]);
    assert_eq!(
        (state(&found), fields(&found), found.warnings.len()),
        (Some("OR"), vec![("State (file)", "Guam")], 0)
    );
}

#[test]
fn the_first_usable_column_is_taken_and_the_others_are_kept() {
    let headers = ["Name", "Email", "Home Email", "Other Email", "Phone", "Mobile"];
    let cells = ["Kim", "n/a", "kim@example.com", "k@example.org", "none", "775-555-0142"];
    let found = parsed(&headers, &cells);
    assert_eq!((found.lead.email.as_str(), found.warnings.len()), ("kim@example.com", 0));
    assert_eq!(found.lead.phone.as_ref().map(Phone::as_str), Some("775-555-0142"));
    assert_eq!(fields(&found), [("Other Email", "k@example.org")]);
    let found = parsed(&headers, &["Kim", "kim at example", "kim@example.com", "KIM@example.com"]);
    assert_eq!(fields(&found), [("Email (file)", "kim at example")]);
}

#[test]
fn several_addresses_and_numbers_in_a_cell_are_kept() {
    let headers = ["Name", "Email", "Phone", "Other emails"];
    let cells =
        ["Kim", "kim@example.com; kim@example.org ::: k@example.net", "775-555-0142 ::: 775-555-0143", "x"];
    let found = parsed(&headers, &cells);
    assert_eq!(found.lead.email.as_str(), "kim@example.com");
    assert_eq!(found.lead.phone.as_ref().map(Phone::as_str), Some("775-555-0142"));
    let expected = [
        ("Other emails", "x"),
        ("Other emails 2", "kim@example.org, k@example.net"),
        ("Other phones", "775-555-0143"),
    ];
    assert_eq!(fields(&found), expected);
}

#[test]
fn unmapped_columns_are_kept_under_names_that_work() {
    let headers = ["Name", "Email", "Note", "Note", "version", "id", "", "Updated at"];
    let cells = ["Kim", "kim@example.com", "a", "b\nc", "7", "'=1+1", "N/A", ""];
    let expected = [
        ("Note", "a"),
        ("Note 2", "b\nc"),
        ("version (file)", "7"),
        ("id (file)", "=1+1"),
        ("Column 7", "N/A"),
    ];
    let found = parsed(&headers, &cells);
    assert_eq!((fields(&found).as_slice(), found.warnings.len()), (expected.as_slice(), 0));
}

#[test]
fn ignored_columns_are_not_kept() {
    let mapping =
        Mapping::guess(&strings(&["Name", "Email", "Secret"])).with_column("Secret", Field::Ignore).unwrap();
    assert!(lead_of(&row(&["Kim", "kim@example.com", "x"]), &mapping).unwrap().lead.fields.is_empty());
}

#[test]
fn a_wide_and_a_long_row_become_leads_with_warnings() {
    let headers: Vec<String> = (0..60).map(|n| format!("Question {n}")).collect();
    let headers: Vec<&str> =
        ["Name", "Email"].into_iter().chain(headers.iter().map(String::as_str)).collect();
    let long = "x".repeat(20_000);
    let cells: Vec<&str> =
        ["Kim", "kim@example.com"].into_iter().chain(std::iter::repeat_n(long.as_str(), 60)).collect();
    let found = parsed(&headers, &cells);
    assert_eq!(found.lead.fields.iter().count(), 40);
    assert!(
        found.warnings.iter().any(|warning| warning.starts_with("20 columns are left out")),
        "{:?}",
        found.warnings
    );
    assert!(found.warnings.iter().any(|warning| warning.contains("“Question 0” is 19.5 KB long")));
}

#[test]
fn an_unknown_owner_is_kept_as_text() {
    let found = with("Lead Owner", "Jo Park");
    assert_eq!((found.owner.as_deref(), fields(&found).len()), (Some("Jo Park"), 0));
    let id = serde_json::from_value(serde_json::json!("019f0000-0000-7000-8000-000000000000")).unwrap();
    let owner = Owner { id, name: "Jo Park".parse().unwrap() };
    let owned = found.clone().with_owner(Ok(owner.clone()));
    assert_eq!((owned.lead.owner, owned.warnings.len()), (Some(owner), 0));
    let kept = found.with_owner(Err("No agent has this name or email."));
    assert_eq!((fields(&kept), &kept.lead.owner), (vec![("Lead Owner", "Jo Park")], &None));
    assert!(kept.warnings[0].contains("“Jo Park”: No agent has this name"), "{:?}", kept.warnings);
    let kept = with("Owner", "Jo Park").with_owner(Err("No agent has this name or email."));
    assert_eq!(fields(&kept), [("Owner (file)", "Jo Park")]);
}

#[test]
fn a_rejection_names_the_column_the_value_and_the_reason() {
    let long = "x".repeat(200);
    let cases: [([&str; 2], &[&str]); 6] = [
        (["Kim", ""], &["Email is empty. Enter an email."]),
        (["Kim", "n/a"], &["Email is empty. Enter an email."]),
        (["Kim", "kim.example.com"], &["Email “kim.example.com”: This isn't a valid email. Use the form"]),
        (
            ["Kim", "kim\u{ad}@example.com"],
            &["Email “kim[U+00AD]@example.com”: The email contains", "U+00AD (soft hyphen) after “kim”"],
        ),
        (["", &long], &["Name is empty. Enter a name. Email “xxx", "xxx…”: This isn't a valid email"]),
        (["#1001", "kim"], &["Name is empty.", "Email “kim”"]),
    ];
    for (cells, expected) in cases {
        let reason = parse(&["Name", "Email"], &cells).unwrap_err();
        assert!(expected.iter().all(|part| reason.contains(part)), "{reason}");
    }
}

#[test]
fn an_unreadable_row_is_rejected_regardless_of_its_cells() {
    let mapping = Mapping::guess(&strings(&["Name", "Email"]));
    let fault = Some(RowFault::OpenQuote);
    let unreadable = Row { fault, ..row(&["Kim", "kim@example.com"]) };
    assert!(lead_of(&unreadable, &mapping).unwrap_err().contains("quotation mark"));
}
