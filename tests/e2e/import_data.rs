//! Imports of the files that CRMs, contact books and lead forms write: no contact is lost, and no guess is wrong.

use serde_json::{Value, json};

use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, change, create, history, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};
use holdfast::base::identity::Role;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_cell_that_fits_no_field_does_not_reject_the_row,
            leads_from_other_countries_are_not_sold_as_us_leads,
            a_workbook_is_imported_as_its_first_sheet,
            an_owner_is_an_agent_or_a_custom_field;
        api: known_emails_are_skipped_filled_or_updated,
            an_import_during_edits_loses_no_edit,
            two_imports_of_one_file_create_every_lead_once,
            an_import_is_undone_except_for_leads_that_changed_since,
            the_report_lists_every_row
    ]
}

async fn upload(agent: &Client, name: &str, file: &[u8]) -> String {
    let answer = agent.post("/leads/imports").upload(&[], ("file", name, file)).send().await;
    answer.expect(303).header("location").to_owned()
}

/// The meanings that the page of an import proposes.
fn proposed(page: &str) -> Vec<(String, String)> {
    let attribute = |text: &str, name: &str| {
        let rest = text.split_once(&format!("{name}=\"")).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    };
    let selects = page.split("<select").skip(1).map(|select| select.split("</select>").next().unwrap());
    selects
        .map(|select| {
            let option = select.split("<option").find(|option| option.contains(" selected")).unwrap();
            (attribute(select, "name"), attribute(option, "value"))
        })
        .collect()
}

/// Imports a file as the page proposes, with some more fields of the form, and returns its address and its last page.
pub async fn import(agent: &Client, file: &[u8], more: &[(&str, &str)]) -> (String, Response) {
    let address = upload(agent, "file.csv", file).await;
    let page = agent.get(&address).send().await.expect(200);
    let mut form = proposed(page.text());
    form.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    agent.post(&address).form(&form).send().await.expect(303);
    let page = finish(agent, &address, "Done.").await;
    (address, page)
}

pub async fn finish(agent: &Client, address: &str, end: &str) -> Response {
    for _ in 0..100 {
        let page = agent.get(address).send().await.expect(200);
        if page.text().contains(end) {
            return page;
        }
        agent.post(&format!("{address}/step")).send().await.expect(303);
    }
    panic!("{address} does not end");
}

/// The only lead that a search finds, with its custom fields.
pub async fn found(agent: &Client, words: &str) -> Value {
    let page: Value = agent.get(&format!("/api/leads?q={words}")).send().await.expect(200).json();
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{words}: {page}");
    read(agent, &items[0]).await
}

async fn a_cell_that_fits_no_field_does_not_reject_the_row(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let file = "First Name,Last Name,Email,State,Lead Status,Score,Phone\n\
        Ida,Moss,ida@example.com,Guam,Attempting Contact,85.0,212-555-0100\n\
        Uli,Berg,uli@example.com,Bayern,Open,92%,call the office\n\
        Noa,Katz,noa@example.com,tex.,Converted,,\n";
    let (address, page) = import(&agent, file.as_bytes(), &[]).await;
    assert!(page.text().contains("<dt>Created</dt><dd>3</dd>"), "{}", page.text());
    let ida = found(&agent, "ida").await;
    assert_eq!(
        (&ida["state"], &ida["status"], &ida["leadScore"]),
        (&Value::Null, &json!("PROSPECT"), &json!(85))
    );
    assert_eq!(ida["fields"], json!({ "Lead Status": "Attempting Contact", "State (file)": "Guam" }));
    let uli = found(&agent, "uli").await;
    assert_eq!((&uli["leadScore"], uli.get("phone")), (&json!(92), None));
    let noa = found(&agent, "noa").await;
    assert_eq!((&noa["state"], &noa["status"]), (&json!("TX"), &json!("QUALIFIED")));
    let report = agent.get(&format!("{address}/report.csv")).send().await.expect(200);
    for shown in ["Guam", "Attempting Contact", "Bayern", "call the office"] {
        assert!(report.text().contains(shown), "{shown}: {}", report.text());
    }
}

