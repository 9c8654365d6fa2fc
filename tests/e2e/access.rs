//! Access control: every route as every role, writes from other sites, and redirects of visitors.

use holdfast::base::identity::Role;
use holdfast::web::access::Access;
use http::Method;
use serde_json::{Value, json};

use crate::support::http::Client;
use crate::support::workspace::{Workspace, address, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: every_route_admits_its_roles_and_no_other,
            a_write_from_another_site_is_refused,
            a_visitor_is_redirected_to_sign_in_and_back,
            every_answer_has_the_security_headers,
            assets_are_served_without_the_store,
            a_head_request_is_answered_without_a_body,
            a_participant_sees_no_leads
    ]
}

/// An address for a route: ids that do not exist, so that no permitted request has an effect.
fn concrete(path: &str) -> String {
    let id = "019f0000-0000-7000-8000-000000000000";
    path.split('/').map(|part| if part.starts_with('{') { id } else { part }).collect::<Vec<_>>().join("/")
}

async fn every_route_admits_its_roles_and_no_other(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    assert!(workspace.routes.len() > 25, "only {} routes", workspace.routes.len());
    let mut people: Vec<(Option<Role>, Client)> = vec![(None, workspace.visitor())];
    for role in Role::ALL {
        people.push((Some(role), workspace.program(role).await));
    }
    for route in &workspace.routes {
        let path = concrete(route.path);
        for (role, client) in &people {
            let request = client.request(route.method.clone(), &path).header("accept", "application/json");
            let status = request.send().await.status.as_u16();
            let what = format!("{} {path} as {role:?} was answered {status}", route.method);
            match (route.access.admits(*role), role) {
                (true, _) => {
                    // Only signing in may refuse a permitted role.
                    let about_signing_in = route.access == Access::Anyone && path.starts_with("/sign-in");
                    assert!(about_signing_in || !matches!(status, 401 | 403), "{what}");
                }
                (false, None) => assert_eq!(status, 401, "{what}"),
                (false, Some(_)) => assert_eq!(status, 403, "{what}"),
            }
            assert!(status < 500, "{what}");
        }
    }
    let public: Vec<_> =
        workspace.routes.iter().filter(|route| route.access.admits(None)).map(|route| route.path).collect();
    for path in public {
        let harmless =
            path.starts_with("/sign-") || path.starts_with("/assets/") || path.starts_with("/health");
        // It reads nothing: the browser checks the proof.
        let harmless = harmless || path == "/raffles/verify";
        assert!(harmless, "{path} is open to anyone");
    }
}

async fn a_write_from_another_site_is_refused(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.session(Role::Agent, "Ann").await;
    let lead =
        create(&ann.clone().always("sec-fetch-site", "same-origin"), &new_lead("Lead", "lead@example.com"))
            .await;
    let send = async |headers: &[(&str, &str)]| {
        let mut request = ann.patch(&address(&lead)).json(&json!({ "version": 1, "leadScore": 1 }));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.status.as_u16()
    };
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site"), ("origin", "http://holdfast.test")],
        &[],
    ] {
        assert_eq!(send(headers).await, 403, "{headers:?}");
    }
    assert_eq!(send(&[("origin", "http://holdfast.test")]).await, 200);
    // Reads from other sites are allowed. Signing in and up are writes.
    ann.get("/leads").header("sec-fetch-site", "cross-site").send().await.expect(200);
    let form = [("name", "Ann"), ("email", "ann@example.com"), ("password", "correct horse battery")];
    for path in ["/sign-in", "/sign-up"] {
        let visitor = workspace.visitor();
        let request = visitor.post(path).header("origin", "https://evil.example").form(&form);
        let refused = request.send().await.expect(403);
        assert!(refused.text().contains("This write came from another site"), "{path}: {}", refused.text());
    }
}

async fn a_visitor_is_redirected_to_sign_in_and_back(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let visitor = workspace.visitor();
    let page = visitor.get("/leads?status=QUALIFIED").header("accept", "text/html").send().await.expect(303);
    assert_eq!(page.header("location"), "/sign-in?next=%2Fleads%3Fstatus%3DQUALIFIED");
    let sign_in = visitor.get(page.header("location")).send().await.expect(200);
    assert!(sign_in.text().contains("/leads?status=QUALIFIED"), "the form has the target");
    let fragment = visitor.get("/leads?q=ann").header("hx-request", "true");
    let fragment = fragment.header("hx-current-url", "http://holdfast.test/leads?state=CA").send().await;
    assert_eq!(fragment.header("hx-redirect"), "/sign-in?next=%2Fleads%3Fstate%3DCA");
    let json = visitor.get("/api/leads").send().await.expect(401);
    assert_eq!(json.header("www-authenticate"), "Bearer");
    assert_eq!(json.json::<Value>()["status"], 401);
    visitor.get("/api/leads").header("authorization", "Bearer hf_nonsense").send().await.expect(401);
    visitor.get("/api/leads").header("cookie", "holdfast=nonsense").send().await.expect(401);
}

async fn every_answer_has_the_security_headers(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    for path in ["/leads", "/api/leads", "/nothing", "/sign-in", "/sign-up", "/health", "/assets/unknown.css"]
    {
        let answer = agent.request(Method::GET, path).send().await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
    }
    let leads = agent.get("/leads").send().await.expect(200);
    assert_eq!(leads.header("cache-control"), "no-store");
    for inline in [" style=", "<style", " onclick", " hx-on", "<script>"] {
        assert!(!leads.text().contains(inline), "{inline} violates the policy");
    }
}

async fn assets_are_served_without_the_store(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.session(Role::Agent, "Ann").await;
    environment.wire().reset();
    let asset = ann.get(holdfast::web::assets::url("app.css")).send().await.expect(200);
    assert!(!asset.body.is_empty());
    assert_eq!(environment.wire().total(), 0, "a style sheet needs no authentication");
}

async fn a_head_request_is_answered_without_a_body(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    for (path, status) in [("/leads", 200), ("/api/leads", 200), ("/nothing", 404)] {
        let [get, head] = [Method::GET, Method::HEAD].map(|method| agent.request(method, path));
        let (get, head) = (get.send().await, head.send().await);
        assert_eq!((get.status.as_u16(), head.status.as_u16()), (status, status), "{path}");
        assert!(head.body.is_empty(), "{path}: {:?}", head.body);
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
    let asset = holdfast::web::assets::url("app.css");
    let head = workspace.visitor().request(Method::HEAD, asset).send().await.expect(200);
    assert!(head.body.is_empty() && !head.header("etag").is_empty());
}

async fn a_participant_sees_no_leads(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let secret = "Hidden Person";
    create(&workspace.agent().await, &new_lead(secret, "hidden@example.com")).await;
    let participant = workspace.program(Role::Participant).await;
    for route in workspace.routes.iter().filter(|route| route.method == Method::GET) {
        let answer = participant.get(&concrete(route.path)).send().await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!body.contains(secret) && !body.contains("hidden@"), "{}", route.path);
    }
}
