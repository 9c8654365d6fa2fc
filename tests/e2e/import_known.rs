//! Imports of leads that exist: a value that does not fit does not reject its row, each row is written once, and an
//! undo reverts only what the import wrote.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::dead_letters::spoil;
use super::import_data::{finish, found, import};
use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, address, change, create, history, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};
use holdfast::base::identity::Role;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_value_that_a_rule_forbids_does_not_reject_the_row,
            a_conversion_is_judged_by_the_stored_score,
            custom_fields_that_do_not_fit_do_not_reject_the_row,
            an_owner_is_found_by_a_name_that_one_agent_has;
        api: rows_with_one_email_write_a_lead_once_however_far_apart_they_are,
            two_imports_of_one_file_update_every_lead_once,
            an_import_beside_a_deletion_loses_no_contact,
            several_rows_of_an_import_for_one_lead_are_undone_together
    ]
}

const UPDATE: [(&str, &str); 1] = [("known", "update")];
const FILL: [(&str, &str); 1] = [("known", "fill")];

fn count(page: &Response, title: &str) -> u64 {
    let Some((_, rest)) = page.text().split_once(&format!("<dt>{title}</dt><dd>")) else { return 0 };
    rest.split('<').next().unwrap().parse().unwrap()
}

async fn report(agent: &Client, import: &str) -> String {
    agent.get(&format!("{import}/report.csv")).send().await.expect(200).text().to_owned()
}

/// A converted lead in an open order.
async fn sold(agent: &Client) -> Value {
    let mut new = new_lead("Ida Moss", "ida@example.com");
    new["leadScore"] = json!(90);
    new["status"] = json!("CONVERTED");
    let lead = create(agent, &new).await;
    let order =
        json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"] });
    agent.post("/api/orders").json(&order).send().await.expect(201);
    lead
}

async fn a_value_that_a_rule_forbids_does_not_reject_the_row(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = sold(&agent).await;
    let file = "Name,Email,Phone,State,Lead Status,Lead Score,Notes\n\
        Ida Moss,ida@example.com,212-555-0100,TX,Open,40,Called.\n";
    let (address, page) = import(&agent, file.as_bytes(), &UPDATE).await;
    assert_eq!((count(&page, "Updated"), count(&page, "Rejected")), (1, 0), "{}", page.text());
    let now = read(&agent, &lead).await;
    assert_eq!((&now["phone"], &now["fields"]["Notes"]), (&json!("212-555-0100"), &json!("Called.")));
    assert_eq!(
        (&now["status"], &now["leadScore"], &now["state"]),
        (&json!("CONVERTED"), &json!(90), &json!("NY"))
    );
    let report = report(&agent, &address).await;
    for note in ["Status “Prospect” isn't saved", "Lead score “40” isn't saved", "State “Texas” isn't saved"]
    {
        assert!(report.contains(note), "{note}: {report}");
    }
}

async fn a_conversion_is_judged_by_the_stored_score(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut new = new_lead("Ida Moss", "ida@example.com");
    (new["leadScore"], new["status"]) = (json!(90), json!("QUALIFIED"));
    let ready = create(&agent, &new).await;
    let cold = create(&agent, &new_lead("Uli Berg", "uli@example.com")).await;
    let file = "Name,Email,Status\nIda Moss,ida@example.com,Customer\nUli Berg,uli@example.com,Customer\n";
    let (address, page) = import(&agent, file.as_bytes(), &UPDATE).await;
    assert_eq!(count(&page, "Updated"), 2, "{}", page.text());
    let (ready, cold) = (read(&agent, &ready).await, read(&agent, &cold).await);
    assert_eq!((&ready["status"], ready.get("fields")), (&json!("CONVERTED"), None));
    assert_eq!(cold["status"], "QUALIFIED");
    assert!(cold["fields"].to_string().contains("Customer"), "{cold}");
    let report = report(&agent, &address).await;
    let lines: Vec<&str> = report.lines().collect();
    assert!(!lines[1].contains("QUALIFIED") && lines[2].contains("QUALIFIED"), "{report}");
    // Once it is converted, the same file changes nothing of it.
    let (_, page) = import(&agent, file.as_bytes(), &UPDATE).await;
    assert_eq!(count(&page, "Skipped (existing email)"), 2, "{}", page.text());
}