async fn leads_from_other_countries_are_not_sold_as_us_leads(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let file = "Name,Email,State,Country\n\
        May Ito,may@example.com,CA,United States\n\
        Gio Riva,gio@example.com,CA,Italy\n\
        Bea Sol,bea@example.com,PA,Panama\n\
        Tom Reed,tom@example.com,\"WA, Australia\",\n";
    import(&agent, file.as_bytes(), &[]).await;
    for (words, state) in
        [("may", json!("CA")), ("gio", Value::Null), ("bea", Value::Null), ("tom", Value::Null)]
    {
        assert_eq!(found(&agent, words).await["state"], state, "{words}");
    }
    let order = json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["CA", "PA", "WA"] });
    let order: Value = agent.post("/api/orders").json(&order).send().await.expect(201).json();
    let leads: Value = agent
        .get(&format!("/api/orders/{}/leads", order["id"].as_str().unwrap()))
        .send()
        .await
        .expect(200)
        .json();
    let names: Vec<&Value> = leads["items"].as_array().unwrap().iter().map(|lead| &lead["name"]).collect();
    assert_eq!(names, ["May Ito"], "{leads}");
}

async fn a_workbook_is_imported_as_its_first_sheet(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let workbook = include_bytes!("../fixtures/leads/contacts.xlsx");
    let address = upload(&agent, "contacts.xlsx", workbook).await;
    let page = agent.get(&address).send().await.expect(200);
    let form = proposed(page.text());
    agent.post(&address).form(&form).send().await.expect(303);
    let page = finish(&agent, &address, "Done.").await;
    assert!(page.text().contains("<dt>Created</dt><dd>2</dd>"), "{}", page.text());
    let ida = found(&agent, "ida").await;
    assert_eq!((&ida["state"], &ida["leadScore"]), (&json!("OH"), &json!(85)));
    let broken =
        agent.post("/leads/imports").upload(&[], ("file", "a.xlsx", b"PK\x03\x04 no workbook")).send().await;
    assert!(broken.expect(422).text().contains("workbook"));
}

async fn an_owner_is_an_agent_or_a_custom_field(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let bob = workspace.account(Role::Agent, "Bob Roe").await;
    let file =
        format!("Name,Email,Owner\nIda,ida@example.com,{}\nUli,uli@example.com,Somebody Else\n", bob.email);
    import(&agent, file.as_bytes(), &[]).await;
    assert_eq!(found(&agent, "ida").await["owner"]["name"], "Bob Roe");
    let uli = found(&agent, "uli").await;
    assert!(uli.get("owner").is_none());
    assert_eq!(
        uli["fields"]["Owner (file)"].as_str().or(uli["fields"]["Owner"].as_str()),
        Some("Somebody Else"),
        "{uli}"
    );
}

const KNOWN: &str =
    "Name,Email,Phone,Company,Industry\nIda Moss-Ray,ida@example.com,212-555-0100,Acme,Roofing\n";

async fn known_emails_are_skipped_filled_or_updated(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut new = new_lead("Ida Moss", "ida@example.com");
    new["company"] = json!("Other");
    let lead = create(&agent, &new).await;
    let (_, page) = import(&agent, KNOWN.as_bytes(), &[]).await;
    assert!(page.text().contains("<dt>Skipped (existing email)</dt><dd>1</dd>"), "{}", page.text());
    assert_eq!(read(&agent, &lead).await["version"], 1);
    let (_, page) = import(&agent, KNOWN.as_bytes(), &[("known", "fill")]).await;
    assert!(page.text().contains("<dt>Filled</dt><dd>1</dd>"), "{}", page.text());
    let filled = read(&agent, &lead).await;
    assert_eq!((&filled["name"], &filled["company"]), (&json!("Ida Moss"), &json!("Other")));
    assert_eq!(
        (&filled["phone"], &filled["fields"]["Industry"]),
        (&json!("212-555-0100"), &json!("Roofing"))
    );
    let (_, page) = import(&agent, KNOWN.as_bytes(), &[("known", "update")]).await;
    assert!(page.text().contains("<dt>Updated</dt><dd>1</dd>"), "{}", page.text());
    let updated = read(&agent, &lead).await;
    assert_eq!((&updated["name"], &updated["company"]), (&json!("Ida Moss-Ray"), &json!("Acme")));
    assert_eq!(
        (&updated["leadScore"], &updated["state"]),
        (&json!(50), &json!("NY")),
        "the file has neither"
    );
    let (_, page) = import(&agent, KNOWN.as_bytes(), &[("known", "update")]).await;
    assert!(page.text().contains("<dt>Skipped (existing email)</dt><dd>1</dd>"), "nothing to change");
}

