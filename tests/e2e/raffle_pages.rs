//! The pages of raffles: polling returns only changes, a form buys once, and no one sees another person's name.

mod opening;
mod returns;
mod roles;

use holdfast::base::identity::{Role, SignedIn};
use holdfast::raffles::domain::{NewRaffle, Quantity, RaffleId, Ticket, TicketNumber};
use serde_json::Value;

use crate::support::html::field;
use crate::support::http::{Client, Response};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        web: polling_an_unchanged_raffle_costs_one_read,
            a_form_sent_twice_buys_once,
            a_refused_purchase_shows_the_reason_and_the_current_raffle,
            a_winner_is_drawn_once_and_every_page_shows_the_result,
            a_draw_sent_twice_draws_one_winner,
            polling_keeps_the_key_and_quantity_of_a_running_purchase,
            a_raffle_is_opened_sold_and_drawn_without_javascript,
            raffles_are_listed_newest_first_and_page_by_page,
            a_proof_is_only_a_commitment_until_the_draw
    ];
    cases.extend(opening::all());
    cases.extend(returns::all());
    cases.extend(roles::all());
    cases
}

/// Opens a raffle with this many tickets.
pub async fn open(workspace: &Workspace, title: &str, tickets: u32, limit: u32) -> RaffleId {
    let who = workspace.account(Role::Administrator, "Root Opener").await;
    let new = NewRaffle {
        title: title.parse().unwrap(),
        prize: "A red bicycle".parse().unwrap(),
        tickets: tickets.try_into().unwrap(),
        limit: limit.try_into().unwrap(),
        closes_at: None,
    };
    let opened = workspace.app.raffles().create(&new, &who, None).await.expect("the raffle is opened");
    opened.now().unwrap().id
}

/// Buys tickets for a new person, without a page.
pub async fn sold(workspace: &Workspace, id: RaffleId, name: &str, quantity: u32) -> SignedIn {
    let who = workspace.account(Role::Participant, name).await;
    let quantity: Quantity = quantity.try_into().unwrap();
    workspace.app.raffles().buy(id, quantity, &who, None).await.expect("tickets are sold");
    who
}

/// The sold tickets in the table.
pub async fn tickets(workspace: &Workspace, id: RaffleId) -> Vec<Ticket> {
    workspace.app.raffles().tickets(id, 100, None).await.expect("the tickets are read").items
}

/// Draws the winner without a page.
pub async fn drawn(workspace: &Workspace, id: RaffleId) -> TicketNumber {
    let who = workspace.account(Role::Administrator, "Root Drawer").await;
    workspace.app.raffles().draw(id, &who, None).await.expect("the winner is drawn");
    workspace.app.raffles().read(id, &who).await.unwrap().winner.expect("there is a winner").number
}

async fn pat(workspace: &Workspace) -> Client {
    workspace.person(Role::Participant, "Pat Doe").await
}

async fn root(workspace: &Workspace) -> Client {
    workspace.person(Role::Administrator, "Root").await
}

/// A form without fields.
const NO_FIELDS: &[(&str, &str)] = &[];

/// The polling request of the page.
async fn look(client: &Client, id: RaffleId, html: &str) -> Response {
    let query = [("seen", field(html, "seen")), ("key", field(html, "key")), ("quantity", "1".to_owned())];
    let query = serde_urlencoded::to_string(query).unwrap();
    client.get(&format!("/raffles/{id}/live?{query}")).header("hx-request", "true").send().await
}

async fn buy(client: &Client, id: RaffleId, key: &str, quantity: &str, htmx: bool) -> Response {
    let request =
        client.post(&format!("/raffles/{id}/tickets")).form(&[("key", key), ("quantity", quantity)]);
    if htmx { request.header("hx-request", "true").send().await } else { request.send().await }
}

async fn page(client: &Client, id: RaffleId) -> String {
    client.get(&format!("/raffles/{id}")).send().await.expect(200).text().to_owned()
}