async fn custom_fields_that_do_not_fit_do_not_reject_the_row(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut new = new_lead("Ida Moss", "ida@example.com");
    new["fields"] =
        (0..39).map(|n| (format!("Field {n}"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    let many = create(&agent, &new).await;
    new["email"] = json!("uli@example.com");
    new["fields"] = json!({ "Text": "x".repeat(16_000) });
    let long = create(&agent, &new).await;
    let text = "y".repeat(500);
    let file = format!(
        "Name,Email,Phone,Hobby,Memo,Pet\n\
        Ida Moss,ida@example.com,212-555-0100,Chess,Hi,Cat\nUli Berg,uli@example.com,212-555-0101,Go,{text},Dog\n"
    );
    let (address, page) = import(&agent, file.as_bytes(), &FILL).await;
    assert_eq!((count(&page, "Filled"), count(&page, "Rejected")), (2, 0), "{}", page.text());
    let (many, long) = (read(&agent, &many).await, read(&agent, &long).await);
    assert_eq!(many["fields"].as_object().unwrap().len(), 40);
    assert_eq!((&many["phone"], &many["fields"]["Hobby"]), (&json!("212-555-0100"), &json!("Chess")));
    assert_eq!((&long["fields"]["Hobby"], &long["fields"]["Pet"]), (&json!("Go"), &json!("Dog")));
    assert!(long["fields"].get("Memo").is_none());
    let report = report(&agent, &address).await;
    for note in ["2 custom fields aren't saved: “Memo”, “Pet”.", "1 custom field isn't saved: “Memo”."]
    {
        assert!(report.contains(note), "{note}: {report}");
    }
}

async fn an_owner_is_found_by_a_name_that_one_agent_has(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    for (role, name) in [
        (Role::Agent, "Olga Reed"),
        (Role::Agent, "Pat Fox"),
        (Role::Administrator, "Pat Fox"),
        (Role::Viewer, "Vi Ewer"),
    ] {
        workspace.account(role, name).await;
    }
    let file = "Name,Email,Owner\nIda,ida@example.com,olga reed\nUli,uli@example.com,Pat Fox\n\
        Noa,noa@example.com,Vi Ewer\n";
    let (address, _) = import(&agent, file.as_bytes(), &[]).await;
    assert_eq!(found(&agent, "ida").await["owner"]["name"], "Olga Reed");
    for kept in ["uli", "noa"] {
        let lead = found(&agent, kept).await;
        assert!(lead.get("owner").is_none() && lead["fields"].is_object(), "{lead}");
    }
    let report = report(&agent, &address).await;
    for note in ["“Pat Fox”: Several agents have this name.", "“Vi Ewer”: No agent has this name or email."]
    {
        assert!(report.contains(note), "{note}: {report}");
    }
}

/// A file with one known email in its first and its last row, with this many rows between them.
fn twice(email: &str, between: usize) -> String {
    let rows: String = (0..between).map(|n| format!("Person,person{n}-{email},,\n")).collect();
    let last = email.to_uppercase();
    format!("Name,Email,Phone,Company\nIda Ray,{email},212-555-0100,\n{rows}Ida Roe,{last},,Acme\n")
}

async fn rows_with_one_email_write_a_lead_once_however_far_apart_they_are(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for (n, (between, known)) in
        [(3, UPDATE), (50, UPDATE), (50, FILL), (210, UPDATE)].into_iter().enumerate()
    {
        let email = format!("ida{n}@example.com");
        let lead = create(&agent, &new_lead("Ida Moss", &email)).await;
        let (address, page) = import(&agent, twice(&email, between).as_bytes(), &known).await;
        let titles = ["Created", "Filled", "Updated", "Skipped (existing email)"];
        let (filled, updated) = if known == FILL { (1, 0) } else { (0, 1) };
        assert_eq!(
            titles.map(|title| count(&page, title)),
            [between as u64, filled, updated, 1],
            "{between}"
        );
        let now = read(&agent, &lead).await;
        assert_eq!((&now["version"], &now["phone"]), (&json!(2), &json!("212-555-0100")));
        assert!(now.get("company").is_none(), "{now}");
        let report = report(&agent, &address).await;
        assert!(report.contains("An earlier row in the file has the same email."), "{report}");
        agent.post(&format!("{address}/undo")).send().await.expect(303);
        let page = finish(&agent, &address, "Import undone.").await;
        assert!(!page.text().contains("Leads that stay"), "{}", page.text());
        let now = read(&agent, &lead).await;
        assert_eq!((&now["name"], &now["version"]), (&json!("Ida Moss"), &json!(3)));
        assert!(now.get("phone").is_none(), "{now}");
    }
}

async fn two_imports_of_one_file_update_every_lead_once(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut leads = Vec::new();
    for n in 0..30 {
        leads.push(create(&agent, &new_lead("Person", &format!("person{n}@example.com"))).await);
    }
    let rows: String =
        (0..60).map(|n| n % 30).map(|n| format!("Person {n},person{n}@example.com,{n}\n")).collect();
    let file = format!("Name,Email,Number\n{rows}");
    let ((one, first), (_, second)) =
        tokio::join!(import(&agent, file.as_bytes(), &UPDATE), import(&agent, file.as_bytes(), &UPDATE));
    for page in [&first, &second] {
        let (written, skipped) = (count(page, "Updated"), count(page, "Skipped (existing email)"));
        assert_eq!((written + skipped, count(page, "Rejected")), (60, 0), "{}", page.text());
    }
    let versions = async || {
        let mut versions = Vec::new();
        for lead in &leads {
            versions.push(read(&agent, lead).await);
        }
        versions
    };
    let mut written = 0;
    for (n, lead) in versions().await.iter().enumerate() {
        assert_eq!(
            (&lead["name"], &lead["fields"]["Number"]),
            (&json!(format!("Person {n}")), &json!(n.to_string()))
        );
        written += lead["version"].as_u64().unwrap() - 1;
    }
    assert_eq!(written, count(&first, "Updated") + count(&second, "Updated"), "each change is counted once");
    // An undo reverts what the other import did not change since.
    agent.post(&format!("{one}/undo")).send().await.expect(303);
    finish(&agent, &one, "Import undone.").await;
    for lead in versions().await {
        let entries = history(&agent, &lead).await;
        assert_eq!(entries.len() as u64, lead["version"].as_u64().unwrap(), "every version has its entry");
    }
}

async fn an_import_beside_a_deletion_loses_no_contact(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for n in 0..8 {
        let email = format!("ida{n}@example.com");
        let lead = create(&agent, &new_lead("Ida Moss", &email)).await;
        let file = format!("Name,Email,Phone\nIda Moss,{email},212-555-0100\n");
        let path = format!("{}?version=1", address(&lead));
        let delete = agent.delete(&path).send();
        let (deleted, (_, page)) = tokio::join!(delete, import(&agent, file.as_bytes(), &UPDATE));
        let counts = ["Created", "Updated"].map(|title| count(&page, title));
        match deleted.status.as_u16() {
            204 => assert!(counts == [1, 0] || counts == [0, 1], "{counts:?}: {}", page.text()),
            409 => assert_eq!(counts, [0, 1], "the deletion saw another version"),
            other => panic!("{other}"),
        }
        assert_eq!(count(&page, "Rejected"), 0);
    }
}

async fn several_rows_of_an_import_for_one_lead_are_undone_together(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Ida Moss", "ida@example.com")).await;
    let other = create(&agent, &new_lead("Uli Berg", "uli@example.com")).await;
    let file =
        "Name,Email,Phone\nIda Ray,ida@example.com,212-555-0100\nUli Ray,uli@example.com,212-555-0101\n";
    let (import, _) = import(&agent, file.as_bytes(), &UPDATE).await;
    // Version 0.1 let each row of one email write the lead. Their changes count as one of the import.
    let source = format!("import:{}:90", import.rsplit('/').next().unwrap());
    for lead in [&lead, &other] {
        change(&agent, lead, 2, json!({ "company": "Acme" })).await.expect(200);
        let pk = format!("LEAD#{}", lead["id"].as_str().unwrap());
        let value = AttributeValue::S(source.clone());
        spoil(&environment, &pk, "HISTORY#0000000003", "source", value).await;
    }
    change(&agent, &other, 3, json!({ "leadScore": 9 })).await.expect(200);
    add_row(&environment, &import, &lead, &other).await;
    agent.post(&format!("{import}/undo")).send().await.expect(303);
    let page = finish(&agent, &import, "Import undone.").await;
    let now = read(&agent, &lead).await;
    assert_eq!((&now["name"], now.get("phone"), now.get("company")), (&json!("Ida Moss"), None, None));
    assert_eq!(now["version"], 4, "both changes are undone at once");
    assert_eq!(read(&agent, &other).await["version"], 4, "it was changed since");
    assert!(
        page.text().contains("0 leads moved to the trash, 1 got its earlier values back"),
        "{}",
        page.text()
    );
    assert!(page.text().contains(other["id"].as_str().unwrap()), "{}", page.text());
}

/// Adds a later step of the import, whose rows made version 3 of these leads.
async fn add_row(environment: &TestEnvironment, import: &str, lead: &Value, other: &Value) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: u64| AttributeValue::N(number.to_string());
    let row = |row: u64, lead: &Value| {
        let lead = ("lead", text(lead["id"].as_str().unwrap()));
        let row = [("row", number(row)), ("result", text("updated")), lead, ("version", number(3))];
        AttributeValue::M(row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let pk = format!("IMPORT#{}", import.rsplit('/').next().unwrap());
    let rows = AttributeValue::L(vec![row(90, lead), row(91, other)]);
    let item = vec![("pk", text(&pk)), ("sk", text("ROWS#00000090")), ("schema", number(2)), ("rows", rows)];
    environment.insert_items(vec![item]).await;
}
