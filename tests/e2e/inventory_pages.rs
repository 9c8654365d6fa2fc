//! The pages of the inventory, with and without JavaScript. The loser of a race continues with one click.

use holdfast::inventory::domain::{Delivery, Source};
use holdfast::inventory::health::Progress;
use serde_json::{Value, json};

use crate::inventory_api::{dead_letters, event, product, send};
use crate::support::html::hidden_in as hidden;
use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, ann};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_stock_that_moved_is_shown_beside_the_typed_value_and_set_with_one_click,
            a_new_name_is_saved_on_top_of_another_persons_low_stock_mark,
            details_that_are_sent_twice_are_saved_once,
            a_dead_letter_is_retried_and_dismissed_in_the_list,
            a_form_that_is_sent_twice_closes_a_dead_letter_once,
            an_empty_inventory_explains_how_to_send_a_first_message,
            products_are_listed_low_stock_first_and_can_be_searched,
            errors_in_a_form_are_shown_beside_their_fields,
            movements_are_shown_page_by_page,
            dead_letters_are_shown_escaped_and_complete,
            former_addresses_of_dead_letters_redirect,
            dead_letters_are_decided_in_groups_on_their_page,
            consumers_are_shown_with_their_lag
    ]
}

async fn page(client: &Client, path: &str) -> String {
    client.get(path).send().await.expect(200).text().to_owned()
}

async fn fragment(client: &Client, path: &str) -> String {
    let html = client.get(path).header("hx-request", "true").send().await.expect(200).text().to_owned();
    assert!(!html.contains("<html"), "{path} is a whole page");
    html
}

#[track_caller]
fn assert_shows(html: &str, words: &[&str]) {
    for word in words {
        assert!(html.contains(word), "{word:?} is not in {html}");
    }
}

async fn an_empty_inventory_explains_how_to_send_a_first_message(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = ann(&workspace).await;
    let html = page(&ann, "/inventory").await;
    assert_shows(
        &html,
        &["No products yet", "https://holdfast.test/api/inventory/events", "holdfast replay FILE"],
    );
    assert_shows(&page(&ann, "/inventory/dead-letters").await, &["No dead letters"]);
    let consumers = page(&ann, "/inventory/consumers").await;
    assert_shows(&consumers, &["No consumers connected.", "holdfast consume"]);
    // The suggested command sends a valid message.
    let (_, rest) =
        html.split_once("-d &#39;").or_else(|| html.split_once("-d '")).expect("the command has a body");
    let body =
        rest.split_once("</pre>").unwrap().0.trim_end().trim_end_matches(['\'']).trim_end_matches("&#39;");
    let results = send(&workspace.agent().await, &serde_json::from_str(body).unwrap()).await;
    assert_eq!(results[0]["outcome"], "APPLIED");
    assert_shows(&page(&ann, "/inventory").await, &["White hanging heart", "1 product shown"]);
    assert_shows(&page(&ann, "/").await, &[">Inventory</a>"]);
}

async fn products_are_listed_low_stock_first_and_can_be_searched(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, agent) = (ann(&workspace).await, workspace.agent().await);
    let all: Vec<Value> = (0..30)
        .map(|number| event(&format!("m{number}"), &format!("P{number:02}"), "COUNT", number % 29))
        .collect();
    send(&agent, &json!(all)).await;
    let first = page(&ann, "/inventory").await;
    assert_shows(
        &first,
        &[
            "Out of stock",
            "25 products shown",
            "Next page",
            "role=\"img\"",
            "Stock of the last 30 days: new today, 0 in stock.",
        ],
    );
    let place = |sku: &str| first.find(&format!("product-{sku}\"")).unwrap_or(usize::MAX);
    assert!(place("P00") < place("P29") && place("P29") < place("P01"), "out of stock comes first");
    let next = first.split("hx-get=\"").find(|rest| rest.starts_with("/inventory?cursor=")).unwrap();
    let next = next.split_once('"').unwrap().0;
    assert_shows(&fragment(&ann, next).await, &["5 products shown", "First page"]);
    let found = fragment(&ann, "/inventory?q=p07").await;
    assert_shows(&found, &["product-P07", "1 product shown", "Clear search"]);
    assert_shows(&page(&ann, "/inventory?q=nothing").await, &["No matching products."]);
}

