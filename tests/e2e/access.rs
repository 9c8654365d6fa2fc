//! Access control: every route as every role, writes from other sites, and redirects of visitors.
//! The walk over all routes generates `docs/access.md`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use holdfast::accounts::administer::AccountChanges;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::TokenDraft;
use holdfast::accounts::link_path;
use holdfast::base::identity::Role;
use holdfast::web::access::Access;
use holdfast::web::routes::Route;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::documents::is_of_programs;
use crate::support::clock::TestClock;
use crate::support::html::hidden;
use crate::support::http::Client;
use crate::support::workspace::{TEST_RETRIES, Workspace, address, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: every_route_admits_its_roles_and_no_other,
            a_write_from_another_site_is_refused,
            a_visitor_is_redirected_to_sign_in_and_back,
            the_dialog_to_sign_in_again_gets_only_the_form,
            a_form_without_a_session_is_carried_and_sent_after_signing_in,
            a_form_that_cannot_be_carried_says_so,
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

/// A sender that walks over all routes.
struct Sender {
    name: String,
    /// The role with which it must be admitted, or `None` if it must be refused like a visitor.
    role: Option<Role>,
    /// The status with which it is refused.
    refused: u16,
    /// Whether its access has ended.
    is_former: bool,
    client: Client,
}

impl Sender {
    fn new(name: impl Into<String>, role: Option<Role>, client: Client) -> Self {
        let refused = if role.is_some() { 403 } else { 401 };
        Self { name: name.into(), role, refused, is_former: false, client }
    }
}

/// A visitor, and each role by session and by token.
async fn senders(environment: &TestEnvironment, workspace: &Workspace) -> Vec<Sender> {
    let mut senders = vec![Sender::new("a visitor", None, workspace.visitor())];
    for role in Role::ALL {
        let session = workspace.person(role, "Test").await;
        senders.push(Sender::new(format!("{role} by session"), Some(role), session));
        senders.push(Sender::new(format!("{role} by token"), Some(role), workspace.program(role).await));
    }
    for how in ["ended", "expired", "disabled"] {
        senders.extend(former_senders(environment, workspace, how).await);
    }
    senders
}

/// An administrator whose access has ended: by ending the sessions and revoking the tokens, by the time, or by disabling
/// the account. The role is `None`, because such a sender must be refused like a visitor.
async fn former_senders(environment: &TestEnvironment, workspace: &Workspace, how: &str) -> [Sender; 2] {
    let who = workspace.account(Role::Administrator, "Left").await;
    // A session that is not used ends after 12 hours, and the token after a day. The table may remove expired items at
    // once, but a session stays for seven days.
    let is_expired = how == "expired";
    let [session_age, token_age] = [20, 25].map(|hours| if is_expired { hours } else { 0 });
    let ago = |hours| {
        let clock = TestClock::at(Timestamp::now() - SignedDuration::from_hours(hours));
        workspace.another(environment, &environment.another_wire(), TEST_RETRIES).with_clock(clock.clock())
    };
    let (earlier, accounts) = (ago(session_age), ago(token_age).app.accounts());
    let link = earlier.app.accounts().sign_in_link(who.id, Operator::Command).await.unwrap();
    let there = earlier.visitor().same_origin();
    there.use_link(&link_path(&link)).await.expect(303);
    there.get("/api/accounts").send().await.expect(200);
    let days = Some("1".parse().unwrap());
    let draft = TokenDraft { name: "test".parse().unwrap(), role: Role::Administrator, days };
    let made = accounts.create_token(who.id, draft, Operator::Command, None).await.unwrap();
    let (_, secret) = made.now().unwrap();
    if !is_expired {
        earlier.bearer(secret.reveal()).get("/api/accounts").send().await.expect(200);
    }
    let seen = accounts.find(who.id).await.unwrap().version;
    match how {
        "ended" => drop(accounts.end_sessions(who.id, seen, true, Operator::Command, None).await.unwrap()),
        "disabled" => {
            let disabled = AccountChanges { disabled: Some(true), ..AccountChanges::default() };
            accounts.edit(who.id, seen, disabled, Operator::Command, None).await.unwrap();
        }
        // The workspace itself shows the current time.
        _ => {}
    }
    let cookie = format!("holdfast={}", there.cookie("holdfast").expect("it was signed in"));
    let browser = workspace.visitor().same_origin().always("cookie", &cookie);
    let refused = if how == "disabled" { 403 } else { 401 };
    [("session", browser), ("token", workspace.bearer(secret.reveal()))].map(|(by, client)| {
        let sender = Sender::new(format!("{how} administrator by {by}"), None, client);
        Sender { refused, is_former: true, ..sender }
    })
}

/// Sends a request to a route as a sender, and returns whether it was admitted.
async fn is_admitted(route: &Route, sender: &Sender) -> bool {
    let path = concrete(route.path);
    let request = sender.client.request(route.method.clone(), &path).header("accept", "application/json");
    let answer = request.send().await;
    let status = answer.status.as_u16();
    let what = format!("{} {path} as {} was answered {status}", route.method, sender.name);
    assert!(status < 500, "{what}");
    // Signing in refuses what it does not recognize, from all senders. Some routes refuse tokens, but not the role.
    let is_about_signing_in = route.access == Access::Anyone && path.starts_with("/sign-in");
    let needs_session = status == 403 && answer.text().contains("urn:holdfast:problem:session-needed");
    let admitted = is_about_signing_in || needs_session || !matches!(status, 401 | 403);
    if !admitted {
        assert_eq!(status, sender.refused, "{what}");
    }
    assert_eq!(admitted, route.access.admits(sender.role), "{what}");
    admitted
}

async fn every_route_admits_its_roles_and_no_other(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    assert!(workspace.routes.len() > 25, "only {} routes", workspace.routes.len());
    let senders = senders(&environment, &workspace).await;
    let mut routes: Vec<&Route> = workspace.routes.iter().collect();
    // Signing out ends the session of its sender, so it is last.
    routes.sort_by_key(|route| route.path == "/sign-out");
    let mut rows = Vec::new();
    for route in routes {
        let mut admitted = Admitted::default();
        for sender in &senders {
            match is_admitted(route, sender).await {
                true if sender.is_former => admitted.former += 1,
                true => admitted.roles.push(sender.role),
                false => {}
            }
        }
        // Each of them is treated like a visitor.
        let former = if admitted.roles.contains(&None) { 6 } else { 0 };
        assert_eq!(admitted.former, former, "{}", route.path);
        rows.push((route, admitted));
    }
    for (route, _) in rows.iter().filter(|(_, admitted)| admitted.roles.contains(&None)) {
        let path = route.path;
        let harmless =
            path.starts_with("/sign-") || path.starts_with("/assets/") || path.starts_with("/health");
        // It reads nothing: the browser checks the proof.
        let harmless = harmless || path == "/raffles/verify";
        // These are about the style of pages.
        let harmless = harmless || ["/theme", "/styleguide"].contains(&path);
        assert!(harmless, "{path} is open to anyone");
    }
    check_document(&document(rows));
}

/// The senders that a route admitted.
#[derive(Default)]
struct Admitted {
    roles: Vec<Option<Role>>,
    /// How many of the former administrators.
    former: usize,
}

/// The file that the walk generates.
const DOCUMENT: &str = "docs/access.md";
/// The command that writes it.
const WRITE_DOCUMENT: &str = "HOLDFAST_WRITE_DOCS=1 cargo test --test e2e -- every_route";

/// The text of the file: a table of the routes with the roles that were admitted.
fn document(mut rows: Vec<(&Route, Admitted)>) -> String {
    rows.sort_by_key(|(route, _)| (route.path, route.method.as_str().to_owned()));
    let (api, pages): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(route, _)| is_of_programs(route.path));
    format!(
        "# Access\n\n\
         Every route with the roles that it admits. A participant is admitted where every account is: *signed in*.\n\
         The last column is for administrators whose access has ended: their sessions were ended and their tokens\n\
         revoked, both expired, or the account was disabled. They are admitted only where anyone is.\n\n\
         A test sends a request to each route as a visitor, as each role, and as these former administrators, by session\n\
         and by token, and generates this file from the answers. Do not edit it. After a change of routes, write it with:\n\n\
         ```sh\n{WRITE_DOCUMENT}\n```\n\n\
         [The guide](guide.md#roles) explains the roles.\n\n\
         ## Pages\n\n{}\n## The JSON API\n\n{}",
        table(&pages),
        table(&api),
    )
}

