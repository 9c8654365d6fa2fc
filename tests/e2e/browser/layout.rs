//! The layout of all pages at many widths, with words that are longer than a line.

use std::collections::BTreeMap;

use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::inventory::domain::{Delivery, Source};
use holdfast::inventory::health::Progress;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::imports::{fixture, upload};
use super::{Office, Place, id};
use crate::dead_letters::spoil_and_mend;
use crate::get_routes::{self, assert_all_are_in, with_plain_pages};
use crate::inventory_api::{event, send};
use crate::stats::process_stream;
use crate::support::browser::{At, Browser, Look};
use crate::support::http::Client;
use crate::support::workspace::{change, create};
use crate::support::{Case, TestEnvironment, cases};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: every_page_keeps_its_layout_at_fourteen_widths,
            a_row_keeps_its_place_while_it_is_edited,
            a_table_is_a_table_at_every_width
    ]
}

const WIDTHS: [u32; 14] = [320, 360, 390, 480, 600, 720, 800, 833, 900, 960, 1024, 1120, 1280, 1440];

/// Returns what is wrong with the layout of a page.
const FAULTS: &str = include_str!("layout.js");

/// Creates a token in the session of the browser and returns the status.
const CREATE_TOKEN: &str = "
    const request = new XMLHttpRequest();
    request.open('POST', '/api/tokens', false);
    request.setRequestHeader('content-type', 'application/json');
    request.send(arguments[0]);
    return request.status";

/// A word that is longer than a line of a telephone.
const WORD: &str = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch";

/// Pages of records, and a search without results. `{…}` stands for a record of its kind.
const PAGES_OF_RECORDS: [&str; 20] = [
    "/automation/rules/{rule}",
    "/inventory/dead-letters/{letter}",
    "/inventory/{sku}",
    "/leads?q=nothing",
    "/leads/{lead}",
    "/leads/{gone}",
    "/leads/{lead}/duplicates",
    "/leads/{lead}/edit",
    "/leads/{lead}/history",
    "/leads/{lead}/merge?with={twin}",
    "/leads/{lead}/notes/{note}",
    "/orders/{order}",
    "/orders/{order}/release?lead={held}",
    "/people/{account}",
    "/people/{account}/deletion",
    "/raffles/{raffle}",
    "/raffles/{drawn}",
    "/raffles/{drawn}/proof",
    "/raffles/{raffle}/tickets",
    "/raffles/{drawn}/tickets",
];

/// Pages of visitors.
const VISITORS: [&str; 3] = ["/sign-in", "/sign-up", "/sign-in/link/used"];

/// The page that the walk opens by an upload.
const UPLOADED: &str = "/leads/imports/{id}";

/// What is wrong with the pages, with the widths at which it is.
#[derive(Default)]
struct Findings(BTreeMap<String, Vec<u32>>);

impl Findings {
    /// Measures the open page at all widths.
    async fn measure(&mut self, person: &Browser, name: &str) {
        for width in WIDTHS {
            person.look(Look { size: (width, 900), ..Look::desktop() }).await;
            let faults = person.run(FAULTS, Vec::new()).await;
            for fault in faults.as_array().expect("a list of faults") {
                let fault = format!("{name}: {}", fault.as_str().expect("a sentence"));
                self.0.entry(fault).or_default().push(width);
            }
        }
        person.look(Look::desktop()).await;
    }

    fn assert_none(&self) {
        let lines: Vec<String> = self.0.iter().map(|(fault, at)| format!("{fault} at {at:?}")).collect();
        assert!(lines.is_empty(), "{} faults of layout:\n  {}", lines.len(), lines.join("\n  "));
    }
}

