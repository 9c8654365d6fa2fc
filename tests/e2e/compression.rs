//! Answers are compressed for clients that accept it, except for those that show a secret.

use std::collections::BTreeSet;
use std::io::Read as _;

use data_encoding::BASE32_NOPAD;
use flate2::read::GzDecoder;
use holdfast::accounts::change::Operator;
use holdfast::accounts::link_path;
use holdfast::base::identity::Role;
use holdfast::web::routes::Route;
use jiff::Timestamp;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use super::orders::{create as create_order, set_cap, stock};
use super::two_factor::{field, recovery_codes, shown_secret};
use crate::support::http::Response;
use crate::support::workspace::Workspace;
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: pages_and_lists_are_compressed_and_read_the_same,
            an_answer_that_shows_a_secret_is_never_compressed,
            the_routes_that_show_secrets_are_marked
    ]
}

/// A compressed body as it was before.
pub fn unpacked(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(body).read_to_end(&mut plain).expect("the body is gzip");
    plain
}

async fn pages_and_lists_are_compressed_and_read_the_same(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    set_cap(&workspace, "NY", 50).await;
    stock(&workspace, "NY", 25).await;
    let order = create_order(&workspace, &["NY"], None).await.unwrap().order;
    let agent = workspace.session(Role::Agent, "Ann").await;
    let mut compressed = 0;
    for path in ["/leads", "/orders/caps", "/orders", "/api/leads?limit=50", "/api/leads/caps", "/nowhere"] {
        let ask = async |accept: &str, fragment: &str| {
            agent.get(path).header("accept-encoding", accept).header("hx-request", fragment).send().await
        };
        for fragment in ["false", "true"] {
            let plain = ask("identity", fragment).await;
            let smaller = ask("gzip, deflate, br, zstd", fragment).await;
            if plain.body.len() < 1_024 {
                assert_eq!(smaller.body, plain.body, "{path}: a short answer stays as it is");
                continue;
            }
            compressed += 1;
            assert_eq!(plain.header("content-encoding"), "", "{path}");
            assert_eq!(smaller.header("content-encoding"), "gzip", "{path}");
            assert_eq!(smaller.status, plain.status, "{path}");
            assert_eq!(unpacked(&smaller.body), plain.body, "{path}");
            assert!(smaller.body.len() * 3 < plain.body.len() * 2, "{path}: {} bytes", smaller.body.len());
            for answer in [&plain, &smaller] {
                let mut vary = answer.headers.get_all("vary").iter();
                assert!(vary.any(|value| value == "Accept-Encoding"), "{path}");
            }
        }
    }
    assert!(compressed >= 6, "only {compressed} answers are long enough");
    // The tag of a record is its version, which a strong tag of a compressed answer could not be.
    let order =
        agent.get(&format!("/api/orders/{}", order.id)).header("accept-encoding", "gzip").send().await;
    assert!(order.body.len() > 1_024, "{} bytes", order.body.len());
    assert_eq!((order.header("etag"), order.header("content-encoding")), ("\"1\"", ""));
}

/// Every route whose answer may show a secret. A new one must be added with `Routes::with_secrets`.
const SECRET_ROUTES: [&str; 15] = [
    "GET /account/two-factor",
    "GET /sign-in/link/{secret}",
    "POST /account/tokens",
    "POST /account/two-factor",
    "POST /account/two-factor/codes",
    "POST /account/two-factor/off",
    "POST /api/accounts",
    "POST /api/accounts/{id}/link",
    "POST /api/accounts/{id}/tokens",
    "POST /api/tokens",
    "POST /people",
    "POST /people/{id}/link",
    "POST /people/{id}/tokens",
    "POST /sign-in",
    "POST /sign-in/link/{secret}",
];

/// What routes with such a part in their path usually answer.
const SUSPICIOUS: [&str; 4] = ["link", "token", "two-factor", "code"];

/// Routes with such a part that show no secret: lists without secrets, and acts that end something.
const WITHOUT_SECRETS: [&str; 11] = [
    "DELETE /api/accounts/{id}/link",
    "DELETE /api/accounts/{id}/tokens/{token}",
    "DELETE /api/tokens/{id}",
    "GET /api/accounts/{id}/tokens",
    "GET /api/accounts/{id}/tokens/{token}",
    "GET /api/tokens",
    "GET /api/tokens/{id}",
    "POST /account/tokens/{id}/revoke",
    "POST /people/{id}/link/withdraw",
    "POST /people/{id}/tokens/{token}/revoke",
    "POST /people/{id}/two-factor/reset",
];

