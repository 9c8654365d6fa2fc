//! The theme that a person chooses, the style guide, and pages on paper and with the system's contrast.

use holdfast::base::identity::Role;
use serde_json::{Value, json};

use super::Office;
use super::gallery::{Gallery, Visitor};
use super::pages::assert_accessible;
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases, wait};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: a_theme_applies_at_once_and_to_later_pages,
            the_style_guide_shows_every_component_and_follows_the_media,
            every_page_prints_what_it_says_and_nothing_that_can_be_pressed
    ]
}

/// The grounds of a page.
const LIGHT: &str = "rgb(245, 246, 248)";
const DARK: &str = "rgb(17, 20, 26)";

async fn a_theme_applies_at_once_and_to_later_pages(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada Lovelace", Look::desktop()).await;
    let ground = async || ada.run("return getComputedStyle(document.body).backgroundColor", Vec::new()).await;
    let cookie_is = async |part: &str| {
        wait::until(&format!("the cookies contain {part}"), async || {
            let cookies = ada.run("return document.cookie + ';'", Vec::new()).await;
            cookies.as_str().is_some_and(|cookies| cookies.contains(part))
        })
        .await;
    };
    ada.click(At::Css(".menu summary")).await;
    let others = "return [...document.querySelectorAll('[data-theme-form] [aria-pressed=false]')]\
         .map((button) => getComputedStyle(button).backgroundColor)";
    let transparent = "rgba(0, 0, 0, 0)";
    assert_eq!(ada.run(others, Vec::new()).await, json!([transparent, transparent]), "only one is chosen");
    ada.click(At::Named("Dark")).await;
    assert_eq!(ground().await, DARK);
    cookie_is("holdfast-theme=dark;").await;
    ada.goto(&office.url("/account")).await;
    assert_eq!(ground().await, DARK, "the next page has the theme");

    ada.prefer_dark(true).await;
    ada.click(At::Css(".menu summary")).await;
    ada.click(At::Named("Light")).await;
    assert_eq!(ground().await, LIGHT, "it is stronger than the system");
    cookie_is("holdfast-theme=light;").await;
    ada.reload().await;
    assert_eq!(ground().await, LIGHT);
    let scheme = "return [document.querySelector('meta[name=color-scheme]').content, \
         document.querySelector('[data-theme-form] [aria-pressed=true]').value].join()";
    assert_eq!(ada.run(scheme, Vec::new()).await, "light,light");
    ada.click(At::Css(".menu summary")).await;
    ada.click(At::Named("System")).await;
    assert_eq!(ground().await, DARK);
    ada.prefer_dark(false).await;
    assert_eq!(ground().await, LIGHT);
}

/// Applies a medium and one preference of the system.
async fn media(person: &Browser, media: &str, feature: Option<(&str, &str)>) {
    let features: Vec<Value> =
        feature.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    person.devtools("Emulation.setEmulatedMedia", json!({ "media": media, "features": features })).await;
}

/// The computed value of a property of the first element that a selector selects.
async fn style(person: &Browser, css: &str, property: &str) -> String {
    let script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]";
    let value = person.run(script, vec![css.into(), property.into()]).await;
    value.as_str().unwrap_or_else(|| panic!("{css} has no {property}")).to_owned()
}

async fn the_style_guide_shows_every_component_and_follows_the_media(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.person(Role::Administrator, "Ada Lovelace", Look::desktop()).await;
    ada.goto(&office.url("/styleguide")).await;
    assert_accessible(&ada, "styleguide").await;

    assert_on_paper(&ada, "the style guide").await;

    media(&ada, "", None).await;
    let line = style(&ada, ".card", "borderTopColor").await;
    let text = style(&ada, ".faint", "color").await;
    media(&ada, "", Some(("prefers-contrast", "more"))).await;
    assert_ne!(style(&ada, ".card", "borderTopColor").await, line, "lines are stronger");
    assert_ne!(style(&ada, ".faint", "color").await, text, "text is stronger");
    assert_eq!(style(&ada, ".badge", "borderTopStyle").await, "solid");
    let found = ada.axe_violations().await;
    assert!(found.is_empty(), "axe-core with more contrast: {found:?}");

    media(&ada, "", Some(("forced-colors", "active"))).await;
    assert_eq!(style(&ada, ".badge", "borderTopStyle").await, "solid", "a badge has an edge");
    let fill = style(&ada, ".filling .bar .fill", "fill").await;
    assert_ne!(fill, style(&ada, ".filling .bar .ground", "fill").await, "a bar shows its value");
    for (chosen, other) in [
        (".places a[aria-current]", ".places a:not([aria-current])"),
        (".segment[aria-pressed=true]", ".segment[aria-pressed=false]"),
        (".choice:has(:checked)", ".choice:not(:has(:checked))"),
    ] {
        let chosen = style(&ada, chosen, "backgroundColor").await;
        assert_ne!(chosen, style(&ada, other, "backgroundColor").await, "{other}: the chosen one differs");
    }
    assert_eq!(style(&ada, "button.is-focus", "outlineStyle").await, "solid");
    assert_eq!(style(&ada, "tr.editing", "outlineStyle").await, "solid", "a row in edit has an edge");

    media(&ada, "", Some(("prefers-reduced-motion", "reduce"))).await;
    let moving = "return document.getAnimations().filter(animation => \
         animation.effect.getComputedTiming().endTime > 1000).length";
    assert_eq!(ada.run(moving, Vec::new()).await, 0, "nothing moves");
}

async fn every_page_prints_what_it_says_and_nothing_that_can_be_pressed(environment: TestEnvironment) {
    let gallery = Gallery::open(&environment).await;
    for visitor in [Visitor::SignedOut, Visitor::Participant, Visitor::Administrator] {
        let browser = gallery.browser(&environment, visitor).await;
        for page in gallery.pages_of(visitor) {
            media(&browser, "", None).await;
            gallery.show(&browser, page).await;
            assert_on_paper(&browser, page.name).await;
        }
    }
}

/// Returns what is wrong with the open page on paper, as sentences.
const PRINT_FAULTS: &str = include_str!("print.js");

/// Checks the printed page at the width of a sheet and at that of a phone, also with a dark theme.
async fn assert_on_paper(person: &Browser, name: &str) {
    for width in [720, 390] {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        person.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        media(person, "print", Some(("prefers-color-scheme", "dark"))).await;
        person.run("document.documentElement.dataset.theme = 'dark'", Vec::new()).await;
        let faults = person.run(PRINT_FAULTS, Vec::new()).await;
        assert_eq!(faults, json!([]), "{name} on paper, at {width} pixels");
    }
    person.run("delete document.documentElement.dataset.theme", Vec::new()).await;
    person.look(Look::desktop()).await;
}