async fn every_page_keeps_its_layout_at_fourteen_widths(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let pages = with_plain_pages(&PAGES_OF_RECORDS);
    let visited = pages.iter().copied().chain(VISITORS).chain([UPLOADED]);
    assert_all_are_in(&get_routes::PAGES, "PAGES_OF_RECORDS or VISITORS", visited);
    let mut findings = Findings::default();
    let ada = office.environment.browser(Look::desktop()).await;
    for path in VISITORS {
        ada.goto(&office.url(path)).await;
        findings.measure(&ada, path).await;
    }
    office.workspace.sign_in(&ada, &office.server, Role::Administrator, WORD).await;
    ada.wait_for_text("main", "No leads yet").await;
    findings.measure(&ada, "no leads").await;
    let names = create_records(&office).await;
    let status = ada.run(CREATE_TOKEN, vec![json!({ "name": WORD }).to_string().into()]).await;
    assert_eq!(status, 201, "a token is created");
    for path in pages.into_iter().chain(["/nowhere"]) {
        let filled = names.iter().fold(path.to_owned(), |path, (name, id)| path.replace(name, id));
        ada.goto(&office.url(&filled)).await;
        findings.measure(&ada, path).await;
    }
    measure_imports(&office, &ada, &mut findings).await;
    measure_conflicts(&office, &ada, &mut findings).await;
    findings.assert_none();
}

/// The pages of an import follow from an upload.
async fn measure_imports(office: &Office, ada: &Browser, findings: &mut Findings) {
    upload(office, ada, &fixture("contacts-with-mistakes.csv")).await;
    findings.measure(ada, "preview of an import").await;
    ada.click(At::Css("main form [type=submit]")).await;
    ada.wait_for("#import-progress [role=status]").await;
    findings.measure(ada, "report of an import").await;
}

/// A row in edit, its errors, and its conflict.
async fn measure_conflicts(office: &Office, ada: &Browser, findings: &mut Findings) {
    let lead = office.lead("Grace Hopper", 79).await;
    office.edit(ada, &lead, Place::Row).await;
    findings.measure(ada, "a row in edit").await;
    ada.choose(At::Css(&super::field(&lead, "status")), "Converted").await;
    ada.fill(At::Css(&super::field(&lead, "email")), "nothing").await;
    ada.run("document.querySelector('.editing form').noValidate = true", Vec::new()).await;
    ada.click(At::Named("Save")).await;
    ada.wait_for("[aria-invalid=true]").await;
    findings.measure(ada, "a row with errors").await;
    ada.fill(At::Css(&super::field(&lead, "email")), "grace@example.com").await;
    ada.fill(At::Css(&super::field(&lead, "name")), WORD).await;
    office.change(&lead, json!({ "leadScore": 85, "name": format!("{WORD}{}", &WORD[..30]) })).await;
    ada.click(At::Named("Save")).await;
    ada.wait_for(".conflict").await;
    findings.measure(ada, "a conflict in a row").await;
}

/// Creates records of every kind, with long words, and returns the addresses of some.
async fn create_records(office: &Office) -> Vec<(&'static str, String)> {
    let admin = office.workspace.program(Role::Administrator).await;
    let mut names = create_leads(&admin).await;
    names.extend(create_raffles(office, &admin).await);
    names.extend(create_inventory(office, &admin).await);
    names.extend(create_rules(office, &admin).await);
    let person = json!({ "name": WORD, "email": format!("{WORD}@example.com"), "role": "agent" });
    let person: Value = admin.post("/api/accounts").json(&person).send().await.expect(201).json();
    names.push(("{account}", id(&person).to_owned()));
    process_stream(&office.environment, &office.workspace).await;
    names
}

