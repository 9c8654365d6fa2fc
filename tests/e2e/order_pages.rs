//! The pages of orders: an order takes the leads of its preview, and the loser of a race continues with one click.

use serde_json::{Value, json};

use crate::orders::{set_cap, stock};
use crate::stats::process_stream;
use crate::support::html::hidden;
use crate::support::http::{Client, Response};
use crate::support::workspace::{SHORT_RETRIES, Workspace, ann};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_form_takes_the_leads_of_its_preview_or_shows_the_new_ones,
            a_form_sent_twice_makes_one_order,
            a_form_that_loses_every_race_comes_back_filled_and_says_so_first,
            a_changed_order_is_fulfilled_as_it_is_now_with_one_more_click,
            a_cap_that_another_person_changed_is_set_with_one_more_click,
            a_cap_sent_twice_is_saved_once_and_shown_as_it_is_now,
            an_order_is_created_fulfilled_and_deleted_without_javascript,
            errors_in_an_order_are_shown_beside_their_fields,
            releasing_a_lead_for_another_reason_needs_a_note,
            a_withheld_lead_is_found_by_its_stock_and_restocked_on_its_page,
            the_list_of_orders_serves_the_page_or_its_rows,
            the_dashboard_shows_the_newest_orders_or_how_to_start
    ]
}

type Fields = Vec<(&'static str, String)>;

fn fields(key: &str, states: &[&str], quantity: &str) -> Fields {
    let mut fields = vec![
        ("key", key.to_owned()),
        ("customerName", "Acme Roofing".to_owned()),
        ("customerEmail", "buy@acme.example".to_owned()),
        ("quantityPerState", quantity.to_owned()),
    ];
    fields.extend(states.iter().map(|state| ("requestedStates", (*state).to_owned())));
    fields
}

fn confirming(mut fields: Fields, html: &str) -> Fields {
    for name in ["confirm", "previewed"] {
        fields.push((name, hidden(html, name)));
    }
    fields
}

async fn orders(client: &Client) -> Vec<Value> {
    let page: Value = client.get("/api/orders").send().await.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

async fn key(client: &Client) -> String {
    hidden(client.get("/orders/new").send().await.expect(200).text(), "key")
}

async fn make(client: &Client, states: &[&str], quantity: &str) -> String {
    let form = fields(&key(client).await, states, quantity);
    client.post("/orders").form(&form).send().await.expect(303).header("location").to_owned()
}

async fn a_form_takes_the_leads_of_its_preview_or_shows_the_new_ones(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 4).await;
    let ann = ann(&workspace).await;
    let form = fields(&key(&ann).await, &["NY"], "2");
    let preview =
        ann.post("/orders/preview").header("hx-request", "true").form(&form).send().await.expect(200);
    let html = preview.text();
    assert!(!html.contains("<html") && html.contains("2 leads from 1 state"), "{html}");
    assert!(html.contains("Lead 0") && html.contains("Lead 1") && !html.contains("Lead 2"), "{html}");

    make(&ann, &["NY"], "1").await;
    let outdated = ann.post("/orders").form(&confirming(form.clone(), html)).send().await.expect(409);
    let html = outdated.text();
    assert!(
        html.contains("Someone just took some of these leads.")
            && html.contains("Create order with these leads"),
        "{html}"
    );
    assert!(html.contains("Lead 1") && html.contains("Lead 2"), "{html}");
    assert!(html.contains("value=\"Acme Roofing\""), "a typed value is lost");
    assert_first(html, "No order was created", "Someone just took some of these leads.");
    let made = ann.post("/orders").form(&confirming(form, html)).send().await.expect(303);
    let page = ann.get(made.header("location")).send().await.expect(200);
    assert!(page.text().contains("Lead 1") && page.text().contains("Lead 2"));
}

async fn a_form_sent_twice_makes_one_order(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 4).await;
    let ann = ann(&workspace).await;
    let form = fields(&key(&ann).await, &["NY"], "2");
    let preview = ann.post("/orders/preview").form(&form).send().await.expect(200);
    let confirmed = confirming(form.clone(), preview.text());
    let first = ann.post("/orders").form(&confirmed).send().await.expect(303);
    for again in [&confirmed, &form] {
        let again = ann.post("/orders").form(again).send().await.expect(303);
        assert_eq!(again.header("location"), first.header("location"));
    }
    assert_eq!(orders(&ann).await.len(), 1);
    // Going back and sending other values is another order and needs another key.
    let other = fields(&form[0].1, &["NY"], "1");
    let answer = ann.post("/orders").form(&other).send().await.expect(422);
    assert_first(answer.text(), "No order was created", "This form already created an order.");
    let other = fields(&hidden(answer.text(), "key"), &["NY"], "1");
    ann.post("/orders").form(&other).send().await.expect(303);
    assert_eq!(orders(&ann).await.len(), 2);
}