async fn a_stock_that_moved_is_shown_beside_the_typed_value_and_set_with_one_click(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let (ann, agent) = (ann(&workspace).await, workspace.agent().await);
    send(&agent, &event("open", "A1", "COUNT", 5)).await;
    let html = page(&ann, "/inventory/A1").await;
    let adjust = async |html: &str, stock: &str| {
        let form = [
            ("version", hidden(html, "adjust", "version")),
            ("key", hidden(html, "adjust", "key")),
            ("stock", stock.to_owned()),
            ("reason", "Counted the <shelf>".to_owned()),
        ];
        ann.post("/inventory/A1/adjust").form(&form).send().await
    };
    send(&agent, &event("more", "A1", "RECEIPT", 2)).await;
    let conflict = adjust(&html, "6").await.expect(409);
    let conflict_page = conflict.text().to_owned();
    assert_shows(&conflict_page, &["The stock has changed.", "<td>7</td><td>6</td>", "Replace with mine"]);
    assert_shows(&conflict_page, &["value=\"6\"", "Counted the &#60;shelf&#62;"]);
    assert_eq!(adjust(&conflict_page, "6").await.expect(303).header("location"), "/inventory/A1");
    assert_eq!(product(&agent, "A1").await["stock"], 6);
    // The same form again is the same adjustment. With another number it is refused as already sent.
    adjust(&conflict_page, "6").await.expect(303);
    assert_eq!(product(&agent, "A1").await["version"], 3);
    let again = adjust(&conflict_page, "9").await.expect(422);
    assert_shows(again.text(), &["This form already set the stock", "value=\"9\""]);
    adjust(again.text(), "9").await.expect(303);
    assert_shows(
        &page(&ann, "/inventory/A1").await,
        &["<strong id=\"stock-now\">9</strong>", "by Ann Lee", "+3"],
    );
}

async fn a_new_name_is_saved_on_top_of_another_persons_low_stock_mark(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, agent) = (ann(&workspace).await, workspace.agent().await);
    send(&agent, &event("open", "A1", "COUNT", 5)).await;
    let html = page(&ann, "/inventory/A1").await;
    let save = async |html: &str, name: &str, mark: &str| {
        let form = [
            ("version", hidden(html, "details", "version")),
            ("base.name", hidden(html, "details", "base.name")),
            ("base.lowMark", hidden(html, "details", "base.lowMark")),
            ("name", name.to_owned()),
            ("lowMark", mark.to_owned()),
        ];
        ann.post("/inventory/A1/details").form(&form).send().await
    };
    // A movement in between does not matter.
    send(&agent, &event("more", "A1", "RECEIPT", 2)).await;
    save(&html, "A1", "0").await.expect(303);
    let body = json!({ "lowMark": 9, "detailsVersion": 1 });
    agent.patch("/api/products/A1").json(&body).send().await.expect(200);
    let conflict = save(&html, "Lantern", "0").await.expect(409);
    let conflict_page = conflict.text().to_owned();
    assert_shows(&conflict_page, &["This product has changed", "Keep my changes", "value=\"Lantern\""]);
    assert_eq!(
        hidden(&conflict_page, "details", "base.lowMark"),
        "9",
        "the untouched low-stock mark is the other person's"
    );
    save(&conflict_page, "Lantern", "9").await.expect(303);
    let now = product(&agent, "A1").await;
    assert_eq!((&now["name"], &now["lowMark"], &now["stock"]), (&json!("Lantern"), &json!(9), &json!(7)));
}

