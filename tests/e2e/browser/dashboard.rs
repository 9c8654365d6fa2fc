//! The dashboard in a browser: its tiles and cards where their columns change, and the chart with a mouse and with the
//! keyboard.

use fantoccini::key::Key;
use serde_json::{Value, json};

use super::orders::order;
use super::{Office, console_is_quiet, focus_is_on};
use crate::orders::stock;
use crate::stats::process_stream;
use crate::support::browser::{Browser, Look};
use crate::support::{Case, TestEnvironment, cases};

pub(super) fn all() -> Vec<Case> {
    cases![browser: the_dashboard_has_no_holes_where_its_columns_change, a_chart_shows_its_values_on_hover_and_focus_and_as_a_table]
}

/// The narrowest and the widest window, and both sides of the widths at which the columns change. What each page keeps at
/// any width is in `layout.rs`.
const WIDTHS: [u32; 10] = [320, 575, 576, 831, 832, 1023, 1024, 1199, 1200, 1440];

/// Measures the open dashboard, in CSS pixels.
const MEASURE: &str = "
const box = (element) => element.getBoundingClientRect();
const board = document.querySelector('.board');
const gap = parseFloat(getComputedStyle(board).rowGap);
const covered = [...board.children].map(box).reduce((sum, card) => sum + (card.width + gap) * (card.height + gap), 0);
const rows = {};
for (const tile of document.querySelectorAll('.tile')) {
  const top = Math.round(box(tile).top);
  rows[top] = (rows[top] ?? 0) + 1;
}
const bars = [...document.querySelectorAll('.board .measures .bar')].map(box);
const columns = [...document.querySelectorAll('.mark .one')].map(box);
const sizes = [...document.querySelectorAll('.plot :is(.axis text, .day)')]
  .map((text) => parseFloat(getComputedStyle(text).fontSize));
const number = (label) => {
  const range = document.createRange();
  range.selectNode(label.firstChild);
  return range.getBoundingClientRect();
};
const labels = [...document.querySelectorAll('.plot .day')]
  .filter((label) => getComputedStyle(label).visibility === 'visible').map(number);
return {
  holes: 1 - covered / ((box(board).width + gap) * (box(board).height + gap)),
  tiles: Object.values(rows),
  bars: bars.length,
  thickness: Math.min(...bars.map((bar) => bar.height)),
  track: Math.min(...bars.map((bar) => bar.width)),
  column: Math.min(...columns.map((column) => column.width)),
  text: Math.min(...sizes),
  space: Math.min(...labels.slice(1).map((label, before) => label.left - labels[before].right)),
};";

/// The name that is shown beside a value, or `none`. The argument is the place of the value.
const SHOWN: &str = "
const mark = document.querySelectorAll('.mark')[arguments[0]];
const { content, visibility } = getComputedStyle(mark, '::after');
return visibility === 'visible' ? content : 'none';";

async fn the_dashboard_has_no_holes_where_its_columns_change(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    // The longest name of a state, and a state with leads in orders.
    for (code, count) in [("DC", 1), ("NY", 4), ("TX", 2)] {
        stock(&office.workspace, code, count).await;
    }
    order(&office, "Acme Roofing", &["DC", "NY"], 1).await;
    process_stream(&office.environment, &office.workspace).await;
    let ada = office.agent("Ada Lovelace", Look::desktop()).await;
    ada.goto(&office.url("/")).await;
    for width in WIDTHS {
        ada.look(Look { size: (width, 900), ..Look::desktop() }).await;
        let measured = ada.run(MEASURE, Vec::new()).await;
        let number = |name: &str| measured[name].as_f64().unwrap_or(f64::NAN);
        let tiles: Vec<_> = measured["tiles"].as_array().unwrap().iter().map(Value::as_u64).collect();
        assert!(tiles.iter().all(|row| *row == tiles[0]), "{width}: rows of tiles differ: {measured}");
        assert!(number("holes").abs() < 0.005, "{width}: the board has a hole: {measured}");
        assert!(number("bars") >= 10.0 && number("thickness") >= 8.0, "{width}: thin bars: {measured}");
        assert!(number("track") >= 60.0, "{width}: short bars: {measured}");
        assert!(number("column") >= if width < 390 { 6.0 } else { 8.0 }, "{width}: thin columns: {measured}");
        assert!(number("text") >= 11.0, "{width}: small text: {measured}");
        assert!(number("space") >= 2.0, "{width}: labels touch: {measured}");
    }
    console_is_quiet(&ada).await;
}

async fn a_chart_shows_its_values_on_hover_and_focus_and_as_a_table(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    stock(&office.workspace, "NY", 3).await;
    process_stream(&office.environment, &office.workspace).await;
    let ada = office.agent("Ada Lovelace", Look::desktop()).await;
    ada.goto(&office.url("/")).await;
    ada.run("document.querySelector('.heading .actions a:last-child').focus()", Vec::new()).await;
    ada.press(&Key::Tab).await;
    assert!(shown(&ada, 0).await.ends_with(": 0 created, 0 delivered\""), "the first day has the focus");
    ada.press(&Key::End).await;
    let today = shown(&ada, 13).await;
    assert!(today.ends_with(": 3 created, 0 delivered\""), "{today}");
    ada.press(&Key::Left).await;
    assert_eq!(shown(&ada, 13).await, "none");
    assert_ne!(shown(&ada, 12).await, "none");
    ada.axe().await;
    // What a mouse points at takes precedence.
    let place = "const mark = document.querySelectorAll('.mark')[13].getBoundingClientRect();
        return { type: 'mouseMoved', x: mark.x + mark.width / 2, y: mark.y + 5 }";
    let pointer = ada.run(place, Vec::new()).await;
    ada.devtools("Input.dispatchMouseEvent", pointer).await;
    assert_eq!((shown(&ada, 13).await, shown(&ada, 12).await), (today, "none".to_owned()));

    // The values are one stop of the Tab key, and the table is the next.
    ada.press(&Key::Tab).await;
    focus_is_on(&ada, "Show as table").await;
    ada.press(&Key::Enter).await;
    ada.wait_for_text(".chart-data tbody tr:last-child", "3").await;
    assert_eq!(ada.count(".chart-data tbody tr").await, 14);
    assert_eq!(ada.count(".chart-data thead th").await, 3);
    ada.axe().await;
    console_is_quiet(&ada).await;
}

async fn shown(person: &Browser, place: usize) -> String {
    person.run(SHOWN, vec![json!(place)]).await.as_str().unwrap_or_default().to_owned()
}
