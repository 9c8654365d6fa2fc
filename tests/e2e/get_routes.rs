//! All routes that answer `GET`, each with what it answers. This is the only place where a new route is classified: what
//! is a page is laid out, weighed and in the gallery, and what is a list has a bounded cost.

use std::collections::BTreeSet;

use Kind::{File, List, Page, Part, Program, ProgramList, Redirect};

use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![embedded: every_get_route_is_classified, a_path_belongs_to_its_most_exact_route]
}

/// What a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A page of one record, of a form, or of numbers.
    Page,
    /// A page that lists records, of which there can be any number.
    List,
    /// A part of a page.
    Part,
    /// A file that a page links.
    File,
    /// Nothing but the address that replaces this one.
    Redirect,
    /// One record, a file or numbers for programs.
    Program,
    /// A list of records for programs.
    ProgramList,
}

/// The pages, with and without a list.
pub const PAGES: [Kind; 2] = [Page, List];

/// The pages of visitors, except those of links.
pub const VISITORS_PAGES: [&str; 2] = ["/sign-in", "/sign-up"];

/// The lists, for people and for programs.
pub const LISTS: [Kind; 2] = [List, ProgramList];

/// All routes. The audit log and its export have a limit of their own, which their cases check.
const GET_ROUTES: [(&str, Kind); 100] = [
    ("/", Page),
    ("/account", Page),
    ("/account/two-factor", Page),
    ("/assets/{file}", File),
    ("/audit", Page),
    ("/audit.csv", File),
    ("/automation", Page),
    ("/automation/dead-letters", List),
    ("/automation/rules", List),
    ("/automation/rules/new", Page),
    ("/automation/rules/{id}", Page),
    ("/inventory", List),
    ("/inventory/consumers", List),
    ("/inventory/dead-letters", List),
    ("/inventory/dead-letters/{id}", Page),
    ("/inventory/parked", Redirect),
    ("/inventory/parked/{id}", Redirect),
    ("/inventory/{sku}", Page),
    ("/leads", List),
    ("/leads/imports", Page),
    ("/leads/imports/headers", Page),
    ("/leads/imports/new", Page),
    ("/leads/imports/sample.csv", File),
    ("/leads/imports/{id}", Page),
    ("/leads/imports/{id}/rejected.csv", File),
    ("/leads/imports/{id}/report.csv", File),
    ("/leads/new", Page),
    ("/leads/trash", List),
    ("/leads/{id}", Page),
    ("/leads/{id}/duplicates", List),
    ("/leads/{id}/edit", Page),
    ("/leads/{id}/history", List),
    ("/leads/{id}/merge", Page),
    ("/leads/{id}/notes/{note}", Page),
    ("/orders", List),
    ("/orders/caps", Page),
    ("/orders/export", Page),
    ("/orders/new", Page),
    ("/orders/{id}", Page),
    ("/orders/{id}/release", Page),
    ("/people", List),
    ("/people/security", Page),
    ("/people/{id}", Page),
    ("/people/{id}/deletion", Page),
    ("/raffles", List),
    ("/raffles/new", Page),
    ("/raffles/verify", Page),
    ("/raffles/{id}", Page),
    ("/raffles/{id}/live", Part),
    ("/raffles/{id}/proof", Page),
    ("/raffles/{id}/tickets", List),
    ("/sign-in", Page),
    ("/sign-in/link/{secret}", Page),
    ("/sign-up", Page),
    ("/styleguide", Page),
    ("/welcome", Page),
    ("/api/accounts", ProgramList),
    ("/api/accounts/{id}", Program),
    ("/api/accounts/{id}/history", ProgramList),
    ("/api/accounts/{id}/tokens", ProgramList),
    ("/api/accounts/{id}/tokens/{token}", Program),
    ("/api/audit", Program),
    ("/api/automation/dead-letters", ProgramList),
    ("/api/automation/dead-letters/{id}", Program),
    ("/api/automation/rules", ProgramList),
    ("/api/automation/rules/{id}", Program),
    ("/api/automation/runs", ProgramList),
    ("/api/automation/runs/{id}", Program),
    ("/api/inventory/check", Program),
    ("/api/inventory/consumers", ProgramList),
    ("/api/inventory/parked", ProgramList),
    ("/api/inventory/parked/{id}", Program),
    ("/api/leads", ProgramList),
    ("/api/leads/caps", Program),
    ("/api/leads/stats", Program),
    ("/api/leads/trash", ProgramList),
    ("/api/leads/{id}", Program),
    ("/api/leads/{id}/duplicates", ProgramList),
    ("/api/leads/{id}/history", ProgramList),
    ("/api/leads/{id}/notes", ProgramList),
    ("/api/me", Program),
    ("/api/orders", ProgramList),
    ("/api/orders/export/csv", Program),
    ("/api/orders/{id}", Program),
    ("/api/orders/{id}/history", ProgramList),
    ("/api/orders/{id}/leads", Program),
    ("/api/products", ProgramList),
    ("/api/products/{sku}", Program),
    ("/api/products/{sku}/movements", ProgramList),
    ("/api/raffles", ProgramList),
    ("/api/raffles/{id}", Program),
    ("/api/raffles/{id}/history", ProgramList),
    ("/api/raffles/{id}/proof", Program),
    ("/api/raffles/{id}/sales", Program),
    ("/api/raffles/{id}/tickets", ProgramList),
    ("/api/raffles/{id}/tickets/csv", Program),
    ("/api/tokens", ProgramList),
    ("/api/tokens/{id}", Program),
    ("/health", Program),
    ("/health/ready", Program),
];