async fn polling_an_unchanged_raffle_costs_one_read(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 10, 2).await;
    let pat = pat(&workspace).await;
    let html = page(&pat, id).await;
    assert!(html.contains("<html") && html.contains("<strong>10</strong> of 10 left"), "{html}");
    environment.wire().reset();
    let nothing = look(&pat, id, &html).await.expect(204);
    assert!(nothing.body.is_empty());
    assert_eq!(environment.wire().count("Query"), 1, "the raffle is read in one call");
    assert!(
        environment.wire().total() <= 2,
        "and at most one call authenticates the request: {:?}",
        environment.wire().calls()
    );

    sold(&workspace, id, "Sam", 1).await;
    let news = look(&pat, id, &html).await.expect(200);
    let html = news.text();
    assert!(html.contains("<strong>9</strong> of 10 left") && !html.contains("<html"), "{html}");
    let place =
        "<div id=\"raffle-notice\" role=\"status\" tabindex=\"-1\" hx-preserve=\"true\" data-result></div>";
    assert!(html.contains(place) && !html.contains("hx-swap-oob"), "the last message stays: {html}");
    look(&pat, id, html).await.expect(204);
    // A person who opens the polling address is redirected to the page.
    let opened = pat.get(&format!("/raffles/{id}/live")).send().await.expect(303);
    assert_eq!(opened.header("location"), format!("/raffles/{id}"));
}

async fn a_form_sent_twice_buys_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 10, 3).await;
    let pat = pat(&workspace).await;
    let key = field(&page(&pat, id).await, "key");
    let first = buy(&pat, id, &key, "2", true).await.expect(200);
    assert!(first.text().contains("You bought tickets ") && first.text().contains("hx-swap-oob"));
    assert_ne!(field(first.text(), "key"), key, "another purchase has another key");
    let again = buy(&pat, id, &key, "2", true).await.expect(200);
    assert!(again.text().contains("You didn&#39;t get extra tickets."), "{}", again.text());
    buy(&pat, id, &key, "2", false).await.expect(303);
    assert_eq!(tickets(&workspace, id).await.len(), 2);
    // Another quantity with the same key: the page says that the earlier purchase succeeded.
    let other = buy(&pat, id, &key, "1", true).await.expect(409);
    assert!(
        other.text().contains("Your earlier purchase went through. Check your tickets"),
        "{}",
        other.text()
    );
    assert_eq!(tickets(&workspace, id).await.len(), 2);
    buy(&pat, id, &field(other.text(), "key"), "1", true).await.expect(200);
    assert_eq!(tickets(&workspace, id).await.len(), 3);
    buy(&pat, id, "a key with spaces", "1", true).await.expect(400);
}

async fn a_refused_purchase_shows_the_reason_and_the_current_raffle(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 4, 3).await;
    let pat = pat(&workspace).await;
    let key = field(&page(&pat, id).await, "key");
    sold(&workspace, id, "Sam", 2).await;
    let few = buy(&pat, id, &key, "3", true).await.expect(409);
    let html = few.text();
    assert!(html.contains("No tickets were bought.</strong> Only 2 tickets left."), "{html}");
    assert!(html.contains("<strong>2</strong> of 4 left") && !html.contains("<html"), "{html}");
    assert_ne!(field(html, "key"), key, "a definite answer ends the purchase");
    buy(&pat, id, &field(html, "key"), "1", true).await.expect(200);
    let plain = buy(&pat, id, "", "3", false).await.expect(409);
    assert!(plain.text().contains("<html") && plain.text().contains("you have 1 of 3"), "{}", plain.text());
    sold(&workspace, id, "Mia", 1).await;
    let out = buy(&pat, id, "", "1", true).await.expect(409);
    assert!(out.text().contains("Sold out.") && out.text().contains("data-phase=\"sold-out\""));
    assert!(out.text().contains("disabled aria-describedby=\"buy-reason\""), "{}", out.text());
    for quantity in ["0", "x", "1.5", "51"] {
        let wrong = buy(&pat, id, "", quantity, true).await.expect(422);
        assert!(wrong.text().contains("Buy 1 to 50 tickets at once."), "{}", wrong.text());
    }
    drawn(&workspace, id).await;
    let late = buy(&pat, id, "", "1", true).await.expect(409);
    assert!(late.text().contains("The winner is drawn.") && late.text().contains("data-phase=\"drawn\""));
    assert_eq!(tickets(&workspace, id).await.len(), 4);
}