fn table(rows: &[(&Route, Admitted)]) -> String {
    let mut table = "| method | path | anyone | signed in | viewer | agent | administrator | ended, expired, disabled |\n".to_owned();
    table.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (route, admitted) in rows {
        write!(table, "| `{}` | `{}` |", route.method, route.path).unwrap();
        for role in [None].into_iter().chain(Role::ALL.into_iter().map(Some)) {
            table.push_str(if admitted.roles.contains(&role) { " yes |" } else { " – |" });
        }
        table.push_str(if admitted.former > 0 { " yes |\n" } else { " – |\n" });
    }
    table
}

/// Compares the stored file with the text, or stores the text if that was requested.
#[track_caller]
fn check_document(text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    if std::env::var("HOLDFAST_WRITE_DOCS").is_ok_and(|value| value == "1") {
        fs::write(&path, text).expect("the file can be written");
        return;
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let differs = stored.lines().zip(text.lines()).find(|(stored, walked)| stored != walked);
    assert!(stored == text, "{DOCUMENT} differs from the walk: {differs:?}. Write it with: {WRITE_DOCUMENT}");
}

async fn a_write_from_another_site_is_refused(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.session(Role::Agent, "Ann").await;
    let lead = create(&ann.clone().same_origin(), &new_lead("Lead", "lead@example.com")).await;
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
        assert!(refused.text().contains("This request came from another site"), "{path}: {}", refused.text());
    }
}

