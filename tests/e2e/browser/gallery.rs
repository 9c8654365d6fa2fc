//! Every page of the product with the same data every time: times, ids and random numbers repeat.

use std::collections::BTreeMap;

use holdfast::base::identity::Role;
use holdfast::inventory::domain::{Delivery, Source};
use holdfast::inventory::health::Progress;
use holdfast::raffles::domain::RaffleId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{id, text};
use crate::get_routes::{self, assert_all_are_in};
use crate::imports::{finish, send as upload, start};
use crate::inventory_api::{dead_letters, event, send};
use crate::raffle_pages::{drawn, open, sold};
use crate::stats::process_stream;
use crate::support::TestEnvironment;
use crate::support::browser::{Browser, Look};
use crate::support::clock::TestClock;
use crate::support::http::{Client, Server};
use crate::support::workspace::{self, Workspace};

/// Who looks at a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    SignedOut,
    Participant,
    Administrator,
}

/// A page of the gallery.
#[derive(Debug)]
pub struct Page {
    /// Its name in file names and messages.
    pub name: &'static str,
    /// Its path and query.
    pub path: String,
    visitor: Visitor,
    /// A script that brings it into another state, and what the state shows.
    then: Option<(&'static str, &'static str)>,
}

/// An address without a page.
const NOWHERE: &str = "/nowhere";

/// A workspace behind a socket, full of data.
pub struct Gallery {
    workspace: Workspace,
    server: Server,
    pages: Vec<Page>,
}

impl Gallery {
    /// Makes the data.
    pub async fn open(environment: &TestEnvironment) -> Self {
        let clock = TestClock::at("2026-03-10T15:00:00Z".parse().expect("a time"));
        let workspace = Workspace::open(environment).await.reproducible(clock.clock());
        let token = workspace.token(Role::Administrator, "Grace Hopper").await;
        let program = workspace.bearer(&token);
        let server = Server::of(workspace.router.clone()).await;
        let mut maker = Maker { workspace: &workspace, clock, program, pages: Vec::new() };
        maker.leads().await;
        maker.imports().await;
        maker.orders().await;
        maker.inventory().await;
        maker.automation().await;
        maker.raffles().await;
        maker.people().await;
        process_stream(environment, &workspace).await;
        let pages = maker.pages;
        let paths = pages.iter().map(|page| page.path.as_str()).filter(|path| *path != NOWHERE);
        assert_all_are_in(&get_routes::PAGES, "the gallery", paths);
        Self { workspace, server, pages }
    }

    /// A browser in which the visitor is signed in.
    pub async fn browser(&self, environment: &TestEnvironment, visitor: Visitor) -> Browser {
        let browser = environment.browser(Look::desktop()).await;
        let (role, name) = match visitor {
            Visitor::SignedOut => return browser,
            Visitor::Participant => (Role::Participant, "Pat Doe"),
            Visitor::Administrator => (Role::Administrator, "Ada Lovelace"),
        };
        self.workspace.sign_in(&browser, &self.server, role, name).await;
        browser
    }

    /// The pages that this visitor looks at.
    pub fn pages_of(&self, visitor: Visitor) -> impl Iterator<Item = &Page> {
        self.pages.iter().filter(move |page| page.visitor == visitor)
    }

    /// Opens a page.
    pub async fn show(&self, browser: &Browser, page: &Page) {
        browser.look(Look::desktop()).await;
        browser.goto(&self.server.url(&page.path)).await;
        if let Some((script, shown)) = page.then {
            browser.run(script, Vec::new()).await;
            browser.wait_for(shown).await;
        }
    }
}

/// Makes the data and lists its pages.
struct Maker<'a> {
    workspace: &'a Workspace,
    clock: TestClock,
    program: Client,
    pages: Vec<Page>,
}