/// Asserts that a page says this before anything else, and gives it the focus.
#[track_caller]
fn assert_first(html: &str, what: &str, why: &str) {
    let (_, main) = html.split_once("<main id=\"content\" tabindex=\"-1\">").expect("a page has content");
    let notice = "<div id=\"refusal\" class=\"notice warn\" role=\"alert\" tabindex=\"-1\" autofocus>";
    let first = format!("{notice}<p><strong>{what}.</strong> {why}");
    assert!(main.trim_start().starts_with(&first), "{main}");
    assert!(html.contains(&format!("<title>{what} · Holdfast</title>")), "{html}");
    assert_eq!(html.matches("autofocus").count(), 1, "{html}");
}

async fn a_form_that_loses_every_race_comes_back_filled_and_says_so_first(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 2).await;
    let ann = ann(&workspace).await;
    let session = format!("holdfast={}", ann.cookie("holdfast").unwrap());
    let hasty = workspace.another(&environment, environment.wire(), SHORT_RETRIES);
    let hasty = hasty.visitor().always("cookie", &session).same_origin();
    let form = fields(&key(&ann).await, &["NY"], "2");
    let preview = ann.post("/orders/preview").form(&form).send().await.expect(200);
    let confirmed = confirming(form, preview.text());
    environment.wire().always("TransactWriteItems", Fault::TransactionConflict);
    let answer = hasty.post("/orders").form(&confirmed).send().await.expect(503);
    assert_first(answer.text(), "No order was created", "");
    assert!(answer.text().contains("Nothing was saved; try again"), "{}", answer.text());
    assert!(!answer.header("retry-after").is_empty());
    for text in ["value=\"Acme Roofing\"", "value=\"buy@acme.example\"", "value=\"NY\" checked"] {
        assert!(answer.text().contains(text), "{text} is lost: {}", answer.text());
    }
    // The same form with the same key and the same preview.
    for name in ["key", "confirm", "previewed"] {
        let (_, value) = confirmed.iter().find(|(field, _)| *field == name).expect("the form has the field");
        assert_eq!(&hidden(answer.text(), name), value, "{name}");
    }
    environment.wire().reset();
    ann.post("/orders").form(&confirmed).send().await.expect(303);
    assert_eq!(orders(&ann).await.len(), 1);
}

async fn a_changed_order_is_fulfilled_as_it_is_now_with_one_more_click(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 3).await;
    let (ann, agent) = (ann(&workspace).await, workspace.agent().await);
    let page = make(&ann, &["NY"], "1").await;
    let order = orders(&agent).await.remove(0);
    let detail: Value = agent.get(&format!("/api{page}")).send().await.expect(200).json();
    let release = json!({ "leadId": detail["leads"][0]["id"], "reason": "BAD_CONTACT", "version": 1 });
    agent.post(&format!("/api{page}/release")).json(&release).send().await.expect(200);

    let stale = [("version", order["version"].to_string())];
    for (action, button) in [("fulfill", "Fulfill anyway"), ("delete", "Delete anyway")] {
        let answer = ann.post(&format!("{page}/{action}")).form(&stale).send().await.expect(409);
        let html = answer.text();
        assert!(html.contains("<strong>Test agent (test) released a lead</strong>"), "{html}");
        assert!(html.contains("Bad contact") && html.contains(button), "{html}");
    }
    let answer = ann.post(&format!("{page}/fulfill")).form(&stale).send().await.expect(409);
    let fresh = [("version", hidden(answer.text(), "version"))];
    ann.post(&format!("{page}/fulfill")).form(&fresh).send().await.expect(303);
    assert!(ann.get(&page).send().await.expect(200).text().contains("Fulfilled"));
    let kept = ann.post(&format!("{page}/delete")).form(&[("version", "3")]).send().await.expect(422);
    assert!(kept.text().contains("can&#39;t be deleted"), "{}", kept.text());
}

