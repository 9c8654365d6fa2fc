//! Swaps and loading: after a swap the focus and the scroll position stay, and no page moves while it loads.

use fantoccini::key::Key;
use holdfast::base::identity::Role;
use serde_json::{Value, json};

use super::{Office, Place, console_is_quiet, field, id};
use crate::inventory_api::{event, send};
use crate::orders::{set_cap, stock};
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases, wait};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: swaps_of_leads_and_notes_keep_focus_and_scroll,
            swaps_of_caps_lists_and_dead_letters_keep_focus_and_scroll,
            no_page_moves_while_it_loads_slowly,
            going_back_is_instant_and_shows_nothing_after_signing_out
    ]
}

/// A low window, so that every page scrolls.
fn low() -> Look {
    Look { size: (1280, 480), ..Look::desktop() }
}

/// Waits until the element that this selector describes has the focus.
async fn focus_is_at(person: &Browser, css: &str) {
    wait::until(&format!("the focus is on {css}"), async || {
        let script = "return document.activeElement.matches(arguments[0])";
        person.run(script, vec![css.into()]).await == true
    })
    .await;
}

/// Makes the page long above and below its content, so that it scrolls everywhere.
async fn make_long(person: &Browser) {
    let script = "const { style } = document.querySelector('main');
        style.paddingTop = style.paddingBottom = '60rem'";
    person.run(script, Vec::new()).await;
}

async fn scrolled(person: &Browser) -> i64 {
    person.run("return Math.round(scrollY)", Vec::new()).await.as_i64().unwrap()
}

/// Scrolls so that the element is in the middle of the window, and gives it the focus.
async fn approach(person: &Browser, css: &str) {
    person.wait_for(css).await;
    let script = "const there = document.querySelector(arguments[0]);
        there.scrollIntoView({ block: 'center' }); there.focus({ preventScroll: true })";
    person.run(script, vec![css.into()]).await;
    assert!(scrolled(person).await > 0, "the page is scrolled to {css}");
}

/// Presses keys at the focus. Then the focus is on `focus`, inside the window, and the page did not scroll.
async fn press_and_stay(person: &Browser, keys: &str, focus: &str) {
    let before = scrolled(person).await;
    person.press(keys).await;
    focus_is_at(person, focus).await;
    let moved = scrolled(person).await - before;
    assert!(moved.abs() <= 1, "{focus}: the page scrolled by {moved}");
    let visible = "const { top, bottom } = document.activeElement.getBoundingClientRect();
        return top >= 0 && bottom <= innerHeight";
    assert_eq!(person.run(visible, Vec::new()).await, true, "{focus} is in the window");
}

async fn swaps_of_leads_and_notes_keep_focus_and_scroll(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    stock(&office.workspace, "NY", 20).await;
    let lead = office.lead("Grace Hopper", 50).await;
    stock(&office.workspace, "TX", 4).await;
    let ada = office.agent("Ada", low()).await;
    let (enter, escape) = (Key::Enter.to_string(), Key::Escape.to_string());
    let row = format!("#lead-{}", id(&lead));
    let (edit, name) = (format!("{row} .do a"), field(&lead, "name"));

    make_long(&ada).await;
    approach(&ada, &edit).await;
    press_and_stay(&ada, &enter, &name).await;
    press_and_stay(&ada, &escape, &edit).await;
    press_and_stay(&ada, &enter, &name).await;
    press_and_stay(&ada, &format!("Dr. {enter}"), &edit).await;

    office.edit(&ada, &lead, Place::Page).await;
    ada.press(&escape).await;
    focus_is_at(&ada, "#lead .heading a").await;
    make_long(&ada).await;
    approach(&ada, "#note-text").await;
    ada.press("Called.").await;
    press_and_stay(&ada, &format!("{}{enter}", Key::Tab), "#lead-history [form=new-note][type=submit]").await;
    ada.wait_for_text("#lead-history", "Called.").await;
    approach(&ada, ".timeline .note a").await;
    press_and_stay(&ada, &enter, "#note-edit").await;
    press_and_stay(&ada, &format!("{}{enter}", Key::Tab), ".timeline .note a").await;
    ada.click(At::Css(".timeline .note .confirm summary")).await;
    approach(&ada, ".timeline .note form button").await;
    // The question that closes makes the page shorter, so the focus may scroll into view.
    ada.press(&enter).await;
    focus_is_at(&ada, "#note-text").await;
    ada.wait_until_gone(".timeline .note").await;
    console_is_quiet(&ada).await;
}