async fn a_winner_is_drawn_once_and_every_page_shows_the_result(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 10, 2).await;
    let (root, pat) = (root(&workspace).await, pat(&workspace).await);
    let draw = format!("/raffles/{id}/draw");
    let unsold = root.post(&draw).form(NO_FIELDS).send().await.expect(422);
    assert!(unsold.text().contains("Sell at least one ticket") && unsold.text().contains("<html"));
    let seen = page(&pat, id).await;
    buy(&pat, id, "", "2", true).await.expect(200);
    let asked = root.get(&format!("/raffles/{id}/tickets")).send().await.expect(200);
    for words in ["<strong>2 tickets</strong>", "8 tickets left won&#39;t be sold", "can't be undone"] {
        assert!(asked.text().contains(words), "{words} in {}", asked.text());
    }
    let first = root.post(&draw).form(NO_FIELDS).send().await.expect(303);
    let second = root.post(&draw).form(NO_FIELDS).send().await.expect(303);
    assert_eq!(first.header("location"), format!("/raffles/{id}"));
    assert_eq!(first.header("location"), second.header("location"));

    let result = look(&pat, id, &seen).await.expect(200);
    let html = result.text();
    assert!(html.contains("You won!") && html.contains("confetti"), "{html}");
    assert!(!html.contains("data-live") && !html.contains("hx-get"), "the page stops polling: {html}");
    let number = tickets(&workspace, id).await[0].number;
    let kept = pat.post(&format!("/raffles/{id}/tickets/{number}/cancel")).header("hx-request", "true");
    let kept = kept.form(NO_FIELDS).send().await.expect(200);
    assert!(kept.text().contains("You still have this ticket."), "{}", kept.text());
    let html = page(&root, id).await;
    assert!(html.contains("Pat Doe, user-"), "an administrator learns who won: {html}");
}

async fn a_draw_sent_twice_draws_one_winner(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 10, 2).await;
    sold(&workspace, id, "Sam", 2).await;
    let root = root(&workspace).await;
    for words in ["The winner is drawn.", "The winner was already drawn."] {
        let answer = root.post(&format!("/raffles/{id}/draw")).form(NO_FIELDS).send().await.expect(303);
        let html = root.get(answer.header("location")).send().await.expect(200).text().to_owned();
        assert!(html.contains(words), "{words} in {html}");
    }
    let html = root.get(&format!("/raffles/{id}/tickets")).send().await.expect(200).text().to_owned();
    assert_eq!(html.matches("Drawn: ticket").count(), 1, "{html}");
}

async fn polling_keeps_the_key_and_quantity_of_a_running_purchase(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 10, 3).await;
    let pat = pat(&workspace).await;
    let live = async |query: &str| {
        let path = format!("/raffles/{id}/live?{query}");
        pat.get(&path).header("hx-request", "true").send().await.expect(200).text().to_owned()
    };
    let key = "019f0000-0000-4000-8000-000000000000";
    let html = live(&format!("seen=&key={key}&quantity=2")).await;
    assert_eq!((field(&html, "key"), field(&html, "quantity")), (key.to_owned(), "2".to_owned()));
    // Values that the page cannot have sent are not echoed.
    let html = live("seen=x&key=%22%3E%3Cscript%3E&quantity=9").await;
    assert!(field(&html, "key").len() == 36 && !html.contains("<script>"), "{html}");
    assert_eq!(field(&html, "quantity"), "3");
    assert_eq!(field(&live("quantity=x").await, "quantity"), "1");
}

