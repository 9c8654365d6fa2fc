//! Texts that people type: they do not change the text around them, and what does not fit can be read in a title.

use fantoccini::key::Key;
use holdfast::base::identity::Role;
use serde_json::{Value, json};

use super::{Office, field, id};
use crate::raffle_pages;
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases, workspace};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: names_do_not_change_the_order_of_the_text_around_them,
            names_in_sentences_of_the_script_are_isolated,
            texts_that_are_cut_have_the_whole_text_as_a_title,
            a_chosen_option_has_a_title
    ]
}

/// Returns how many values the page isolates, and those beside which the text on the same line is out of order.
const OUT_OF_ORDER: &str = r"
const boxes = (node) => Array.from(node.data, (_, at) => {
  const range = document.createRange();
  range.setStart(node, at);
  range.setEnd(node, at + 1);
  return range.getClientRects()[0];
}).filter((box) => box?.width > 0);
const onLine = (box, line) => box.top < line.bottom && box.bottom > line.top;
const beside = (value, move) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, (node) =>
    value.contains(node) || !boxes(node).length ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  texts.currentNode = value;
  return texts[move]();
};
let count = 0;
const wrong = [];
for (const value of document.querySelectorAll('bdi')) {
  const lines = value.getClientRects();
  if (!lines.length || !lines[0].width) continue;
  count += 1;
  const [first, last] = [lines[0], lines[lines.length - 1]];
  const [before, after] = [beside(value, 'previousNode'), beside(value, 'nextNode')];
  const left = before ? boxes(before).filter((box) => onLine(box, first)) : [];
  const right = after ? boxes(after).filter((box) => onLine(box, last)) : [];
  const ascends = (list) => list.every((box, at) => !at || box.left >= list[at - 1].left);
  if (!left.every((box) => box.right <= first.left + 1) || !right.every((box) => box.left >= last.right - 1)
      || !ascends(left) || !ascends(right)) wrong.push(value.parentElement.outerHTML);
}
return [count, wrong];
";

async fn names_do_not_change_the_order_of_the_text_around_them(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let root = office.person(Role::Administrator, "דוד 5", Look::desktop()).await;
    let lead = json!({
        "name": "שרה לוי 12", "email": "sara@example.com", "state": "NY", "leadScore": 50,
    });
    let lead = workspace::create(&office.program, &lead).await;
    office.change(&lead, json!({ "company": "7 חברה", "leadScore": 60 })).await;
    let note = json!({ "text": "Ann\u{202e}eeL\u{2066} called" });
    office.program.post(&format!("/api/leads/{}/notes", id(&lead))).json(&note).send().await.expect(201);
    let order = json!({
        "customerName": "علي 3", "customerEmail": "ali@acme.example", "requestedStates": ["NY"],
        "quantityPerState": 1,
    });
    let order: Value = office.program.post("/api/orders").json(&order).send().await.expect(201).json();
    let raffle = raffle_pages::open(&office.workspace, "Bike\u{202e}ekiB 9", 10, 3).await;
    raffle_pages::sold(&office.workspace, raffle, "נועה 8", 2).await;

    for (path, values) in [
        ("/leads".to_owned(), 2),
        (format!("/leads/{}", id(&lead)), 4),
        (format!("/leads/{}/edit", id(&lead)), 1),
        ("/leads/trash".to_owned(), 1),
        ("/people".to_owned(), 2),
        ("/orders".to_owned(), 1),
        (format!("/orders/{}", id(&order)), 3),
        ("/raffles".to_owned(), 1),
        (format!("/raffles/{raffle}"), 1),
        (format!("/raffles/{raffle}/tickets"), 4),
        ("/audit".to_owned(), 1),
    ] {
        root.goto(&office.url(&path)).await;
        root.wait_for("main").await;
        let found = root.run(OUT_OF_ORDER, Vec::new()).await;
        assert!(found[0].as_u64() >= Some(values), "{path} isolates {found}");
        assert_eq!(found[1], json!([]), "{path}");
    }
    // Where only text is possible, the text ends what the name begins.
    root.goto(&office.url(&format!("/raffles/{raffle}"))).await;
    let title = root.run("return document.title", Vec::new()).await;
    assert_eq!(title, "\u{2068}Bike\u{202e}ekiB 9\u{2069} · Holdfast");
    // The check sees what the isolation prevents.
    let without = "for (const value of document.querySelectorAll('bdi')) value.replaceWith(...value.childNodes, ' 1 of 2');
        document.body.normalize(); const h1 = document.querySelector('h1'), text = h1.firstChild, range = document.createRange();
        const at = (from) => { range.setStart(text, from); range.setEnd(text, from + 1); return range.getBoundingClientRect().left; };
        return at(text.length - 1) < at(text.length - 3)";
    assert_eq!(root.run(without, Vec::new()).await, true);
}