async fn swaps_of_caps_lists_and_dead_letters_keep_focus_and_scroll(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    set_cap(&office.workspace, "NY", 200).await;
    stock(&office.workspace, "NY", 120).await;
    let ada = office.agent("Ada", low()).await;
    let enter = Key::Enter.to_string();
    ada.goto(&office.url("/orders/caps")).await;
    make_long(&ada).await;
    approach(&ada, "#cap-TX-value").await;
    press_and_stay(&ada, &format!("4{enter}"), "#cap-TX.fresh #cap-TX-value").await;
    approach(&ada, "#cap-UT-value").await;
    press_and_stay(&ada, &format!("5{}{enter}", Key::Tab), "#cap-UT.fresh #cap-UT-value").await;

    // The next page of a list begins at its top; a list that grows continues with its first new row.
    ada.goto(&office.url("/leads")).await;
    approach(&ada, "#lead-rows .pager a").await;
    ada.press(&enter).await;
    focus_is_at(&ada, "#lead-rows tr:first-child a").await;
    let top = "return document.getElementById('lead-rows').getBoundingClientRect().top > 0";
    assert_eq!(ada.run(top, Vec::new()).await, true, "the new page begins in the window");
    let body =
        json!({ "customerName": "Acme", "customerEmail": "buy@acme.example", "requestedStates": ["NY"] });
    let order: Value = office.program.post("/api/orders").json(&body).send().await.expect(201).json();
    ada.goto(&office.url(&format!("/orders/{}", id(&order)))).await;
    approach(&ada, "tr.tail a").await;
    let rows = ada.count("#order-leads tbody tr:not(.tail)").await;
    press_and_stay(&ada, &enter, &format!("#order-leads tbody tr:nth-child({}) a", rows + 1)).await;

    ada.goto(&office.url("/leads")).await;
    make_long(&ada).await;
    approach(&ada, "#status").await;
    let before = scrolled(&ada).await;
    ada.choose(At::Css("#status"), "Qualified").await;
    ada.wait_until_gone("#lead-rows [data-lead]").await;
    focus_is_at(&ada, "#status").await;
    assert_eq!(scrolled(&ada).await, before);

    let sent: Vec<Value> =
        (0..4).map(|number| event(&format!("lost{number}"), &format!("B{number}"), "SALE", 1)).collect();
    send(&office.program, &json!(sent)).await;
    ada.goto(&office.url("/inventory/dead-letters")).await;
    make_long(&ada).await;
    ada.click(At::Css(".dead-letter:nth-child(3) .confirm summary")).await;
    // The heading, which has the focus at the end, must be in the low window with the field.
    approach(&ada, ".dead-letter:nth-child(3) .confirm summary").await;
    press_and_stay(&ada, &format!("{}Wrong shop{enter}", Key::Tab), ".dead-letter.fresh a").await;
    console_is_quiet(&ada).await;
}

/// The sum of the layout shifts of the open page, with the elements that moved.
async fn shifts(person: &Browser) -> (f64, Value) {
    const SHIFTS: &str = "return new Promise(done => {
        const seen = { sum: 0, moved: [] };
        new PerformanceObserver(list => {
            for (const { value, sources } of list.getEntries()) {
                seen.sum += value;
                seen.moved.push(...sources.map(({ node }) => `${node?.nodeName} ${node?.id} ${node?.className}`));
            }
        }).observe({ type: 'layout-shift', buffered: true });
        // The observer gets what is buffered before the second frame.
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(seen))));
    })";
    let seen = person.run(SHIFTS, Vec::new()).await;
    (seen["sum"].as_f64().unwrap(), seen["moved"].clone())
}

async fn no_page_moves_while_it_loads_slowly(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    stock(&office.workspace, "NY", 30).await;
    let mut ids = Vec::new();
    for name in ["Grace Hopper", "Grace B. Hopper"] {
        let email = format!("{}@example.com", name.to_lowercase().replace(' ', ""));
        let body = json!({ "name": name, "email": email, "state": "NY", "phone": "+1 212 555 0100" });
        let lead: Value = office.program.post("/api/leads").json(&body).send().await.expect(201).json();
        ids.push(id(&lead).to_owned());
    }
    let admin = office.workspace.program(Role::Administrator).await;
    let raffle = json!({ "title": "Autumn", "prize": "A bicycle", "tickets": 40, "limitPerPerson": 4 });
    let raffle: Value = admin.post("/api/raffles").json(&raffle).send().await.expect(201).json();
    let (lead, raffle) = (format!("/leads/{}", ids[1]), format!("/raffles/{}", id(&raffle)));
    let ada = office.agent("Ada", Look::phone()).await;
    // Scripts and parts that arrive late are what makes pages move.
    ada.devtools("Network.enable", json!({})).await;
    ada.devtools("Network.setCacheDisabled", json!({ "cacheDisabled": true })).await;
    let slow = json!({ "offline": false, "latency": 40, "downloadThroughput": 250_000,
        "uploadThroughput": 250_000 });
    ada.devtools("Network.emulateNetworkConditions", slow).await;
    let pages = ["/", "/leads", lead.as_str(), "/orders/new", "/orders/caps", "/inventory", raffle.as_str()];
    for page in pages {
        ada.goto(&office.url(page)).await;
        if page == lead {
            ada.wait_for("details.duplicates").await;
        }
        let (sum, moved) = shifts(&ada).await;
        assert!(sum < 0.01, "{page} moves by {sum}: {moved}");
    }
    // On the desktop, the parts are beside each other.
    ada.look(Look::desktop()).await;
    for page in ["/leads", lead.as_str(), raffle.as_str()] {
        ada.goto(&office.url(page)).await;
        let (sum, moved) = shifts(&ada).await;
        assert!(sum < 0.01, "{page} moves by {sum} on a desktop: {moved}");
    }
    console_is_quiet(&ada).await;
}

async fn going_back_is_instant_and_shows_nothing_after_signing_out(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.run("window.mark = 'the same page'", Vec::new()).await;
    ada.click(At::Named("Grace Hopper")).await;
    ada.wait_for("#lead h1").await;
    ada.run("history.back()", Vec::new()).await;
    ada.wait_for("#lead-rows").await;
    let same = "return window.mark === 'the same page'";
    assert_eq!(ada.run(same, Vec::new()).await, true, "the page comes from memory, without a request");

    ada.click(At::Css(".menu summary")).await;
    ada.click(At::Named("Sign out")).await;
    ada.wait_for("#sign-in-password").await;
    ada.run("history.back()", Vec::new()).await;
    wait::until("Back leads to the sign-in page", async || ada.url().await.contains("/sign-in?next=")).await;
    assert_eq!(ada.count("#lead-rows, #lead").await, 0);
}