async fn create_leads(admin: &Client) -> Vec<(&'static str, String)> {
    let email = format!("{}@{}example.com", "a".repeat(60), "long-subdomain.".repeat(2));
    let lead = |start: &str| {
        json!({
            "name": WORD, "email": format!("{start}{email}"), "state": "NY", "leadScore": 85,
            "phone": "+1 212 555 0100", "company": WORD, "fields": { &WORD[..40]: WORD.repeat(3) },
        })
    };
    let (first, twin, gone) =
        (create(admin, &lead("a")).await, create(admin, &lead("b")).await, create(admin, &lead("c")).await);
    change(admin, &first, 1, json!({ "status": "CONVERTED", "name": format!("{WORD}{WORD}") }))
        .await
        .expect(200);
    change(admin, &first, 2, json!({ "name": WORD })).await.expect(200);
    let of = |lead: &Value, rest: &str| format!("/api/leads/{}{rest}", id(lead));
    let note = json!({ "text": WORD.repeat(5) });
    let note: Value = admin.post(&of(&first, "/notes")).json(&note).send().await.expect(201).json();
    admin.delete(&of(&gone, "?version=1")).send().await.expect(204);
    for number in 0..60 {
        let name = if number % 2 == 0 { "Grace Brewster Murray Hopper" } else { WORD };
        let lead = json!({
            "name": name, "email": format!("lead-{number}@{}example.com", "long-subdomain.".repeat(number % 6)),
            "state": "CA", "leadScore": number, "status": if number % 3 == 0 { "QUALIFIED" } else { "PROSPECT" },
        });
        create(admin, &lead).await;
    }
    let order = json!({
        "customerName": WORD, "customerEmail": email, "requestedStates": ["NY", "CA", "TX", "MA", "NC", "DC"],
    });
    let order: Value = admin.post("/api/orders").json(&order).send().await.expect(201).json();
    let held = format!("/api/orders/{}/leads?limit=1", id(&order));
    let held: Value = admin.get(&held).send().await.expect(200).json();
    vec![
        ("{lead}", id(&first).to_owned()),
        ("{twin}", id(&twin).to_owned()),
        ("{gone}", id(&gone).to_owned()),
        ("{note}", id(&note).to_owned()),
        ("{order}", id(&order).to_owned()),
        ("{held}", id(&held["items"][0]).to_owned()),
    ]
}

async fn create_raffles(office: &Office, admin: &Client) -> Vec<(&'static str, String)> {
    let buyer = office.workspace.bearer(&office.workspace.token(Role::Participant, WORD).await);
    let mut names = Vec::new();
    for name in ["{raffle}", "{drawn}"] {
        let raffle = json!({ "title": WORD, "prize": WORD.repeat(2), "tickets": 200, "limitPerPerson": 10 });
        let raffle: Value = admin.post("/api/raffles").json(&raffle).send().await.expect(201).json();
        let tickets = format!("/api/raffles/{}/tickets", id(&raffle));
        buyer.post(&tickets).json(&json!({ "quantity": 5 })).send().await.expect(201);
        names.push((name, id(&raffle).to_owned()));
    }
    let draw = format!("/api/raffles/{}/draw", names[1].1);
    admin.post(&draw).json(&json!({})).send().await.expect(200);
    names
}

async fn create_inventory(office: &Office, admin: &Client) -> Vec<(&'static str, String)> {
    let sku = "X".repeat(40);
    let mut first = event("first", &sku, "COUNT", 1_000_000);
    first["name"] = json!(WORD.repeat(2));
    let mut more = event(&"message-".repeat(8), &sku, "RECEIPT", 12);
    more["reference"] = json!(WORD);
    let adjusted = json!({ "version": 2, "stock": 12, "reason": WORD });
    send(
        admin,
        &json!([first, more, event("low", "A1", "COUNT", 0), event("big", &sku, "SALE", 900_000_000)]),
    )
    .await;
    admin.post(&format!("/api/products/{sku}/adjust")).json(&adjusted).send().await;
    let inventory = office.workspace.app.inventory();
    let (source, bytes) = (Source::kafka(WORD, 3, 120), vec![0xff; 400]);
    let error = Delivery::of_bytes(&source, bytes.clone()).unwrap_err();
    inventory.add_dead_letter(&source, &bytes, &error).await.unwrap();
    let progress = |lag| Progress {
        group: WORD.to_owned(),
        topic: WORD.to_owned(),
        partition: 12,
        offset: 123_456_789,
        lag,
        at: Timestamp::now(),
    };
    inventory
        .report_progress(&[progress(Some(1_200)), Progress { partition: 3, ..progress(None) }])
        .await
        .unwrap();
    let letters: Value = admin.get("/api/inventory/parked?limit=1").send().await.expect(200).json();
    vec![("{sku}", sku), ("{letter}", id(&letters["items"][0]).to_owned())]
}