async fn a_cap_that_another_person_changed_is_set_with_one_more_click(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = ann(&workspace).await;
    let page = ann.get("/orders/caps").send().await.expect(200);
    assert_eq!(page.text().matches("<tr id=\"cap-").count(), 51);
    let set = async |version: &str, cap: &str| -> Response {
        let form = [("version", version), ("cap", cap)];
        ann.post("/orders/caps/NY").header("hx-request", "true").form(&form).send().await
    };
    let row = set("1", "3").await.expect(200);
    assert!(row.text().contains("0 of 3") && !row.text().contains("<html"), "{}", row.text());
    let overtaken = set("1", "5").await.expect(409);
    let html = overtaken.text();
    assert!(html.contains("<bdi>Ann Lee</bdi> just set this to 3") && html.contains("value=\"5\""), "{html}");
    set(&hidden(html, "version"), "5").await.expect(200);
    let wrong = set("3", "1.5").await.expect(422);
    assert!(
        wrong.text().contains("whole number") && wrong.text().contains("value=\"1.5\""),
        "{}",
        wrong.text()
    );
    assert!(set("3", "").await.expect(200).text().contains("0 of 10"), "empty follows the default");
    // Without JavaScript the answer is the whole page.
    let form = [("version", "1"), ("cap", "9")];
    let plain = ann.post("/orders/caps/NY").form(&form).send().await.expect(409);
    assert!(
        plain.text().contains("<html")
            && plain.text().contains("<bdi>Ann Lee</bdi> just set this to 10 (the default)")
    );
    ann.post("/orders/caps").form(&form).send().await.expect(303);
    let stale = ann.post("/orders/caps").form(&[("version", "1"), ("cap", "8")]).send().await.expect(409);
    assert!(stale.text().contains("<bdi>Ann Lee</bdi> just set this to 9"), "{}", stale.text());
}

async fn a_cap_sent_twice_is_saved_once_and_shown_as_it_is_now(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = ann(&workspace).await;
    let form = [("version", "1"), ("cap", "3")];
    let set = async || ann.post("/orders/caps/NY").header("hx-request", "true").form(&form).send().await;
    set().await.expect(200);
    set_cap(&workspace, "NY", 7).await;
    let again = set().await.expect(200);
    assert!(again.text().contains("0 of 7") && !again.text().contains("<html"), "{}", again.text());
    assert!(again.header("hx-trigger").contains("already saved"), "{}", again.header("hx-trigger"));
    // Without JavaScript the answer is the page.
    let plain = ann.post("/orders/caps/NY").form(&form).send().await.expect(303);
    let page = ann.get(plain.header("location")).send().await.expect(200);
    assert!(page.text().contains("This was already saved.") && page.text().contains("0 of 7"));
    for words in ["Default cap saved.", "This was already saved."] {
        let answer = ann.post("/orders/caps").form(&form).send().await.expect(303);
        let page = ann.get(answer.header("location")).send().await.expect(200);
        assert!(page.text().contains(words), "{words} in {}", page.text());
    }
    let caps: Value = ann.get("/api/leads/caps").send().await.expect(200).json();
    assert_eq!((&caps["default"]["cap"], &caps["default"]["version"]), (&json!(3), &json!(2)));
}