async fn names_in_sentences_of_the_script_are_isolated(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    let lead = json!({
        "name": "שרה 12", "email": "sara@example.com", "state": "NY", "leadScore": 50,
        "fields": { "צבע 3": "Blue" },
    });
    let lead = workspace::create(&office.program, &lead).await;
    let edit = format!("{}/edit", office.page(&lead));
    ada.goto(&edit).await;
    ada.fill(At::Css("[name='fields.צבע 3']"), "כחול 5").await;
    let (name, what, value) = ("\u{2068}שרה 12\u{2069}", "\u{2068}צבע 3\u{2069}", "\u{2068}כחול 5\u{2069}");

    // The offer to continue, and its buttons.
    ada.goto(&office.page(&lead)).await;
    ada.wait_for("#drafts").await;
    let offer = "const box = document.querySelector('#drafts');
        return [box.querySelector('p').textContent, box.querySelector('button').ariaLabel]";
    let offered = [format!("You have unsaved changes to {name}."), format!("Continue editing: {name}")];
    assert_eq!(ada.run(offer, Vec::new()).await, json!(offered));

    // A field that the form does not have any more.
    office.change(&lead, json!({ "fields": { "צבע 3": null } })).await;
    ada.goto(&edit).await;
    let left = "return document.querySelector('.draft p + button ~ p').textContent";
    ada.wait_for(".draft p + button ~ p").await;
    let left = ada.run(left, Vec::new()).await;
    assert!(left.as_str().unwrap().ends_with(&format!(": {what}: {value}")), "{left}");

    // The message after a row was closed, and the question where nothing can be kept.
    let row = format!("#lead-{} .do a", id(&lead));
    ada.goto(&office.url("/leads")).await;
    ada.click(At::Css(&row)).await;
    ada.fill(At::Css(&field(&lead, "name")), "Typed by Ada").await;
    ada.press(&Key::Escape).await;
    ada.wait_for("#toast-status .toast").await;
    let toast = ada.run("return document.querySelector('#toast-status p').textContent", Vec::new()).await;
    assert_eq!(toast, format!("Your changes to {name} were discarded."));
    let blocked = "Storage.prototype.setItem = () => { throw new Error('full'); }";
    ada.run(blocked, Vec::new()).await;
    ada.click(At::Css(&row)).await;
    ada.fill(At::Css(&field(&lead, "name")), "Typed by Ada").await;
    ada.choose(At::Named("Status"), "Qualified").await;
    ada.wait_for("#discard").await;
    let title = ada.run("return document.querySelector('#discard-title').textContent", Vec::new()).await;
    assert_eq!(title, format!("Discard your changes to {name}?"));
}

/// Returns how many texts the page cuts, and those whose whole text is in no title.
const CUT: &str = r"
const plain = (text) => text.replace(/[\u2066-\u2069]/g, '').replace(/\s+/g, ' ').trim();
const cut = [...document.querySelectorAll('body *')].filter((element) => {
  const { textOverflow, overflowX } = getComputedStyle(element);
  const isCut = textOverflow === 'ellipsis' && overflowX !== 'visible' && element.scrollWidth > element.clientWidth;
  return isCut && element.clientWidth > 1 && !element.matches('input, select, textarea');
});
const titles = (element) => {
  const around = [element, ...element.querySelectorAll('[title]')];
  for (let other = element.parentElement; other; other = other.parentElement) around.push(other);
  return around.map((one) => plain(one.title || ''));
};
const untitled = cut.filter((element) => !titles(element).some((title) => title.includes(plain(element.textContent))));
return [cut.length, untitled.map((element) => element.outerHTML)];
";

/// Opens a page and returns how many texts it cuts. Panics if one of them has no title.
async fn cut(person: &Browser, url: &str) -> u64 {
    person.goto(url).await;
    person.wait_for("main").await;
    let found = person.run(CUT, Vec::new()).await;
    assert_eq!(found[1], json!([]), "{url}");
    found[0].as_u64().expect("a number")
}

async fn texts_that_are_cut_have_the_whole_text_as_a_title(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let long = "Wolfeschlegelsteinhausenbergerdorff ".repeat(3);
    let email =
        |who: &str| format!("{who}.wolfeschlegelsteinhausenbergerdorff@department-of-long-names.example.com");
    let look = Look { size: (1024, 900), ..Look::desktop() };
    let root = office.person(Role::Administrator, long.trim(), look).await;
    let lead = json!({ "name": long, "email": email("lead"), "state": "NY", "leadScore": 50 });
    workspace::create(&office.program, &lead).await;
    let order = json!({
        "customerName": long, "customerEmail": email("customer"), "requestedStates": ["NY"], "quantityPerState": 1,
    });
    let order: Value = office.program.post("/api/orders").json(&order).send().await.expect(201).json();
    let raffle = raffle_pages::open(&office.workspace, &long, 10, 3).await;
    raffle_pages::sold(&office.workspace, raffle, &long, 2).await;
    let mut count = 0;
    for path in [
        "/".to_owned(),
        "/leads".to_owned(),
        "/people".to_owned(),
        "/orders".to_owned(),
        "/orders/new".to_owned(),
        "/orders/caps".to_owned(),
        format!("/orders/{}", id(&order)),
        format!("/raffles/{raffle}/tickets"),
        "/audit".to_owned(),
    ] {
        count += cut(&root, &office.url(&path)).await;
    }
    assert!(count > 5, "only {count} texts are cut");
}

/// What the layout of pages requires of an option that is cut: the server and the script keep the title.
async fn a_chosen_option_has_a_title(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let root = office.person(Role::Administrator, "Ada", Look::desktop()).await;
    for (path, css, label, other) in [
        ("/leads?state=DC", "#state", "District of Columbia", "North Carolina"),
        ("/orders?state=DC", "#state", "District of Columbia", "North Carolina"),
        ("/audit?kind=two-factor-changed", "#kind", "Two-factor changed", "Sign-in failed"),
    ] {
        root.goto(&office.url(path)).await;
        let title = async || {
            let title = "return document.querySelector(arguments[0]).title";
            root.run(title, vec![css.into()]).await
        };
        assert_eq!(title().await, label, "{path}");
        root.choose(At::Css(css), other).await;
        assert_eq!(title().await, other, "{path}");
        // A script that goes back to the filters of the list sends no event. The pointer asks for the title.
        root.run("document.querySelector(arguments[0]).selectedIndex = 0", vec![css.into()]).await;
        root.hover(css).await;
        assert!(title().await.as_str().unwrap().starts_with("Any "), "{path}");
    }
}