/// The route that answers a path. The path may have a query, and names such as `{lead}` for records.
pub fn route_of(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |route: &str| {
        let mut pairs = route.split('/').zip(path.split('/'));
        let is_as_long = route.split('/').count() == path.split('/').count();
        is_as_long && pairs.all(|(part, given)| part == given || (part.starts_with('{') && !given.is_empty()))
    };
    let routes = GET_ROUTES.into_iter().map(|(route, _)| route).filter(|route| fits(route));
    routes.min_by_key(|route| route.matches('{').count())
}

/// The routes of these kinds.
pub fn routes_of(kinds: &[Kind]) -> impl Iterator<Item = &'static str> {
    GET_ROUTES.into_iter().filter(move |(_, kind)| kinds.contains(kind)).map(|(route, _)| route)
}

/// These paths, and those of all pages of people who are signed in that show no record. They are sorted.
pub fn with_plain_pages(paths: &[&'static str]) -> Vec<&'static str> {
    let is_plain = |route: &&str| !route.contains('{') && !VISITORS_PAGES.contains(route);
    let mut all: Vec<_> = routes_of(&PAGES).filter(is_plain).chain(paths.iter().copied()).collect();
    all.sort_unstable();
    all
}

/// Panics unless these paths are of routes, and of all routes of these kinds. `list` names the list of paths.
pub fn assert_all_are_in<'a>(kinds: &[Kind], list: &str, paths: impl IntoIterator<Item = &'a str>) {
    let mut found = BTreeSet::new();
    for path in paths {
        found.insert(route_of(path).unwrap_or_else(|| panic!("{list} has {path}, which no route answers")));
    }
    let missing: Vec<_> = routes_of(kinds).filter(|route| !found.contains(route)).collect();
    assert!(missing.is_empty(), "add a path of each of these routes to {list}: {missing:?}");
}

async fn every_get_route_is_classified(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let gets = workspace.routes.iter().filter(|route| route.method == http::Method::GET);
    let routes: BTreeSet<&str> = gets.map(|route| route.path).collect();
    let table: BTreeSet<&str> = GET_ROUTES.into_iter().map(|(route, _)| route).collect();
    let new: Vec<_> = routes.difference(&table).collect();
    assert!(new.is_empty(), "what do these routes answer? Add them to GET_ROUTES: {new:?}");
    let gone: Vec<_> = table.difference(&routes).collect();
    assert!(gone.is_empty(), "these are no routes any more: {gone:?}");
    assert_eq!(table.len(), GET_ROUTES.len(), "each route is in the table once");
}

async fn a_path_belongs_to_its_most_exact_route(_: TestEnvironment) {
    for (path, route) in [
        ("/", Some("/")),
        ("/leads?q=nothing", Some("/leads")),
        ("/leads/new", Some("/leads/new")),
        ("/leads/{lead}", Some("/leads/{id}")),
        ("/sign-in/link/used", Some("/sign-in/link/{secret}")),
        ("/inventory/{sku}", Some("/inventory/{sku}")),
        ("/nowhere", None),
        ("/leads/", None),
    ] {
        assert_eq!(route_of(path), route, "{path}");
    }
}