async fn details_that_are_sent_twice_are_saved_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, agent) = (ann(&workspace).await, workspace.agent().await);
    send(&agent, &event("open", "A1", "COUNT", 5)).await;
    let form = [("version", "1"), ("name", "Lantern"), ("lowMark", "2")];
    for _ in 0..2 {
        let saved = ann.post("/inventory/A1/details").form(&form).send().await.expect(303);
        assert_eq!(saved.header("location"), "/inventory/A1");
    }
    let now = product(&agent, "A1").await;
    assert_eq!((&now["name"], &now["detailsVersion"]), (&json!("Lantern"), &json!(2)));
    // The same version with other values is a conflict.
    let other = [("version", "1"), ("name", "Lamp"), ("lowMark", "2")];
    ann.post("/inventory/A1/details").form(&other).send().await.expect(409);
}

async fn errors_in_a_form_are_shown_beside_their_fields(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, agent) = (ann(&workspace).await, workspace.agent().await);
    send(&agent, &json!([event("open", "A1", "COUNT", 5), event("big", "A1", "SALE", 9)])).await;
    for stock in ["", "-1", "1.5", "six", "1000000001"] {
        let form = [("version", "1"), ("key", "k"), ("stock", stock), ("reason", "Why")];
        let answer = ann.post("/inventory/A1/adjust").form(&form).send().await.expect(422);
        assert_shows(
            answer.text(),
            &["id=\"adjust-stock-error\">A quantity must be a whole number", "value=\"Why\""],
        );
    }
    for (name, mark, words) in [
        ("", "1", "id=\"details-name-error\">A product name"),
        ("A", "-1", "id=\"details-mark-error\">A low-stock threshold"),
    ] {
        let form = [("version", "1"), ("name", name), ("lowMark", mark)];
        let answer = ann.post("/inventory/A1/details").form(&form).send().await.expect(422);
        assert_shows(answer.text(), &[words, "<details open>"]);
    }
    let waiting = dead_letters(&agent, "OPEN").await.remove(0);
    let dismiss = format!("/inventory/dead-letters/{}/dismiss", waiting["id"].as_str().unwrap());
    let form = [("version", "1"), ("note", &"x".repeat(501))];
    let answer = ann.post(&dismiss).form(&form).send().await.expect(422);
    assert_shows(answer.text(), &["A note must be one line of 1 to 500 characters."]);
    assert_eq!(ann.post("/inventory/A1/adjust").form(&[("stock", "1")]).send().await.status.as_u16(), 428);
    for path in ["/inventory/NOWHERE", "/inventory/dead-letters/7", "/inventory/a%20b"] {
        ann.get(path).send().await.expect(404);
    }
}

async fn movements_are_shown_page_by_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, agent) = (ann(&workspace).await, workspace.agent().await);
    let all: Vec<Value> = (1..=30).map(|number| event(&format!("m{number}"), "A1", "RECEIPT", 1)).collect();
    send(&agent, &json!(all)).await;
    let html = page(&ann, "/inventory/a1").await;
    assert_shows(&html, &["#30", "#6<", "Earlier movements", "Receipt", "API"]);
    assert!(!html.contains("#5<"));
    let more = html.split("hx-get=\"").find(|rest| rest.starts_with("/inventory/A1?movements=")).unwrap();
    let rest = fragment(&ann, more.split_once('"').unwrap().0).await;
    assert_shows(&rest, &["#5<", "#1<"]);
    assert!(!rest.contains("Earlier movements"));
}

