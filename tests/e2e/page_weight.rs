//! The weight of each page: its requests and bytes, as a browser with an empty cache loads it.
//!
//! `docs/page-weight.md` contains the budget of each page. A page that exceeds its budget fails. The budgets are rounded
//! up, so that ids and small changes of text do not matter.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use holdfast::base::identity::Role;
use serde_json::Value;

use super::get_routes::{self, VISITORS_PAGES, assert_all_are_in, with_plain_pages};
use super::list_costs::create_records;
use crate::support::http::{Client, Response};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![embedded: no_page_exceeds_its_budget_of_requests_and_bytes]
}

/// Pages of records, as an administrator sees them. `{…}` stands for a record.
const PAGES_OF_RECORDS: [&str; 10] = [
    "/automation/rules/{rule}",
    "/inventory/{product}",
    "/leads/{lead}",
    "/leads/{lead}/duplicates",
    "/leads/{lead}/edit",
    "/leads/{lead}/history",
    "/orders/{order}",
    "/people/{account}",
    "/raffles/{raffle}",
    "/raffles/{raffle}/tickets",
];

/// Pages of one form or of one record that these records do not contain.
const LEFT_OUT: [&str; 10] = [
    "/inventory/dead-letters/{id}",
    "/leads/imports/headers",
    "/leads/imports/{id}",
    "/leads/{id}/merge",
    "/leads/{id}/notes/{note}",
    "/orders/{id}/release",
    "/people/{id}/deletion",
    // It shows a raffle after its draw.
    "/raffles/{id}/proof",
    "/sign-in/link/{secret}",
    // It shows every component, for those who build pages.
    "/styleguide",
];

/// The command that writes the document.
const WRITE_DOCUMENT: &str = "HOLDFAST_WRITE_DOCS=1 cargo test --test e2e -- no_page_exceeds";
const DOCUMENT: &str = "docs/page-weight.md";
/// What a browser accepts.
const ACCEPT: &str = "gzip, deflate, br, zstd";
/// Budgets are multiples of this many bytes.
const STEP: usize = 512;
/// The smallest distance of a new budget from the bytes.
const SLACK: usize = 200;

/// The requests of a page and the bytes of its answers' bodies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Weight {
    requests: usize,
    /// The compressed bytes of the document and of parts that it loads by itself.
    html: usize,
    css: usize,
    scripts: usize,
    images: usize,
    /// The bytes of the document before compression.
    plain: usize,
}

impl Weight {
    fn columns(&self) -> [usize; 5] {
        [self.html, self.css, self.scripts, self.images, self.plain]
    }

    fn total(&self) -> usize {
        self.html + self.css + self.scripts + self.images
    }

    /// The budget for this weight.
    fn budget(&self) -> Self {
        let round = |bytes: usize| (bytes + SLACK).div_ceil(STEP) * STEP;
        Self {
            requests: self.requests,
            html: round(self.html),
            css: round(self.css),
            scripts: round(self.scripts),
            images: round(self.images),
            plain: round(self.plain),
        }
    }

    /// Whether the page keeps within a budget.
    fn fits(&self, budget: &Self) -> bool {
        let mut pairs = self.columns().into_iter().zip(budget.columns());
        self.requests <= budget.requests && pairs.all(|(bytes, most)| bytes <= most)
    }

    fn row(&self, path: &str) -> String {
        let kilobytes = |bytes: usize| format!("{:.1}", bytes as f64 / 1024.0);
        let [html, css, scripts, images, plain] = self.columns().map(kilobytes);
        let (requests, total) = (self.requests, kilobytes(self.total()));
        format!("| `{path}` | {requests} | {html} | {css} | {scripts} | {images} | **{total}** | {plain} |\n")
    }

    /// Reads a row of the document.
    fn parse(row: &str) -> Option<(String, Self)> {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches(['`', '*'])).collect();
        let bytes =
            |cell: &str| cell.parse::<f64>().ok().map(|kilobytes| (kilobytes * 1024.0).round() as usize);
        let [_, path, requests, html, css, scripts, images, _, plain, _] = cells[..] else { return None };
        let weight = Self {
            requests: requests.parse().ok()?,
            html: bytes(html)?,
            css: bytes(css)?,
            scripts: bytes(scripts)?,
            images: bytes(images)?,
            plain: bytes(plain)?,
        };
        Some((path.to_owned(), weight))
    }
}

/// Requests a part of a page as a browser does.
async fn fetch(client: &Client, path: &str) -> Response {
    client.get(path).header("accept-encoding", ACCEPT).send().await.expect(200)
}