async fn a_raffle_is_opened_sold_and_drawn_without_javascript(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (root, pat) = (root(&workspace).await, pat(&workspace).await);
    let form = root.get("/raffles/new").send().await.expect(200);
    let key = field(form.text(), "key");
    assert_eq!(field(form.text(), "tickets"), "100");
    assert_eq!(field(form.text(), "limitPerPerson"), "2");
    let fields = [
        ("key", key.as_str()),
        ("title", "Autumn"),
        ("prize", "A bicycle"),
        ("tickets", "5"),
        ("limitPerPerson", "2"),
        ("closesAt", ""),
    ];
    let made = root.post("/raffles").form(&fields).send().await.expect(303);
    let path = made.header("location").to_owned();
    let again = root.post("/raffles").form(&fields).send().await.expect(303);
    assert_eq!(again.header("location"), path, "sent twice it is one raffle");
    let other = root.post("/raffles").form(&[("key", key.as_str()), ("title", "Other"), ("prize", "A car")]);
    let answer = other.send().await.expect(422);
    assert!(answer.text().contains("already opened a raffle"), "{}", answer.text());

    let html = pat.get(&path).send().await.expect(200).text().to_owned();
    assert!(html.contains("<noscript>") && html.contains("Refresh"), "{html}");
    let form = [("key", field(&html, "key")), ("quantity", "2".to_owned())];
    let bought = pat.post(&format!("{path}/tickets")).form(&form).send().await.expect(303);
    assert_eq!(bought.header("location"), path);
    let html = pat.get(&path).send().await.expect(200).text().to_owned();
    assert!(html.contains("Limit reached: 2 of 2.") && html.contains("2 of 2</p>"), "{html}");
    let (_, rest) = html.split_once("class=\"ticket\"><strong>").unwrap();
    let number = rest.split_once('<').unwrap().0;
    let back = pat.post(&format!("{path}/tickets/{number}/cancel")).form(NO_FIELDS).send().await.expect(303);
    assert_eq!(back.header("location"), path);
    let html = pat.get(&path).send().await.expect(200).text().to_owned();
    assert!(html.contains("1 of 2</p>") && html.contains("Buy 1 ticket"), "{html}");
    root.post(&format!("{path}/draw")).form(NO_FIELDS).send().await.expect(303);
    assert!(pat.get(&path).send().await.expect(200).text().contains("You won!"));
}

async fn raffles_are_listed_newest_first_and_page_by_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let pat = pat(&workspace).await;
    assert!(pat.get("/raffles").send().await.expect(200).text().contains("No raffles yet"));
    for number in 0..21 {
        open(&workspace, &format!("Raffle number {number}."), 1, 1).await;
    }
    let html = pat.get("/raffles").send().await.expect(200).text().to_owned();
    let (newest, older) = (html.find("Raffle number 20."), html.find("Raffle number 1."));
    assert!(newest.unwrap() < older.unwrap() && !html.contains("Raffle number 0."), "{html}");
    let (_, rest) = html.split_once("href=\"/raffles?cursor=").expect("there is a next page");
    let cursor = rest.split_once('"').unwrap().0;
    let html = pat.get(&format!("/raffles?cursor={cursor}")).send().await.expect(200).text().to_owned();
    assert!(html.contains("Raffle number 0.") && !html.contains("Raffle number 1."), "{html}");
    assert!(html.contains("First page") && !html.contains("Next page"), "{html}");
}

async fn a_proof_is_only_a_commitment_until_the_draw(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, "Autumn", 4, 2).await;
    sold(&workspace, id, "Sam", 2).await;
    let pat = pat(&workspace).await;
    let commitment = workspace.app.raffles().proof(id).await.unwrap().commitment.to_string();
    let path = format!("/raffles/{id}/proof");
    let html = pat.get(&path).send().await.expect(200).text().to_owned();
    assert!(html.contains(&commitment) && !html.contains("Check in this browser"), "{html}");
    let number = drawn(&workspace, id).await;
    let proof: Value = serde_json::to_value(workspace.app.raffles().proof(id).await.unwrap()).unwrap();
    let html = pat.get(&path).send().await.expect(200).text().to_owned();
    for text in [&proof["commitment"], &proof["seed"], &proof["listHash"]] {
        assert!(html.contains(text.as_str().unwrap()), "{text} in {html}");
    }
    assert!(html.contains(&format!("Ticket <strong>{number}</strong> of 2 sold")), "{html}");
    assert!(html.contains(&format!("/raffles/verify?raffle={id}")), "{html}");
    let check = workspace.visitor().get(&format!("/raffles/verify?raffle={id}")).send().await.expect(200);
    assert!(check.text().contains(&format!("/api/raffles/{id}/proof")), "{}", check.text());
}