async fn the_routes_that_show_secrets_are_marked(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let named = |route: &Route| format!("{} {}", route.method, route.path);
    let marked: BTreeSet<String> =
        workspace.routes.iter().filter(|route| route.shows_secrets).map(named).collect();
    assert_eq!(marked, SECRET_ROUTES.map(str::to_owned).into());
    for route in workspace.routes.iter().map(named).filter(|route| !marked.contains(route)) {
        let is_suspicious = SUSPICIOUS.iter().any(|part| route.contains(part));
        assert!(!is_suspicious || WITHOUT_SECRETS.contains(&&*route), "{route}: does it show a secret?");
    }
}

/// Panics unless the answer shows the secret and is not compressed, although its length would allow it.
#[track_caller]
fn assert_plain(what: &str, answer: &Response, secret: &str) {
    assert_eq!(answer.header("content-encoding"), "", "{what} is compressed");
    assert!(answer.text().contains(secret), "{what} does not show {secret}: {}", answer.text());
    let is_page = answer.header("content-type").starts_with("text/html");
    assert!(!is_page || answer.body.len() >= 1_024, "{what} is too short to say anything");
}

async fn an_answer_that_shows_a_secret_is_never_compressed(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.session(Role::Administrator, "Ada").await;
    let admin = admin.same_origin().always("accept-encoding", "gzip");
    let page = admin.get("/account").send().await.expect(200);
    assert_eq!(page.header("content-encoding"), "gzip", "pages without a secret are compressed");

    let token = admin.post("/account/tokens").form(&[("name", "Nightly export")]).send().await.expect(201);
    assert_plain("a new token", &token, "id=\"new-token\"");
    let token = json!({ "name": "Another" });
    let token = admin.post("/api/tokens").json(&token).send().await.expect(201);
    assert_plain("a new token as JSON", &token, "\"secret\"");

    let person = [("kind", "person"), ("name", "Pat"), ("email", "pat@example.com"), ("role", "agent")];
    let invited = admin.post("/people").form(&person).send().await.expect(201);
    assert_plain("a new invitation", &invited, "id=\"new-link\"");
    let person = json!({ "name": "Kim", "email": "kim@example.com", "role": "agent" });
    let invited = admin.post("/api/accounts").json(&person).send().await.expect(201);
    assert_plain("a new invitation as JSON", &invited, "/sign-in/link/");
    let kim: Value = invited.json();
    let kim = (kim["id"].as_str().unwrap().to_owned(), kim["version"].as_u64().unwrap());
    let version = kim.1.to_string();
    let link =
        admin.post(&format!("/people/{}/link", kim.0)).form(&[("version", version.as_str())]).send().await;
    assert_plain("a renewed invitation", &link, "id=\"new-link\"");
    let service = [("kind", "service"), ("name", "Exporter"), ("role", "viewer")];
    let service = admin.post("/people").form(&service).send().await;
    let service = service.header("location").to_owned();
    let token = admin
        .post(&format!("{service}/tokens"))
        .form(&[("name", "x"), ("role", "viewer"), ("days", "90")])
        .send()
        .await;
    assert_plain("a token of a service", &token, "id=\"new-token\"");

    let ben = workspace.account(Role::Agent, "Ben").await;
    let secret = workspace.app.accounts().sign_in_link(ben.id, Operator::Command).await.unwrap();
    let path = link_path(&secret);
    let link = workspace.visitor().get(&path).header("accept-encoding", "gzip").send().await.expect(200);
    assert_plain("the page of a link", &link, &path);

    let setup = admin.get("/account/two-factor").send().await.expect(200);
    let key = shown_secret(&setup);
    assert_plain("the set-up of two-factor authentication", &setup, &key);
    let bytes = BASE32_NOPAD.decode(key.replace(' ', "").as_bytes()).unwrap();
    let bytes: [u8; 20] = bytes.try_into().unwrap();
    let totp = Builder::new().with_secret(Secret::from(bytes)).build().unwrap();
    let code = totp.generate(Timestamp::now().as_second().unsigned_abs()).to_string();
    let form = [("enrollment", field(&setup, "enrollment")), ("code", code)];
    let codes = admin.post("/account/two-factor").form(&form).send().await.expect(200);
    assert_plain("recovery codes", &codes, &recovery_codes(&codes)[0]);

    // The page of a failure has the address of the secret, so that the sender can go back.
    let fault = Fault::Refused("AccessDeniedException");
    environment.wire().next("BatchGetItem", fault.clone());
    environment.wire().next("GetItem", fault);
    let failed = workspace.visitor().get(&path).header("accept-encoding", "gzip").send().await;
    assert_eq!((failed.status.as_u16(), failed.header("content-encoding")), (500, ""));
    environment.wire().reset();
}