/// The people of the leads: name, state, score and company.
const LEADS: [(&str, &str, u8, &str); 14] = [
    ("Mary Jackson", "VA", 91, "Langley Instruments"),
    ("Katherine Johnson", "WV", 88, "Orbit Partners"),
    ("Dorothy Vaughan", "VA", 76, "Langley Instruments"),
    ("Annie Easley", "AL", 64, ""),
    ("Evelyn Boyd Granville", "DC", 52, "Granville & Daughters"),
    ("Maximiliana Featherstonehaugh-Cholmondeley", "NY", 47, "The Extraordinarily Long Company Name"),
    ("Ida Rhodes", "NY", 83, "Rhodes Bureau"),
    ("Jean Bartik", "MO", 29, ""),
    ("Betty Holberton", "PA", 80, "Holberton Tools"),
    ("Kathleen Antonelli", "PA", 35, ""),
    ("Ruth Teitelbaum", "NY", 71, "Rhodes Bureau"),
    ("Marlyn Meltzer", "PA", 14, ""),
    ("Frances Spence", "PA", 58, "Spence & Co"),
    ("Ida Rhodes", "NY", 12, "Rhodes Bureau"),
];

impl Maker<'_> {
    fn page(&mut self, name: &'static str, path: impl Into<String>) {
        self.page_of(Visitor::Administrator, name, path);
    }

    fn page_of(&mut self, visitor: Visitor, name: &'static str, path: impl Into<String>) {
        self.pages.push(Page { name, path: path.into(), visitor, then: None });
    }

    /// The page that was listed last, in another state.
    fn then(&mut self, name: &'static str, script: &'static str, shown: &'static str) {
        let last = self.pages.last().expect("a page was listed");
        let (path, visitor) = (last.path.clone(), last.visitor);
        self.pages.push(Page { name, path, visitor, then: Some((script, shown)) });
    }

    fn later(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.program.post(path).json(&body).send().await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        if answer.text().is_empty() { Value::Null } else { answer.json() }
    }

    async fn leads(&mut self) {
        let mut leads: Vec<Value> = Vec::new();
        for (number, (name, state, score, company)) in LEADS.into_iter().enumerate() {
            self.later(7);
            let email = format!("{}{number}@example.com", name.to_lowercase().replace(' ', "."));
            let mut lead = json!({ "name": name, "email": email, "state": state, "leadScore": score });
            lead["phone"] = json!(format!("(212) 555-01{number:02}"));
            if !company.is_empty() {
                lead["company"] = json!(company);
            }
            leads.push(workspace::create(&self.program, &lead).await);
        }
        self.later(7);
        let fields = json!({ "Industry": "Aerospace", "Newsletter": "Yes" });
        let body = json!({ "leadScore": 93, "status": "QUALIFIED", "fields": fields });
        workspace::change(&self.program, &leads[0], 1, body).await.expect(200);
        let notes = format!("{}/notes", workspace::address(&leads[0]));
        let note = self.post(&notes, json!({ "text": "Call again in May." })).await;
        workspace::change(&self.program, &leads[1], 1, json!({ "status": "CONVERTED" })).await.expect(200);
        let trashed = format!("{}?version=1", workspace::address(&leads[11]));
        self.program.delete(&trashed).send().await.expect(204);
        let at = |number: usize, rest: &str| format!("/leads/{}{rest}", id(&leads[number]));
        self.page("leads", "/leads");
        self.then(
            "leads-edit",
            "document.querySelector('#lead-rows tr .do :is(a, button)').click()",
            "#lead-rows .editing",
        );
        self.page("leads-none", "/leads?q=zebra");
        self.page("lead-new", "/leads/new");
        self.page("lead", at(0, ""));
        self.page("lead-edit", at(0, "/edit"));
        self.page("lead-history", at(0, "/history"));
        self.page("lead-note", at(0, &format!("/notes/{}", id(&note))));
        self.page("lead-duplicate", at(6, ""));
        self.page("lead-duplicates", at(6, "/duplicates"));
        self.page("lead-merge", at(6, &format!("/merge?with={}", id(&leads[13]))));
        self.page("lead-deleted", at(11, ""));
        self.page("leads-trash", "/leads/trash");
    }

    async fn imports(&mut self) {
        let agent = self.workspace.session(Role::Agent, "Lee Harper").await;
        let agent = agent.same_origin();
        let rows = "First name,Last name,Email,State,Score,Favorite color\r\n\
            Adele,Goldberg,adele@example.com,CA,72,Green\r\nRadia,Perlman,radia@example,WA,64,Blue\r\n\
            Mary,Jackson,mary.jackson0@example.com,VA,91,Red\r\n";
        let done = upload(&agent, rows.as_bytes()).await;
        start(&agent, &done).await;
        finish(&agent, &done).await;
        self.later(3);
        let preview = upload(&agent, rows.replace("adele", "goldberg").as_bytes()).await;
        self.page("imports", "/leads/imports");
        self.page("import-new", "/leads/imports/new");
        self.page("import-headers", "/leads/imports/headers");
        self.page("import-preview", preview);
        self.page("import-report", done);
    }

    async fn order(&self, customer: &str, states: &[&str], quantity: u32) -> Value {
        self.later(11);
        let body = json!({ "customerName": customer, "customerEmail": "buyer@example.com", "requestedStates": states, "quantityPerState": quantity });
        self.post("/api/orders", body).await
    }

    async fn orders(&mut self) {
        let fulfilled = self.order("Bolt & Co", &["AL", "DC"], 1).await;
        let fulfill = self.program.patch(&format!("/api/orders/{}/fulfill", id(&fulfilled)));
        fulfill.json(&json!({ "version": 1 })).send().await.expect(200);
        let deleted = self.order("Cedar Homes", &["MO"], 1).await;
        self.program.delete(&format!("/api/orders/{}?version=1", id(&deleted))).send().await.expect(204);
        let order = self.order("Acme Roofing", &["NY", "PA", "FL"], 2).await;
        let at = |order: &Value, rest: &str| format!("/orders/{}{rest}", id(order));
        let release = at(&order, &format!("/release?lead={}", id(&order["leads"][0])));
        self.page("orders", "/orders");
        self.page("order-new", "/orders/new");
        self.page("order", at(&order, ""));
        self.page("order-fulfilled", at(&fulfilled, ""));
        self.page("order-deleted", at(&deleted, ""));
        self.page("order-release", release);
        self.page("caps", "/orders/caps");
        self.page("orders-export", "/orders/export?from=&to=");
    }

    async fn inventory(&mut self) {
        let names = [
            "White hanging heart T-light holder",
            "Cream cupid hearts coat hanger",
            "Knitted union flag hot water bottle",
        ];
        for day in 0..5_u64 {
            self.later(24 * 60);
            for (number, name) in names.into_iter().enumerate() {
                let (sku, key) = (format!("8512{number}A"), format!("{number}-{day}"));
                let mut counted =
                    event(&format!("count-{key}"), &sku, "COUNT", 40 + 17 * day % 60 * number as u64);
                counted["name"] = json!(name);
                send(&self.program, &json!([counted, event(&format!("sale-{key}"), &sku, "SALE", 3 + day)]))
                    .await;
            }
        }
        send(&self.program, &json!([event("too-many", "85120A", "SALE", 900)])).await;
        let bytes = vec![0xff; 40];
        let source = Source::kafka("inventory-events", 3, 120);
        let error = Delivery::of_bytes(&source, bytes.clone()).expect_err("these bytes are no message");
        let inventory = self.workspace.app.inventory();
        inventory.add_dead_letter(&source, &bytes, &error).await.expect("it is stored");
        let at: Timestamp = self.clock.now();
        let (group, topic) = ("holdfast".to_owned(), "inventory-events".to_owned());
        let progress = Progress { group, topic, partition: 0, offset: 123_456, lag: Some(1_200), at };
        inventory.report_progress(&[progress]).await.expect("it is stored");
        self.page("inventory", "/inventory");
        self.page("product", "/inventory/85121A");
        self.page("consumers", "/inventory/consumers");
        self.page("inventory-dead-letters", "/inventory/dead-letters");
        let letters = dead_letters(&self.program, "OPEN").await;
        self.page("inventory-dead-letter", format!("/inventory/dead-letters/{}", id(&letters[0])));
    }

    async fn automation(&mut self) {
        let mut rules = Vec::new();
        for (name, on, command) in [
            ("Deliver at once", "order.created", "fulfill_order order_id={orderId}"),
            (
                "Deliver what is missing",
                "every 1m",
                "fulfill_order order_id=019f0000-0000-7000-8000-000000000000",
            ),
        ] {
            rules.push(
                self.post("/api/automation/rules", json!({ "name": name, "on": on, "command": command }))
                    .await,
            );
        }
        for _ in 0..4 {
            self.later(20);
            self.workspace.app.projections().sweep().await.expect("the sweep is done");
        }
        self.page("commands", "/automation");
        self.page("rules", "/automation/rules");
        self.page("rule-new", "/automation/rules/new");
        self.page("rule", format!("/automation/rules/{}", id(&rules[1])));
        self.page("dead-letters", "/automation/dead-letters");
    }

    async fn raffles(&mut self) {
        let workspace = self.workspace;
        let autumn = open(workspace, "Autumn raffle", 100, 5).await;
        for (name, count) in [("Mia Wong", 5), ("Zoe Quinn", 4), ("Lee Harper", 5)] {
            self.later(9);
            sold(workspace, autumn, name, count).await;
        }
        let over = open(workspace, "The last lantern of the year", 1, 1).await;
        sold(workspace, over, "Mia Wong", 1).await;
        drawn(workspace, over).await;
        self.later(2);
        let at = |raffle: RaffleId, rest: &str| format!("/raffles/{raffle}{rest}");
        self.page("raffles", "/raffles");
        self.page("raffle-new", "/raffles/new");
        self.page("raffle-tickets", at(autumn, "/tickets"));
        self.page("raffle-tickets-drawn", at(over, "/tickets"));
        self.page_of(Visitor::Participant, "raffle", at(autumn, ""));
        self.page_of(Visitor::Participant, "raffle-drawn", at(over, ""));
        self.page_of(Visitor::Participant, "raffle-proof", at(over, "/proof"));
        self.page_of(Visitor::Participant, "raffle-verify", "/raffles/verify");
        self.page_of(Visitor::Participant, "forbidden", "/people");
    }

    async fn people(&mut self) {
        let people: Value = self.program.get("/api/accounts").send().await.expect(200).json();
        let by_name: BTreeMap<&str, &Value> = people["items"]
            .as_array()
            .expect("accounts")
            .iter()
            .map(|person| (text(person, "name"), person))
            .collect();
        let lee = id(by_name["Lee Harper"]);
        self.page("people", "/people");
        self.page("person", format!("/people/{lee}"));
        self.page("person-deletion", format!("/people/{lee}/deletion"));
        self.page("people-security", "/people/security");
        self.page("audit", "/audit");
        self.page("account", "/account");
        // The secret is another one each time.
        let without_secret = "document.querySelector('.qr').replaceChildren();
            document.querySelector('.qr + .hint code').textContent = 'AAAA BBBB CCCC'";
        let then = Some((without_secret, ".qr + .hint"));
        let (name, path, visitor) = ("two-factor", "/account/two-factor".to_owned(), Visitor::Administrator);
        self.pages.push(Page { name, path, visitor, then });
        self.page("dashboard", "/");
        self.page("welcome", "/welcome");
        self.page("styleguide", "/styleguide");
        self.page("not-found", NOWHERE);
        self.page_of(Visitor::SignedOut, "sign-in", "/sign-in");
        self.page_of(Visitor::SignedOut, "sign-up", "/sign-up");
        self.page_of(Visitor::SignedOut, "link-used", "/sign-in/link/hf_used");
    }
}
