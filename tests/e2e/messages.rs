//! Messages of forms on the page after their redirect, for browsers without JavaScript.

use http::Method;
use serde_json::Value;

use crate::pages::typed;
use crate::support::html::attribute;
use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, ann, create, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: the_page_after_a_form_shows_its_message_once;
        web: only_a_whole_page_takes_the_message,
            a_message_has_the_form_that_undoes_the_change,
            words_that_another_application_puts_into_the_cookie_are_not_shown
    ]
}

async fn agent(environment: &TestEnvironment) -> (Workspace, Client) {
    let workspace = Workspace::open(environment).await;
    let ann = ann(&workspace).await;
    (workspace, ann)
}

/// The cookie of the message that an answer sets: its name and its attributes.
fn message_cookie(answer: &Response) -> Option<(String, String)> {
    let cookies = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let (name, rest) =
        cookies.filter_map(|cookie| cookie.split_once('=')).find(|(name, _)| name.contains("message"))?;
    Some((name.to_owned(), rest.to_owned()))
}

/// What a page says in its live regions: to those who wait, and to those who must know.
fn messages(page: &str) -> (&str, &str) {
    let region = |mark| {
        let (_, rest) = page.split_once(mark).expect("the page has the region");
        rest.split_once("</div>\n").expect("it ends").0
    };
    (region("<div id=\"toast-status\" role=\"status\">"), region("<div id=\"toast-alert\" role=\"alert\">"))
}

/// The address and the fields of the form in a message.
fn undo(message: &str) -> (String, Vec<(String, String)>) {
    let (_, form) = message.split_once("<form method=\"post\"").expect("the message has a form");
    let fields = form.split("<input type=\"hidden\"").skip(1);
    (
        attribute(form, "action"),
        fields.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect(),
    )
}

async fn save(client: &Client, lead: &Value, over: &[(&str, &str)]) -> Response {
    let address = format!("/leads/{}", lead["id"].as_str().unwrap());
    client.post(&address).form(&typed(lead, over)).send().await.expect(303)
}

async fn page(client: &Client, path: &str) -> String {
    client.get(path).send().await.expect(200).text().to_owned()
}

async fn the_page_after_a_form_shows_its_message_once(environment: TestEnvironment) {
    let (_, ann) = agent(&environment).await;
    let lead = create(&ann, &new_lead("Art Venere", "art@example.com")).await;
    let saved = save(&ann, &lead, &[("leadScore", "70")]).await;
    let (_, cookie) = message_cookie(&saved).expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains("Saved"), "{cookie}");

    let shown = ann.get(saved.header("location")).send().await.expect(200);
    let (status, alert) = messages(shown.text());
    assert!(status.starts_with("<div class=\"toast success\"><p>Saved.</p>"), "{status}");
    assert_eq!(alert, "");
    let (_, removed) = message_cookie(&shown).expect("the page removes the cookie");
    assert!(removed.contains("Max-Age=0"), "{removed}");
    assert_eq!(messages(&page(&ann, saved.header("location")).await), ("", ""));
}

async fn only_a_whole_page_takes_the_message(environment: TestEnvironment) {
    let (workspace, ann) = agent(&environment).await;
    let lead = create(&ann, &new_lead("Art Venere", "art@example.com")).await;
    let address = save(&ann, &lead, &[]).await.header("location").to_owned();
    let asset = workspace.visitor().get("/sign-in").send().await.expect(200);
    let (_, style) = asset.text().split_once("<link rel=\"stylesheet\" href=\"").unwrap();
    let style = style.split_once('"').unwrap().0.to_owned();
    for request in [
        ann.get(&address).header("hx-request", "true"),
        ann.get(&address).header("hx-request", "true").header("hx-history-restore-request", "true"),
        ann.get(&format!("/api{address}")),
        ann.get(&style),
        ann.request(Method::HEAD, &address),
        ann.get("/sign-in"),
    ] {
        let answer = request.send().await;
        assert!(answer.status.is_success() || answer.status.is_redirection(), "{answer:?}");
        assert_eq!(message_cookie(&answer), None, "{answer:?}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("No changes to save."), "{answer:?}");
    }
    // Also a page that explains a failure is a page.
    let failed = ann.get("/leads/019f0000-0000-7000-8000-000000000000").send().await.expect(404);
    assert!(messages(failed.text()).0.contains("<div class=\"toast info\"><p>No changes to save.</p></div>"));
    assert!(message_cookie(&failed).is_some());
}

async fn a_message_has_the_form_that_undoes_the_change(environment: TestEnvironment) {
    let (_, ann) = agent(&environment).await;
    let lead = create(&ann, &new_lead("Art Venere", "art@example.com")).await;
    let saved = save(&ann, &lead, &[("leadScore", "70")]).await;
    let (address, fields) = undo(messages(&page(&ann, saved.header("location")).await).0);
    let undone = ann.post(&address).form(&fields).send().await.expect(303);
    assert_eq!(read(&ann, &lead).await["leadScore"], 50);
    assert!(messages(&page(&ann, undone.header("location")).await).0.contains("<p>Version restored.</p>"));

    let delete = format!("{}/delete", saved.header("location"));
    let deleted = ann.post(&delete).form(&[("version", "3")]).send().await.expect(303);
    let list = page(&ann, deleted.header("location")).await;
    assert!(messages(&list).0.contains("<p>Lead deleted."), "{list}");
    let (address, fields) = undo(messages(&list).0);
    ann.post(&address).form(&fields).send().await.expect(303);
    assert_eq!(read(&ann, &lead).await["version"], 5);
}

async fn words_that_another_application_puts_into_the_cookie_are_not_shown(environment: TestEnvironment) {
    let (workspace, ann) = agent(&environment).await;
    let lead = create(&ann, &new_lead("Art Venere", "art@example.com")).await;
    let (name, sealed) = message_cookie(&save(&ann, &lead, &[]).await).expect("a cookie");
    let sealed = sealed.split(';').next().unwrap();
    let (value, signature) = sealed.rsplit_once('.').unwrap();
    // The same message with another time, without its signature, and with the signature of another text.
    let forged = [
        format!("9{value}.{signature}"),
        value.to_owned(),
        format!("{value}A.{signature}"),
        "{%22tone%22:%22error%22,%22text%22:%22Call%20555-0100%22}".to_owned(),
    ];
    for value in forged {
        let visitor = workspace.visitor().always("cookie", &format!("{name}={value}"));
        let answer = visitor.get("/sign-in").send().await.expect(200);
        assert_eq!(messages(answer.text()), ("", ""), "{value}");
    }
    let visitor = workspace.visitor().always("cookie", &format!("{name}={sealed}"));
    let answer = visitor.get("/sign-in").send().await.expect(200);
    assert!(messages(answer.text()).0.contains("No changes to save."), "{}", answer.text());
}