async fn a_dead_letter_is_retried_and_dismissed_in_the_list(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, agent) = (ann(&workspace).await, workspace.agent().await);
    let all = json!([
        event("open", "A1", "COUNT", 2),
        event("big", "A1", "SALE", 5),
        event("lost", "B1", "SALE", 1)
    ]);
    send(&agent, &all).await;
    let open = dead_letters(&agent, "OPEN").await;
    let id = |name: &str| {
        open.iter().find(|one| one["messageId"] == name).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let act = async |name: &str, what: &str, version: &str, by_htmx: bool| -> Response {
        let post = ann.post(&format!("/inventory/dead-letters/{}/{what}", id(name)));
        let post = if by_htmx { post.header("hx-request", "true") } else { post };
        post.form(&[("version", version), ("note", "Wrong shop")]).send().await
    };
    for by_htmx in [true, false] {
        let refused = act("big", "retry", "1", by_htmx).await.expect(422);
        assert_shows(
            refused.text(),
            &["It still can't be applied.", "The message asks for 5, but the stock is 2.", "Retry"],
        );
        assert_eq!(refused.text().contains("<html"), !by_htmx);
    }
    send(&agent, &event("more", "A1", "RECEIPT", 10)).await;
    let applied = act("big", "retry", "1", true).await.expect(200);
    assert_shows(applied.text(), &["Applied by Ann Lee"]);
    assert!(!applied.text().contains("<form") && applied.header("hx-trigger").contains("Message applied."));
    for by_htmx in [true, false] {
        let late = act("big", "dismiss", "1", by_htmx).await.expect(409);
        assert_shows(late.text(), &["This dead letter has changed.", "Applied by Ann Lee"]);
    }
    let there = act("lost", "dismiss", "1", false).await.expect(303);
    assert_eq!(there.header("location"), format!("/inventory/dead-letters/{}", id("lost")));
    assert_shows(&page(&ann, there.header("location")).await, &["Dismissed by Ann Lee", "Wrong shop"]);
    assert_shows(&page(&ann, "/inventory/dead-letters").await, &["No dead letters"]);
    assert_shows(
        &page(&ann, "/inventory/dead-letters?status=APPLIED").await,
        &["big", "aria-current=\"page\">Applied"],
    );
    assert_eq!(product(&agent, "A1").await["stock"], 7);
}

async fn a_form_that_is_sent_twice_closes_a_dead_letter_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, agent) = (ann(&workspace).await, workspace.agent().await);
    send(&agent, &json!([event("big", "A1", "SALE", 5), event("lost", "B1", "SALE", 1)])).await;
    send(&agent, &event("more", "A1", "RECEIPT", 10)).await;
    let open = dead_letters(&agent, "OPEN").await;
    for (name, what, words) in
        [("big", "retry", "Applied by Ann Lee"), ("lost", "dismiss", "Dismissed by Ann Lee")]
    {
        let one = open.iter().find(|one| one["messageId"] == name).unwrap();
        let path = format!("/inventory/dead-letters/{}", one["id"].as_str().unwrap());
        let post = || ann.post(&format!("{path}/{what}")).form(&[("version", "1")]);
        for _ in 0..2 {
            assert_eq!(post().send().await.expect(303).header("location"), path);
            let fragment = post().header("hx-request", "true").send().await.expect(200);
            assert_shows(fragment.text(), &[words]);
        }
    }
    let now = product(&agent, "A1").await;
    assert_eq!((&now["stock"], &now["version"]), (&json!(5), &json!(2)));
}