async fn a_visitor_is_redirected_to_sign_in_and_back(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let visitor = workspace.visitor();
    let page = visitor.get("/leads?status=QUALIFIED").header("accept", "text/html").send().await.expect(303);
    assert_eq!(page.header("location"), "/sign-in?next=%2Fleads%3Fstatus%3DQUALIFIED");
    let sign_in = visitor.get(page.header("location")).send().await.expect(200);
    assert!(sign_in.text().contains("/leads?status=QUALIFIED"), "the form has the target");
    // The script of the page signs in and sends a part of a page, or a form, again.
    for (method, path) in
        [(Method::GET, "/leads?q=ann"), (Method::POST, "/leads/1"), (Method::DELETE, "/api/leads/1")]
    {
        let fragment = visitor.request(method, path).header("hx-request", "true").send().await.expect(401);
        assert_eq!((fragment.header("hx-redirect"), fragment.header("location")), ("", ""), "{path}");
    }
    let json = visitor.get("/api/leads").send().await.expect(401);
    assert_eq!(json.header("www-authenticate"), "Bearer");
    assert_eq!(json.json::<Value>()["status"], 401);
    visitor.get("/api/leads").header("authorization", "Bearer hf_nonsense").send().await.expect(401);
    visitor.get("/api/leads").header("cookie", "holdfast=nonsense").send().await.expect(401);
}

/// A person with a password: the address and the account's id.
async fn with_password(workspace: &Workspace, name: &str) -> (String, String) {
    let email = format!("{}@holdfast.test", name.to_lowercase());
    let (name, address) = (name.parse().expect("a name"), email.parse().expect("an address"));
    let password = PASSWORD.parse().expect("a password");
    let account = workspace.app.accounts().add(name, address, Role::Agent, Some(password)).await;
    (email, account.expect("the account is added").to_string())
}

const PASSWORD: &str = "correct horse battery";

async fn the_dialog_to_sign_in_again_gets_only_the_form(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (email, id) = with_password(&workspace, "Zoë").await;
    let visitor = workspace.visitor().same_origin();
    let get = async || visitor.get("/sign-in").header("hx-request", "true").send().await;
    let sign_in = async |password: &str| {
        let form = [("email", email.as_str()), ("password", password), ("next", "/leads")];
        visitor.post("/sign-in").header("hx-request", "true").form(&form).send().await
    };
    let is_form = |text: &str| !text.contains("<html") && text.matches("<form").count() == 1;
    assert!(is_form(get().await.expect(200).text()));
    let wrong = sign_in("not the right one").await.expect(422);
    assert!(
        is_form(wrong.text()) && wrong.text().contains("Incorrect email or password."),
        "{}",
        wrong.text()
    );
    let signed_in = sign_in(PASSWORD).await.expect(204);
    let event: Value = serde_json::from_str(signed_in.header("hx-trigger")).unwrap();
    let account = json!({ "id": id, "name": "Zoë", "email": email, "role": "Agent" });
    assert_eq!(event, json!({ "signed-in": account }));
    assert_eq!(signed_in.header("hx-redirect"), "");
    // A page asks in the same way whether its person is still signed in.
    let still = get().await.expect(204);
    assert_eq!(still.header("hx-trigger"), signed_in.header("hx-trigger"));
    // Another site can neither sign in nor read the answer.
    let cross = visitor.post("/sign-in").header("sec-fetch-site", "cross-site").header("hx-request", "true");
    cross.form(&[("email", &*email), ("password", PASSWORD)]).send().await.expect(403);
}