async fn an_import_during_edits_loses_no_edit(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Ida Moss", "ida@example.com")).await;
    let edits = async {
        let mut version = 1;
        for score in 1..20 {
            let answer = change(&agent, &lead, version, json!({ "leadScore": score })).await;
            version = match answer.status.as_u16() {
                200 => answer.json::<Value>()["version"].as_u64().unwrap(),
                _ => answer.json::<Value>()["fresh"]["version"].as_u64().unwrap(),
            };
        }
    };
    let ((), (_, page)) = tokio::join!(edits, import(&agent, KNOWN.as_bytes(), &[("known", "update")]));
    assert!(page.text().contains("<dt>Updated</dt><dd>1</dd>"), "{}", page.text());
    let now = read(&agent, &lead).await;
    assert_eq!((&now["name"], &now["phone"]), (&json!("Ida Moss-Ray"), &json!("212-555-0100")));
    let entries = history(&agent, &lead).await;
    let versions: Vec<u64> = entries.iter().map(|entry| entry["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, (1..=versions.len() as u64).collect::<Vec<_>>());
}

async fn two_imports_of_one_file_create_every_lead_once(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let rows: String = (0..60).map(|n| format!("Person {n},person{n}@example.com\n")).collect();
    let file = format!("Name,Email\n{rows}");
    let ((_, one), (_, other)) =
        tokio::join!(import(&agent, file.as_bytes(), &[]), import(&agent, file.as_bytes(), &[]));
    let count = |page: &Response, title: &str| -> u64 {
        let rest = page.text().split_once(&format!("<dt>{title}</dt><dd>")).unwrap().1;
        rest.split('<').next().unwrap().parse().unwrap()
    };
    assert_eq!(count(&one, "Created") + count(&other, "Created"), 60);
    let skipped = "Skipped (existing email)";
    assert_eq!(count(&one, skipped) + count(&other, skipped), 60);
}

async fn an_import_is_undone_except_for_leads_that_changed_since(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let known = create(&agent, &new_lead("Ida Moss", "ida@example.com")).await;
    let file = "Name,Email,Phone\nIda Ray,ida@example.com,212-555-0100\nUli Berg,uli@example.com,\n\
        Noa Katz,noa@example.com,\n";
    let (address, _) = import(&agent, file.as_bytes(), &[("known", "update")]).await;
    let noa = found(&agent, "noa").await;
    change(&agent, &noa, 1, json!({ "leadScore": 9 })).await.expect(200);
    let uli = found(&agent, "uli").await;
    agent.post(&format!("{address}/undo")).send().await.expect(303);
    let page = finish(&agent, &address, "Import undone.").await;
    assert!(
        page.text().contains("1 lead moved to the trash, 1 got its earlier values back"),
        "{}",
        page.text()
    );
    assert!(page.text().contains("Leads not undone") && page.text().contains(noa["id"].as_str().unwrap()));
    let ida = read(&agent, &known).await;
    assert_eq!((&ida["name"], ida.get("phone"), &ida["version"]), (&json!("Ida Moss"), None, &json!(3)));
    agent.get(&format!("/api/leads/{}", uli["id"].as_str().unwrap())).send().await.expect(410);
    assert_eq!(read(&agent, &noa).await["leadScore"], 9);
    // A second press changes nothing.
    agent.post(&format!("{address}/undo")).send().await.expect(303);
    assert_eq!(read(&agent, &known).await["version"], 3);
}

async fn the_report_lists_every_row(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    create(&agent, &new_lead("Ida Moss", "ida@example.com")).await;
    let file = "Name,Email,State\nIda,ida@example.com,\nUli,uli@example.com,Bavaria\nUli,uli@example.com,\nX,none,\n";
    let (address, _) = import(&agent, file.as_bytes(), &[]).await;
    let report = agent.get(&format!("{address}/report.csv")).send().await.expect(200);
    let lines: Vec<&str> = report.text().lines().collect();
    assert_eq!(lines.len(), 5, "{}", report.text());
    for (line, begin, part) in [
        (1, "2,skipped,/leads/", ""),
        (2, "3,created,/leads/", "Bavaria"),
        (3, "4,skipped,,", "An earlier row"),
        (4, "5,rejected,,", "Email"),
    ] {
        assert!(lines[line].starts_with(begin) && lines[line].contains(part), "{}", lines[line]);
    }
}