async fn dead_letters_are_shown_escaped_and_complete(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = ann(&workspace).await;
    let add = async |offset: i64, bytes: &[u8]| {
        let source = Source::kafka("inventory-events", 0, offset);
        let error = Delivery::of_bytes(&source, bytes.to_vec()).unwrap_err();
        workspace.app.inventory().add_dead_letter(&source, bytes, &error).await.unwrap().id
    };
    add(0, b"<script>alert(1)</script>").await;
    add(1, &[0xff, 0xfe, 0x00]).await;
    add(2, b"").await;
    let long = add(3, "long ".repeat(5_000).as_bytes()).await;
    let html = page(&ann, "/inventory/dead-letters").await;
    assert_shows(
        &html,
        &["&#60;script&#62;alert(1)", "in base64", "//4A", "Show all 25000 bytes", "inventory-events/0 at 3"],
    );
    assert!(!html.contains("<script>alert") && !html.contains("long long"));
    assert_shows(&page(&ann, &format!("/inventory/dead-letters/{long}")).await, &["long long"]);
    for offset in 10..40 {
        add(offset, format!("nonsense {offset}").as_bytes()).await;
    }
    let html = page(&ann, "/inventory/dead-letters").await;
    let more = html.split("hx-get=\"").find(|rest| rest.starts_with("/inventory/dead-letters?")).unwrap();
    let more = more.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&");
    let rest = fragment(&ann, &more).await;
    assert_eq!(rest.matches("data-row").count(), 9, "{more}: {rest}");
}

async fn former_addresses_of_dead_letters_redirect(environment: TestEnvironment) {
    let ann = ann(&Workspace::open(&environment).await).await;
    for (former, now) in [
        ("/inventory/parked", "/inventory/dead-letters"),
        ("/inventory/parked?status=APPLIED", "/inventory/dead-letters?status=APPLIED"),
        ("/inventory/parked/7", "/inventory/dead-letters/7"),
    ] {
        let moved = ann.get(former).send().await.expect(308);
        assert_eq!(moved.header("location"), now);
    }
}

async fn consumers_are_shown_with_their_lag(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let progress = |partition: i32, lag: Option<i64>| Progress {
        group: "holdfast".to_owned(),
        topic: "inventory-events".to_owned(),
        partition,
        offset: 41,
        lag,
        at: "2026-11-22T12:00:00Z".parse().unwrap(),
    };
    workspace.app.inventory().report_progress(&[progress(0, Some(7)), progress(1, None)]).await.unwrap();
    let html = page(&ann(&workspace).await, "/inventory/consumers").await;
    assert_shows(
        &html,
        &["inventory-events", "<strong>7</strong>", ">unknown<", "Nov 22, 2026, 7:00 AM EST"],
    );
}

async fn dead_letters_are_decided_in_groups_on_their_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, agent) = (ann(&workspace).await, workspace.agent().await);
    let sales: Vec<Value> = (0..30).map(|number| event(&format!("m{number}"), "A1", "SALE", 1)).collect();
    send(&agent, &json!(sales)).await;
    send(&agent, &event("in", "A1", "RECEIPT", 28)).await;
    let html = page(&ann, "/inventory/dead-letters").await;
    assert_shows(&html, &["Retry or dismiss several", "<option value=\"unknown-sku\">Unknown SKU</option>"]);
    let decide = async |decision: &str, cursor: &str, sku: &str| {
        let form = [
            ("reason", "unknown-sku"),
            ("sku", sku),
            ("note", ""),
            ("cursor", cursor),
            ("decision", decision),
        ];
        ann.post("/inventory/dead-letters/group").form(&form).send().await
    };
    let first = decide("retry", "", "a1").await.expect(200);
    assert_shows(first.text(), &["25 messages were applied.", "There may be more", "Retry next"]);
    let (_, cursor) = first.text().split_once("name=\"cursor\" value=\"").unwrap();
    let second = decide("retry", cursor.split_once('"').unwrap().0, "a1").await.expect(200);
    assert_shows(second.text(), &["3 messages were applied. 2 still can&#39;t be applied."]);
    assert_eq!(product(&agent, "A1").await["stock"], 0);
    let wrong = decide("retry", "", "a b").await.expect(422);
    assert_shows(wrong.text(), &["A SKU must have 1 to 40 letters", "value=\"a b\""]);
    assert_shows(decide("", "", "").await.expect(422).text(), &["Choose retry or dismiss"]);
    assert_shows(
        decide("dismiss", "", "").await.expect(200).text(),
        &["2 messages were dismissed.", "No dead letters"],
    );
}