async fn a_form_without_a_session_is_carried_and_sent_after_signing_in(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (email, _) = with_password(&workspace, "Ann").await;
    let visitor = workspace.visitor().same_origin().always("accept", "text/html");
    let lead = [
        ("name", "Zoë \"O'Brien\" & <Co>"),
        ("email", "zoe@example.com"),
        ("state", "NY"),
        ("status", "PROSPECT"),
        ("leadScore", "50"),
    ];
    let sent = visitor.post("/leads").header("referer", "http://holdfast.test/leads/new").form(&lead);
    let page = sent.send().await.expect(401);
    assert!(!page.text().contains("<Co>"), "{}", page.text());
    let (to, fields) = (hidden(page.text(), "unsent_to"), hidden(page.text(), "unsent"));
    assert_eq!(to, "/leads");
    let next = hidden(page.text(), "next");
    assert_eq!(next, "/leads/new");
    let sign_in = async |password: &str, to: &str| {
        let form = [
            ("email", email.as_str()),
            ("password", password),
            ("next", &next),
            ("unsent_to", to),
            ("unsent", &fields),
        ];
        visitor.post("/sign-in").form(&form).send().await
    };
    let wrong = sign_in("not the right one", &to).await.expect(422);
    assert_eq!(hidden(wrong.text(), "unsent"), fields, "it is carried through a wrong password");
    // It can only be sent to this site.
    for elsewhere in
        ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", ""]
    {
        let refused = sign_in("not the right one", elsewhere).await.expect(422);
        assert!(!refused.text().contains("name=\"unsent\""), "{elsewhere}");
    }
    let offer = sign_in(PASSWORD, &to).await.expect(200);
    assert!(
        offer.text().contains("action=\"/leads\"") && offer.text().contains("Save it now"),
        "{}",
        offer.text()
    );
    let again: Vec<(&str, String)> =
        lead.iter().map(|(name, _)| (*name, hidden(offer.text(), name))).collect();
    assert!(again.iter().zip(&lead).all(|((_, carried), (_, typed))| carried == typed), "{again:?}");
    let list = async || -> Value { visitor.get("/api/leads").send().await.expect(200).json() };
    assert_eq!(list().await["items"], json!([]), "nothing is sent without a click");
    visitor.post("/leads").form(&again).send().await.expect(303);
    assert_eq!(list().await["items"][0]["name"], lead[0].1);
}

async fn a_form_that_cannot_be_carried_says_so(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let visitor = workspace.visitor().same_origin().always("accept", "text/html");
    let password = [("current", "my old secret"), ("new", "my new secret"), ("again", "my new secret")];
    let page = visitor.post("/account/password").form(&password).send().await.expect(401);
    assert!(!page.text().contains("secret") && page.text().contains("Nothing was saved"), "{}", page.text());
    let long = visitor.post("/leads").form(&[("name", "x".repeat(20_000))]).send().await.expect(401);
    assert!(!long.text().contains("xxx") && long.text().contains("Nothing was saved"));
    let file = visitor.post("/leads/imports").upload(&[], ("file", "a.csv", b"email\na@b.example\n"));
    assert!(file.send().await.expect(401).text().contains("choose the file again"));
    // A page that another site names is not returned to, and a write of another site is not carried.
    let referer = visitor.post("/leads").header("referer", "https://evil.example//x/y").form(&[("a", "b")]);
    assert_eq!(hidden(referer.send().await.expect(401).text(), "next"), "/");
    let cross = visitor.post("/leads").header("sec-fetch-site", "cross-site").form(&[("name", "Planted")]);
    assert!(!cross.send().await.expect(403).text().contains("Planted"));
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
    let (agent, participant) = (workspace.agent().await, workspace.program(Role::Participant).await);
    create(&agent, &new_lead("Hidden Person", "hidden@example.com")).await;
    let shows = async |client: &Client, path: &str| {
        let answer = client.get(path).send().await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        body.contains("Hidden Person") || body.contains("hidden@")
    };
    let mut shown_to_agents = 0;
    for route in workspace.routes.iter().filter(|route| route.method == Method::GET) {
        let path = concrete(route.path);
        assert!(!shows(&participant, &path).await, "{path}");
        shown_to_agents += usize::from(shows(&agent, &path).await);
    }
    assert!(shown_to_agents >= 2, "agents see the lead at {shown_to_agents} addresses only");
}
