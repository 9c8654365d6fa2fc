//! The HTTP client with a cookie jar and the browser, tested with a few small pages.

use axum::Router;
use axum::extract::{Form, Multipart};
use axum::http::{HeaderMap, Method, header};
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::{any, get, post};
use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::support::browser::{At, Look};
use crate::support::http::{Client, Server};
use crate::support::missing_tool::MissingTool;
use crate::support::{Case, TestEnvironment, cases};

pub fn all() -> Vec<Case> {
    cases![
        embedded: a_visitor_keeps_cookies_over_the_router_and_over_http,
            a_visitor_sends_forms_and_json,
            a_missing_tool_is_reported;
        browser: axe_finds_the_violations_of_a_bad_page,
            elements_are_found_by_their_accessible_names,
            the_keyboard_alone_is_enough,
            colors_and_the_network_can_be_changed,
            a_page_without_scripts_still_works,
            the_console_shows_what_the_policy_blocked;
    ]
}

const GOOD: &str = r#"<!doctype html><html lang="en"><title>Good</title>
<meta name="viewport" content="width=device-width">
<style>body { background: #fff; color: #000 } @media (prefers-color-scheme: dark) { body { background: #000; color: #fff } }</style>
<main><h1>Good page</h1>
<label for="n">Your name</label> <input id="n" name="n">
<label for="c">Color</label> <select id="c" name="c"><option>Red<option>Blue</select>
<label for="f">A file</label> <input id="f" type="file">
<button type="button" id="greet">Greet</button> <button type="button" id="later" disabled>Later</button>
<p id="out" role="status"></p><p id="away">Away soon</p></main>
<script>
const at = id => document.getElementById(id);
at("greet").onclick = () => {
  at("out").textContent = `Hello ${at("n").value}, ${at("c").value}, ${at("f").files.length} file`;
  setTimeout(() => { at("later").disabled = false; at("away").remove(); }, 50);
};
at("later").onclick = () => { at("out").textContent = "Later it is"; };
</script></html>"#;

const BAD: &str = "<!doctype html><html><title></title><img src=\"data:,\"><input>\
     <p style=\"color: #ccc; background: #fff\">Pale</p></html>";

/// A few small pages.
fn router() -> Router {
    Router::new()
        .route("/visit", get(visit))
        .route("/leave", post(async || [(header::SET_COOKIE, "visits=; Max-Age=0")]))
        .route("/old", get(async || Redirect::to("/visit")))
        .route("/method", any(async |method: Method| method.to_string()))
        .route("/upload", post(upload))
        .route("/good", get(async || Html(GOOD)))
        .route("/bad", get(async || Html(BAD)))
        .route(
            "/strict",
            get(async || ([(header::CONTENT_SECURITY_POLICY, "default-src 'none'")], Html(GOOD))),
        )
        .route("/form", post(async |Form(fields): Form<Value>| axum::Json(fields)))
        .route(
            "/json",
            post(async |headers: HeaderMap, axum::Json(value): axum::Json<Value>| {
                let mark = headers.get("x-mark").and_then(|mark| mark.to_str().ok());
                axum::Json(json!({ "got": value, "mark": mark }))
            }),
        )
}

/// Lists the parts of a form with a file.
async fn upload(mut parts: Multipart) -> String {
    let mut summary = String::new();
    while let Some(part) = parts.next_field().await.unwrap() {
        let name = part.name().unwrap_or_default().to_owned();
        let file = part.file_name().unwrap_or_default().to_owned();
        summary.push_str(&format!("{name} {file} {}\n", part.text().await.unwrap()));
    }
    summary
}

/// Those pages over real HTTP.
pub async fn server() -> Server {
    Server::of(router()).await
}

/// Counts a visitor's visits in a cookie.
async fn visit(headers: HeaderMap) -> impl IntoResponse {
    let cookie = headers.get(header::COOKIE).and_then(|cookie| cookie.to_str().ok());
    let visits = cookie.and_then(|cookie| cookie.strip_prefix("visits=")?.parse().ok());
    let visits = visits.unwrap_or(0) + 1;
    let set = [(header::SET_COOKIE, format!("visits={visits}; HttpOnly"))];
    (set, Html(format!("<!doctype html><output>visits: {visits}</output>")))
}

async fn a_visitor_keeps_cookies_over_the_router_and_over_http(_: TestEnvironment) {
    let server = server().await;
    for visitor in [Client::over(router()), Client::at(&server.url("/"))] {
        visitor.get("/visit").send().await.expect(200);
        let second = visitor.get("/visit").send().await.expect(200);
        assert!(second.text().contains("visits: 2"), "{}", second.text());
        assert_eq!(visitor.cookie("visits").as_deref(), Some("2"));

        let old = visitor.get("/old").send().await.expect(303);
        assert_eq!(old.header("location"), "/visit", "a redirect is not followed");

        visitor.post("/leave").send().await.expect(200);
        assert_eq!(visitor.cookie("visits"), None);
        visitor.get("/visit").send().await.expect(200);
        visitor.forget_cookies();
        let again = visitor.get("/visit").send().await.expect(200);
        assert!(again.text().contains("visits: 1"));
    }
}

async fn a_visitor_sends_forms_and_json(_: TestEnvironment) {
    let visitor = Client::over(router()).always("x-mark", "always");
    let form = visitor.post("/form").form(&[("a", "1 & 2"), ("b", "é")]).send().await.expect(200);
    assert_eq!(form.json::<Value>(), json!({ "a": "1 & 2", "b": "é" }));
    let echo = visitor.post("/json").json(&json!([1])).send().await.expect(200);
    assert_eq!(echo.json::<Value>(), json!({ "got": [1], "mark": "always" }));
    let other = visitor.post("/json").json(&json!(2)).header("X-Mark", "now").send().await;
    assert_eq!(other.json::<Value>()["mark"], "now");
    let file = ("file", "leads.csv", "name\r\nÅda".as_bytes());
    let upload = visitor.post("/upload").upload(&[("kind", "csv")], file).send().await.expect(200);
    assert_eq!(upload.text(), "kind  csv\nfile leads.csv name\r\nÅda\n");
    for (method, request) in [
        ("PUT", visitor.put("/method")),
        ("PATCH", visitor.patch("/method")),
        ("DELETE", visitor.delete("/method")),
    ] {
        assert_eq!(request.send().await.text(), method);
    }
    let broken = visitor.post("/json").body("application/json", "{").send().await.expect(400);
    assert!(!broken.body.is_empty());
    assert_eq!(broken.headers.get("location"), None);
    assert!(broken.status.is_client_error());
}

async fn a_missing_tool_is_reported(_: TestEnvironment) {
    let kind = crate::support::Kind::Embedded;
    let environment = TestEnvironment::on(kind, "harness::lacking").await.unwrap();
    assert!(environment.missing_tool().is_none());
    let why = "it was not found".to_owned();
    environment.report_missing(MissingTool { what: "A tool", why, remedy: "Install it" });
    let missing_tool = environment.missing_tool().unwrap();
    assert_eq!(missing_tool.to_string(), "A tool: it was not found. Install it");
}

async fn axe_finds_the_violations_of_a_bad_page(environment: TestEnvironment) {
    let server = server().await;
    let browser = environment.browser(Look::desktop()).await;
    browser.goto(&server.url("/bad")).await;
    let found = browser.axe_violations().await.join("\n");
    for rule in ["image-alt", "color-contrast", "html-has-lang", "label"] {
        assert!(found.contains(&format!("{rule} (")), "axe missed {rule}: {found}");
    }
    browser.goto(&server.url("/good")).await;
    browser.axe().await;
    assert!(browser.screenshot("harness-good").await.metadata().unwrap().len() > 1000);
}

async fn elements_are_found_by_their_accessible_names(environment: TestEnvironment) {
    let server = server().await;
    let browser = environment.browser(Look::phone()).await;
    browser.goto(&server.url("/good")).await;
    let width = browser.run("return [innerWidth, screen.width]", Vec::new()).await;
    assert_eq!(width, json!([390, 390]));
    browser.fill(At::Named("Your name"), "Nobody").await;
    browser.fill(At::Named("Your name"), "Ada").await;
    assert_eq!(browser.value(At::Css("#n")).await, "Ada");
    browser.choose(At::Named("Color"), "Blue").await;
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    browser.upload("#f", &file).await;
    browser.click(At::Named("Greet")).await;
    browser.wait_for_text("#out", "Hello Ada, Blue, 1 file").await;
    browser.wait_until_gone("#away").await;
    // The button is enabled a moment later, and the click waits for it.
    browser.click(At::Named("Later")).await;
    browser.wait_for_text("#out", "Later it is").await;
    assert_eq!(browser.text(At::Css("h1")).await, "Good page");
    assert_eq!(browser.count("button").await, 2);
}

async fn the_keyboard_alone_is_enough(environment: TestEnvironment) {
    let server = server().await;
    let browser = environment.browser(Look::desktop()).await;
    browser.goto(&server.url("/good")).await;
    browser.press(&Key::Tab).await;
    assert_eq!(browser.focused().await, "Your name");
    browser.press("Bib").await;
    browser.press(&(Key::Control + "a")).await;
    browser.press("Bob").await;
    for name in ["Color", "A file", "Greet"] {
        browser.press(&Key::Tab).await;
        let focused = browser.focused().await;
        assert!(focused.starts_with(name), "the focus is on {focused} and not on {name}");
    }
    browser.press(&Key::Enter).await;
    browser.wait_for_text("#out", "Hello Bob").await;
}

async fn colors_and_the_network_can_be_changed(environment: TestEnvironment) {
    let server = server().await;
    let browser = environment.browser(Look::desktop().dark()).await;
    let background = "return getComputedStyle(document.body).backgroundColor";
    browser.goto(&server.url("/good")).await;
    assert_eq!(browser.run(background, Vec::new()).await, "rgb(0, 0, 0)");
    browser.prefer_dark(false).await;
    assert_eq!(browser.run(background, Vec::new()).await, "rgb(255, 255, 255)");

    let online = "return fetch('/visit').then(() => true, () => false)";
    browser.offline(true).await;
    assert_eq!(browser.run(online, Vec::new()).await, false);
    browser.offline(false).await;
    assert_eq!(browser.run(online, Vec::new()).await, true);
}

async fn a_page_without_scripts_still_works(environment: TestEnvironment) {
    let server = server().await;
    let browser = environment.browser(Look::desktop().without_javascript()).await;
    browser.goto(&server.url("/good")).await;
    browser.fill(At::Named("Your name"), "Ada").await;
    browser.click(At::Named("Greet")).await;
    assert_eq!(browser.run("return document.getElementById('out').textContent", Vec::new()).await, "");
    browser.goto(&server.url("/visit")).await;
    browser.reload().await;
    browser.wait_for("output").await;
    browser.wait_for_text("output", "visits: 2").await;
    assert!(browser.url().await.ends_with("/visit"));
}

async fn the_console_shows_what_the_policy_blocked(environment: TestEnvironment) {
    let server = server().await;
    let browser = environment.browser(Look::desktop()).await;
    browser.goto(&server.url("/strict")).await;
    // WebDriver injects axe-core, which no content security policy of a page prevents.
    browser.axe().await;
    let refused = browser.console().await.join("\n");
    assert!(refused.contains("Content Security Policy"), "{refused}");
    browser.goto(&server.url("/visit")).await;
    let quiet: Vec<_> = browser.console().await;
    let quiet: Vec<_> = quiet.iter().filter(|line| !line.contains("favicon")).collect();
    assert!(quiet.is_empty(), "{quiet:?}");
}