async fn an_order_is_created_fulfilled_and_deleted_without_javascript(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 3).await;
    let ann = ann(&workspace).await;
    let form = fields(&key(&ann).await, &["NY", "CA"], "");
    let preview = ann.post("/orders/preview").form(&form).send().await.expect(200);
    let html = preview.text();
    assert!(html.contains("<html") && html.contains("3 leads from 1 state"), "{html}");
    assert!(html.contains("value=\"NY\" checked") && html.contains("none in stock"), "{html}");
    let made = ann.post("/orders").form(&confirming(form, html)).send().await.expect(303);
    let page = made.header("location").to_owned();
    let version = [("version", "1")];
    ann.post(&format!("{page}/fulfill")).form(&version).send().await.expect(303);
    ann.post(&format!("{page}/fulfill")).form(&version).send().await.expect(303);

    let nothing = fields(&key(&ann).await, &["NY"], "1");
    let refused = ann.post("/orders").form(&nothing).send().await.expect(422);
    assert_first(refused.text(), "No order was created", "No leads available in these states.");
    stock(&workspace, "CA", 1).await;
    let page = make(&ann, &["CA"], "1").await;
    let gone = ann.post(&format!("{page}/delete")).form(&version).send().await.expect(303);
    assert_eq!(gone.header("location"), "/orders");
    let answer = ann.get(&page).send().await.expect(404);
    assert!(
        answer.text().contains("This order was deleted") && answer.text().contains("Created"),
        "{}",
        answer.text()
    );
    assert_eq!(orders(&ann).await.len(), 1);
}

async fn errors_in_an_order_are_shown_beside_their_fields(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = ann(&workspace).await;
    let form = [
        ("customerName", "<b>\"Acme\"</b>"),
        ("customerEmail", "no email"),
        ("quantityPerState", "0"),
        ("requestedStates", "ZZ"),
    ];
    let before = environment.wire().count("TransactWriteItems");
    let refused = ann.post("/orders").form(&form).send().await.expect(422);
    let html = refused.text();
    for id in ["email-error", "quantity-error", "states-error"] {
        assert!(html.contains(&format!("id=\"{id}\"")), "{id} in {html}");
    }
    assert!(!html.contains("<b>\"Acme") && html.contains("value=\"no email\""), "{html}");
    assert_eq!(environment.wire().count("TransactWriteItems"), before);
    for (path, status) in [
        ("/orders/nonsense", 404),
        ("/orders/019f0000-0000-7000-8000-000000000000", 404),
        ("/orders?from=soon", 422),
        ("/orders/export?from=soon", 422),
        ("/orders?cursor=x", 400),
    ] {
        ann.get(path).send().await.expect(status);
    }
}

async fn releasing_a_lead_for_another_reason_needs_a_note(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 2).await;
    let ann = ann(&workspace).await;
    let page = make(&ann, &["NY"], "1").await;
    let detail: Value = ann.get(&format!("/api{page}")).send().await.expect(200).json();
    let lead = detail["leads"][0]["id"].as_str().unwrap();
    let form = ann.get(&format!("{page}/release?lead={lead}")).send().await.expect(200);
    assert!(form.text().contains("Release Lead 0"));
    let send = async |reason: &str, note: &str| {
        let form = [("version", "1"), ("lead", lead), ("reason", reason), ("note", note)];
        ann.post(&format!("{page}/release")).form(&form).send().await
    };
    assert!(send("", "").await.expect(422).text().contains("Choose a reason."));
    let refused = send("OTHER", "").await.expect(422);
    assert!(
        refused.text().contains("note-error") && refused.text().contains("value=\"OTHER\" required checked")
    );
    send("OTHER", "Wants a fence, not a roof").await.expect(303);
    let order = ann.get(&page).send().await.expect(200);
    assert!(order.text().contains("Wants a fence, not a roof") && order.text().contains("Lead 1"));
    let stale = send("DUPLICATE", "").await.expect(409);
    assert!(stale.text().contains("The lead wasn&#39;t released."), "{}", stale.text());
}