/// A rule that works and one whose run has failed, and a dead letter.
async fn create_rules(office: &Office, admin: &Client) -> Vec<(&'static str, String)> {
    let nowhere = "fulfill_order order_id=019f0000-0000-7000-8000-000000000000";
    let mut last = Value::Null;
    for (on, command) in [("lead.qualified", "get_leads state=NY"), ("every 1m", nowhere)] {
        let rule = json!({ "name": WORD, "on": on, "command": command });
        last = admin.post("/api/automation/rules").json(&rule).send().await.expect(201).json();
    }
    let lead = office.lead("Mary Jackson", 50).await;
    spoil_and_mend(&office.environment, &format!("LEAD#{}", id(&lead))).await;
    for minutes in [2, 10, 30] {
        let now = move || Timestamp::now() + SignedDuration::from_mins(minutes);
        let workspace = office.workspace.clone().with_clock(Clock::from_fn(now));
        workspace.app.projections().sweep().await.expect("the sweep is done");
    }
    vec![("{rule}", id(&last).to_owned())]
}

/// The edges of the first rows of the list and of the cells of the row below the edited one.
const PLACES: &str = "
    const rows = [...document.querySelectorAll('#lead-rows tr')];
    const edges = element => { const box = element.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom]; };
    return [...rows.map(edges), ...[...rows[2].cells].map(edges)]";

async fn a_row_keeps_its_place_while_it_is_edited(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    for name in ["Mary Jackson", "Grace Hopper", "Katherine Johnson"] {
        office.lead(name, 50).await;
    }
    let ada = office.agent("Ada", Look::desktop()).await;
    for width in [1440, 1100, 900] {
        ada.look(Look { size: (width, 900), ..Look::desktop() }).await;
        let before = ada.run(PLACES, Vec::new()).await;
        ada.click(At::Named("Edit Grace Hopper")).await;
        ada.wait_for("tr.editing").await;
        assert_eq!(ada.run(PLACES, Vec::new()).await, before, "at {width}");
        ada.click(At::Named("Cancel")).await;
        ada.wait_until_gone("tr.editing").await;
    }
    // A pill differs from the row, also while the pointer is over it.
    ada.look(Look::desktop()).await;
    ada.hover("#lead-rows tr:nth-child(2) .badge:not(.outline)").await;
    let colors = "
        const pill = document.querySelector('#lead-rows tr:nth-child(2) .badge:not(.outline)');
        return [pill, pill.closest('tr'), pill.closest('table')].map(one => getComputedStyle(one).backgroundColor)";
    let colors = ada.run(colors, Vec::new()).await;
    assert_ne!(colors[1], colors[2], "the pointer is over the row");
    assert_ne!(colors[0], colors[1], "the pill is visible");
    // The frame of the focus is around the field, and not around all filters.
    ada.click(At::Css("#q")).await;
    let frame = "
        const style = getComputedStyle(document.querySelector('#lead-search'));
        return [style.boxShadow, style.outlineStyle, getComputedStyle(document.activeElement).outlineStyle]";
    assert_eq!(ada.run(frame, Vec::new()).await, json!(["none", "none", "solid"]));
}

/// A table is laid out as a grid, which must not take away what it is to a screen reader.
async fn a_table_is_a_table_at_every_width(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    for look in [Look::desktop(), Look::phone()] {
        ada.look(look).await;
        for (css, role) in [
            (".table", "table"),
            (".table tbody tr", "row"),
            (".table tbody th", "rowheader"),
            (".table tbody td", "cell"),
            (".table .tail td", "cell"),
            (".table thead th", "columnheader"),
        ] {
            assert_eq!(ada.role(css).await, role, "{css} in {look:?}");
        }
    }
}
