//! Error pages: they say what happened and what to do, and keep the navigation of the person who is signed in.

use holdfast::base::identity::Role;
use http::Method;

use crate::support::http::{Client, Response};
use crate::support::workspace::{SHORT_RETRIES, Workspace, create, new_lead};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: every_error_page_keeps_the_navigation_of_a_signed_in_person,
            an_error_page_shows_a_visitor_no_navigation_and_needs_no_call,
            an_error_page_leads_back_to_the_page_before;
        embedded: a_person_who_cannot_be_looked_up_gets_the_same_error_without_navigation
    ]
}

const NAVIGATION: &str = "aria-label=\"Main\"";

/// What a browser sends with a request for a page.
fn at_a_page(client: Client) -> Client {
    client.always("accept", "text/html").same_origin()
}

#[track_caller]
fn assert_error(page: &Response, title: &str, name: &str) {
    let html = page.text();
    assert!(html.contains(&format!("<h1 id=\"error-heading\">{title}.</h1>")), "{name}: {html}");
    assert!(html.contains(&format!("<title>{title} · Holdfast</title>")), "{name}: {html}");
    assert!(html.contains("href=\"/\">Go to home page</a>"), "{name}: {html}");
}

async fn every_error_page_keeps_the_navigation_of_a_signed_in_person(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let lead = create(&workspace.agent().await, &new_lead("Ida Lane", "ida@example.com")).await;
    let lead = format!("/leads/{}", lead["id"].as_str().unwrap());
    let ann = at_a_page(workspace.session(Role::Agent, "Ann Lee").await);
    let long = [("name", "x".repeat(600_000))];
    let (reopen, delete) = (format!("{lead}/reopen"), format!("{lead}/delete"));
    for (page, status, title) in [
        (ann.get("/nowhere").send().await, 404, "Page not found"),
        (ann.get("/leads/nonsense").send().await, 404, "Page not found"),
        (ann.get("/assets/nothing.css").send().await, 404, "Page not found"),
        (ann.get("/people").send().await, 403, "You need administrator access"),
        (ann.post(&reopen).form(&[("version", "1")]).send().await, 403, "You need administrator access"),
        (ann.request(Method::DELETE, "/leads/new").send().await, 405, ""),
        (ann.post(&lead).form(&long).send().await, 413, ""),
        (ann.post(&delete).form(&[("version", "x")]).send().await, 422, ""),
    ] {
        let page = page.expect(status);
        if !title.is_empty() {
            assert_error(&page, title, title);
        }
        assert!(page.text().contains(NAVIGATION), "{status} has no navigation: {}", page.text());
        assert!(page.text().contains("Ann Lee") && page.text().contains(">Go to home page</a>"), "{status}");
    }
    let viewer = at_a_page(workspace.session(Role::Viewer, "Vera Poe").await);
    let page = viewer.get("/leads/new").send().await.expect(403);
    assert_error(&page, "You need agent access", "viewer");
    assert!(page.text().contains(NAVIGATION) && !page.text().contains("href=\"/people\""));
    let participant = at_a_page(workspace.session(Role::Participant, "Pat Doe").await);
    assert_error(
        &participant.get("/leads").send().await.expect(403),
        "You need viewer access",
        "participant",
    );
    // The lookup costs what it costs elsewhere, and a picture or a program has no navigation.
    let fresh = at_a_page(workspace.session(Role::Agent, "Bob Stone").await);
    environment.wire().reset();
    fresh.get("/favicon.ico").header("sec-fetch-dest", "image").send().await.expect(404);
    fresh.get("/api/nowhere").send().await.expect(404);
    fresh.get("/nowhere").header("hx-request", "true").send().await.expect(404);
    assert_eq!(environment.wire().total(), 0);
    fresh.get("/nowhere").send().await.expect(404);
    assert!(environment.wire().total() <= 1, "{}", environment.wire().total());
}

async fn an_error_page_shows_a_visitor_no_navigation_and_needs_no_call(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let visitor = at_a_page(workspace.visitor());
    environment.wire().reset();
    for visitor in [visitor.clone(), visitor.always("cookie", "holdfast=nonsense")] {
        let page = visitor.get("/nowhere").send().await.expect(404);
        assert_error(&page, "Page not found", "visitor");
        assert!(!page.text().contains(NAVIGATION), "{}", page.text());
    }
    assert_eq!(environment.wire().total(), 0);
}

async fn an_error_page_leads_back_to_the_page_before(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = at_a_page(workspace.session(Role::Agent, "Ann Lee").await);
    let from = async |referer: &str, site: &str| {
        let page = ann.get("/nowhere").header("referer", referer).header("sec-fetch-site", site);
        page.send().await.expect(404).text().to_owned()
    };
    for site in ["same-origin", ""] {
        let page = from("http://holdfast.test/leads?q=ann", site).await;
        assert!(page.contains("href=\"/leads?q=ann\">Go back</a>"), "{page}");
    }
    for (elsewhere, site) in [
        ("http://holdfast.test/nowhere", "same-origin"),
        ("http://holdfast.test//other.test/", "same-origin"),
        ("http://other.test/leads", "cross-site"),
        ("nonsense", "same-origin"),
    ] {
        assert!(!from(elsewhere, site).await.contains("Go back"), "{elsewhere}");
    }
}

async fn a_person_who_cannot_be_looked_up_gets_the_same_error_without_navigation(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.session(Role::Agent, "Ann Lee").await;
    let session = format!("holdfast={}", ann.cookie("holdfast").unwrap());
    for fault in [Fault::Hang, Fault::Refused("ExpiredTokenException")] {
        // An instance that does not remember the session.
        let wire = environment.another_wire();
        let other = workspace.another(&environment, &wire, SHORT_RETRIES);
        let ann = at_a_page(other.visitor().always("cookie", &session));
        wire.always("BatchGetItem", fault.clone());
        let page = ann.get("/nowhere").send().await.expect(404);
        assert!(wire.total() > 0, "the session is looked up");
        assert_error(&page, "Page not found", "a failing lookup");
        assert!(!page.text().contains(NAVIGATION), "{}", page.text());
        if matches!(fault, Fault::Hang) {
            continue;
        }
        // A request that failed because of the lookup is not looked up again for its error page.
        let before = wire.total();
        let refused = ann.get("/leads").send().await;
        assert!(refused.status.is_server_error(), "{}", refused.status);
        let calls = wire.total() - before;
        let again = wire.total();
        ann.get("/api/leads").send().await;
        assert_eq!(wire.total() - again, calls, "a page needs no more calls than JSON");
    }
}