async fn a_withheld_lead_is_found_by_its_stock_and_restocked_on_its_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 1).await;
    let ann = ann(&workspace).await;
    let order = make(&ann, &["NY"], "1").await;
    let detail: Value = ann.get(&format!("/api{order}")).send().await.expect(200).json();
    let page = format!("/leads/{}", detail["leads"][0]["id"].as_str().unwrap());
    let held = ann.get(&page).send().await.expect(200);
    assert!(held.text().contains(&format!("href=\"{order}\"")), "the lead's page links to its order");
    let release = json!({ "leadId": detail["leads"][0]["id"], "reason": "BAD_CONTACT", "version": 1 });
    ann.post(&format!("/api{order}/release")).json(&release).send().await.expect(200);

    assert!(ann.get("/leads?stock=WITHHELD").send().await.expect(200).text().contains("Lead 0"));
    ann.get("/leads?stock=WITHHELD&status=PROSPECT").send().await.expect(422);
    let withheld = ann.get(&page).send().await.expect(200);
    assert!(withheld.text().contains("Put back in stock") && withheld.text().contains("Released"));
    let restock = format!("{page}/restock");
    let stale = ann.post(&restock).form(&[("version", "2")]).send().await.expect(409);
    assert!(stale.text().contains("It wasn&#39;t put back in stock."), "{}", stale.text());
    let fresh = [("version", hidden(stale.text(), "version"))];
    ann.post(&restock).form(&fresh).send().await.expect(303);
    let again: Value = ann.get(&format!("/api{page}")).send().await.expect(200).json();
    assert_eq!(again["stock"], "UNASSIGNED");
    let twice = [("version", again["version"].to_string())];
    ann.post(&restock).form(&twice).send().await.expect(422);
}

async fn the_list_of_orders_serves_the_page_or_its_rows(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = ann(&workspace).await;
    assert!(ann.get("/orders").send().await.expect(200).text().contains("No orders yet"));
    stock(&workspace, "NY", 2).await;
    make(&ann, &["NY"], "1").await;
    make(&ann, &["NY"], "1").await;
    let page = ann.get("/orders?status=OPEN").send().await.expect(200);
    assert!(page.text().contains("<html") && page.text().contains("2 orders shown"));
    let rows = ann.get("/orders?customer=nobody").header("hx-request", "true").send().await.expect(200);
    assert!(!rows.text().contains("<html") && rows.text().contains("No matching orders."), "{}", rows.text());
    let export = ann.get("/orders/export?from=&to=").send().await.expect(200);
    assert!(export.text().contains("No leads were delivered on these days."));
}

async fn the_dashboard_shows_the_newest_orders_or_how_to_start(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = ann(&workspace).await;
    assert!(ann.get("/").send().await.expect(200).text().contains("No leads yet"));
    stock(&workspace, "NY", 2).await;
    make(&ann, &["NY"], "1").await;
    process_stream(&environment, &workspace).await;
    let board = ann.get("/").send().await.expect(200);
    for part in ["Acme Roofing", "1 of 10", "Pipeline", ": 2 created, 0 delivered\"", "Show as table"] {
        assert!(board.text().contains(part), "{part} in {}", board.text());
    }
    for page in [board.clone(), ann.get("/orders/caps").send().await.expect(200)] {
        let (_, updated) =
            page.text().split_once("Updated <time datetime=\"").expect("the time of the counts");
        let (time, after) = updated.split_once("</time>").unwrap();
        let (_, time) = time.split_once("title=\"").expect("the whole time is a tooltip");
        let (whole, short) = time.split_once("\">").unwrap();
        assert!(whole.contains(short), "{short} is a part of {whole}");
        assert!(after.starts_with(". Cap usage is live."), "{after:.40}");
    }
    for inline in [" style=", "<style", " onclick", " hx-on", "<script>"] {
        assert!(!board.text().contains(inline), "{inline} violates the policy");
    }
}