/// The values of an attribute in the page.
fn attributes<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    page.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The addresses of the style sheets, scripts and images of a page, each once.
fn assets(page: &str) -> BTreeSet<&str> {
    let named = ["href", "src"].into_iter().flat_map(|name| attributes(page, name));
    named.filter(|address| address.starts_with("/assets/")).collect()
}

/// The addresses of the parts that a page loads by itself.
fn late_parts(page: &str) -> Vec<&str> {
    let tags = page.split('<').map(|tag| tag.split('>').next().unwrap_or_default());
    let late = tags.filter(|tag| tag.contains("hx-trigger=\"load"));
    late.filter_map(|tag| attributes(tag, "hx-get").first().copied()).collect()
}

async fn weigh(client: &Client, path: &str) -> Weight {
    let plain = client.get(path).send().await.expect(200);
    let page = plain.text();
    let mut weight = Weight {
        requests: 1,
        html: fetch(client, path).await.body.len(),
        plain: plain.body.len(),
        ..Weight::default()
    };
    for part in late_parts(page) {
        let answer = client.get(part).header("hx-request", "true").header("accept-encoding", ACCEPT);
        weight.html += answer.send().await.expect(200).body.len();
        weight.requests += 1;
    }
    for asset in assets(page) {
        let bytes = fetch(client, asset).await.body.len();
        weight.requests += 1;
        match asset.rsplit('.').next() {
            Some("css") => weight.css += bytes,
            Some("js") => weight.scripts += bytes,
            _ => weight.images += bytes,
        }
    }
    weight
}

/// The id of the first record in a list.
async fn first(admin: &Client, list: &str) -> String {
    let page: Value = admin.get(list).send().await.expect(200).json();
    page["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{list} is empty")).to_owned()
}

fn document(rows: &[(&str, Weight)]) -> String {
    let mut table = String::new();
    for (path, weight) in rows {
        write!(table, "{}", weight.budget().row(path)).unwrap();
    }
    format!(
        "# Page weight\n\n\
         The budget of each page: the requests of a browser with an empty cache, and the kilobytes of their answers,\n\
         compressed as a browser gets them (the document with gzip, everything else with Brotli). Lists have fifty\n\
         records. Style sheet, scripts and logo are the same for all pages and are cached for a year, so a second page\n\
         costs only its document.\n\n\
         A test loads every page and fails if one exceeds its budget. If that is intended, write new budgets, which\n\
         are rounded up, with:\n\n\
         ```sh\n{WRITE_DOCUMENT}\n```\n\n\
         | page | requests | HTML | CSS | scripts | images | total | HTML, plain |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n\
         {table}"
    )
}

async fn no_page_exceeds_its_budget_of_requests_and_bytes(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let pages = with_plain_pages(&PAGES_OF_RECORDS);
    let known = pages.iter().copied().chain(VISITORS_PAGES).chain(LEFT_OUT);
    assert_all_are_in(&get_routes::PAGES, "PAGES_OF_RECORDS or LEFT_OUT", known);
    let admin = workspace.session(Role::Administrator, "Ann").await.always("origin", "http://holdfast.test");
    let mut names = create_records(&environment, &workspace, &admin).await;
    names.push(("{rule}", first(&admin, "/api/automation/rules?limit=1").await));
    let mut rows = Vec::new();
    for path in pages.into_iter().filter(|path| !LEFT_OUT.contains(path)) {
        let concrete = names.iter().fold(path.to_owned(), |path, (name, id)| path.replace(name, id));
        rows.push((path, weigh(&admin, &concrete).await));
    }
    for path in VISITORS_PAGES {
        rows.push((path, weigh(&workspace.visitor(), path).await));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    if std::env::var("HOLDFAST_WRITE_DOCS").is_ok_and(|value| value == "1") {
        fs::write(&file, document(&rows)).expect("the file can be written");
        return;
    }
    let text = fs::read_to_string(&file).unwrap_or_default();
    let budgets: Vec<(String, Weight)> = text.lines().filter_map(Weight::parse).collect();
    let listed: Vec<&str> = budgets.iter().map(|(path, _)| path.as_str()).collect();
    let weighed: Vec<&str> = rows.iter().map(|(path, _)| *path).collect();
    assert_eq!(listed, weighed, "{DOCUMENT} has other pages. Write it with: {WRITE_DOCUMENT}");
    let heavy: Vec<String> = rows
        .iter()
        .zip(&budgets)
        .filter(|((_, weight), (_, budget))| !weight.fits(budget))
        .map(|((path, weight), (_, budget))| format!("{path}: {weight:?} exceeds {budget:?}"))
        .collect();
    assert!(heavy.is_empty(), "{heavy:#?}\nIf this is intended: {WRITE_DOCUMENT}");
}
