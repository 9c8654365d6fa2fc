//! The stylesheet: well-formed, without rules that nothing uses and names that nothing defines.
//!
//! Browsers skip what they cannot read, so one mistake silently disables the rules after it.

#![allow(clippy::expect_used, clippy::panic, reason = "sources that cannot be read fail the test")]

#[path = "stylesheet/classes.rs"]
mod classes;
#[path = "stylesheet/sheet.rs"]
mod sheet;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use classes::Classes;
use sheet::Sheet;

/// Classes in the stylesheet that only a library sets, with the library.
const SET_BY_LIBRARIES: [(&str, &str); 1] = [("htmx-request", "htmx")];

/// Classes in templates without a style: each is a name by which a test finds its element.
const TEST_HOOKS: [&str; 0] = [];

/// The files whose parts the style guide shows, besides its own.
const SHOWN_PARTS: [&str; 7] = [
    "templates/layout.html",
    "templates/_theme.html",
    "templates/leads/_badges.html",
    "templates/raffles/_parts.html",
    "templates/charts/bar.html",
    "templates/charts/chart.html",
    "templates/charts/sparkline.html",
];

/// The sources that name the classes of these parts.
const SHOWN_SOURCES: [&str; 2] = ["src/leads/domain/status.rs", "src/shared/charts/chart.rs"];

/// Classes that the style guide does not show, with the reason.
const NOT_SHOWN: [(&str, &[&str]); 6] = [
    (
        "a column, of which the table of leads has samples",
        &[
            "after",
            "change",
            "count",
            "in-stock",
            "kind",
            "offset",
            "out",
            "partition",
            "reason",
            "role",
            "sku",
            "source",
            "ticket-number",
            "topic",
            "trend",
            "waiting",
            "what",
        ],
    ),
    (
        "the columns of one table",
        &["audit", "caps", "consumers", "held", "movements", "orders", "people", "products", "sold"],
    ),
    (
        "the place of the cards of a page",
        &["board", "columns", "detail", "narrow", "ordering", "raffle-page", "slim"],
    ),
    ("what a narrow window or a browser without scripts shows", &["narrow-only", "no-script"]),
    (
        "what is there only during a request, or while a toast is in the way",
        &["away", "busy", "htmx-request", "idle"],
    ),
    ("it moves", &["confetti"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the texts of all files with this extension in a folder and its folders.
fn texts(folder: &str, extension: &str) -> Vec<String> {
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(fs::read_to_string(&path).expect("the file is text"));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has files");
    found
}

fn stylesheet() -> Sheet {
    Sheet::of(&text("src/web/assets/app.css"))
}

/// The elements of a set that are not in another one.
fn missing<'a>(from: &'a BTreeSet<String>, other: &'a BTreeSet<String>) -> Vec<&'a String> {
    from.difference(other).collect()
}

#[test]
fn the_stylesheet_is_well_formed() {
    let sheet = stylesheet();
    assert!(sheet.faults.is_empty(), "app.css:\n  {}", sheet.faults.join("\n  "));
    assert!(sheet.rules > 300, "only {} rules were read", sheet.rules);
}

#[test]
fn every_class_of_the_stylesheet_is_used() {
    let sheet = stylesheet();
    let mut used = Classes::of_templates(&texts("templates", "html"));
    used.add_scripts(&texts("src/web/assets/app", "js"));
    used.add_sources(&texts("src", "rs"));
    let unused: Vec<_> = sheet
        .classes
        .iter()
        .filter(|class| !used.has(class) && !SET_BY_LIBRARIES.iter().any(|(name, _)| name == class))
        .collect();
    assert!(
        unused.is_empty(),
        "app.css has rules for classes that no template, script or page uses: {unused:?}"
    );
}

#[test]
fn every_class_of_a_template_has_a_style_or_a_script() {
    let used = Classes::of_templates(&texts("templates", "html"));
    let mut known = stylesheet().classes;
    let mut scripts = Classes::default();
    scripts.add_selectors(&texts("src/web/assets/app", "js"));
    known.extend(scripts.names);
    known.extend(TEST_HOOKS.map(str::to_owned));
    assert!(used.names.len() > 100, "only {} classes were read", used.names.len());
    let unknown = missing(&used.names, &known);
    assert!(unknown.is_empty(), "templates have classes without a rule in app.css: {unknown:?}");
    for prefix in &used.prefixes {
        assert!(
            known.iter().any(|class| class.starts_with(prefix.as_str())),
            "no class begins with {prefix}"
        );
    }
}

#[test]
fn every_class_is_in_the_style_guide() {
    let mut templates = texts("templates/styleguide", "html");
    templates.extend(SHOWN_PARTS.map(text));
    let mut shown = Classes::of_templates(&templates);
    shown.add_statements(&templates);
    shown.add_sources(&texts("src/styleguide", "rs"));
    shown.add_sources(&SHOWN_SOURCES.map(text));
    let left_out: BTreeSet<String> =
        NOT_SHOWN.iter().flat_map(|(_, classes)| classes.iter().map(|class| (*class).to_owned())).collect();
    let classes = stylesheet().classes;
    let hidden: BTreeSet<String> = classes.iter().filter(|class| !shown.has(class)).cloned().collect();
    let unshown = missing(&hidden, &left_out);
    assert!(unshown.is_empty(), "the style guide has no sample of these classes: {unshown:?}");
    let needless = missing(&left_out, &hidden);
    assert!(needless.is_empty(), "these are shown or are no classes any more: {needless:?}");
}

#[test]
fn every_token_that_is_used_is_defined() {
    let sheet = stylesheet();
    assert!(sheet.used.len() > 30, "only {} tokens were read", sheet.used.len());
    let base = text("src/web/assets/pico.classless.min.css");
    let is_of_base = |name: &&String| name.starts_with("--pico-");
    let undefined: Vec<_> = sheet
        .used
        .difference(&sheet.defined)
        .filter(|name| !is_of_base(name) || !base.contains(&format!("{name}:")))
        .collect();
    assert!(undefined.is_empty(), "app.css uses tokens that nothing defines: {undefined:?}");
    let unread: Vec<_> = sheet
        .defined
        .iter()
        .filter(is_of_base)
        .filter(|name| !base.contains(&format!("var({name}")))
        .collect();
    assert!(unread.is_empty(), "app.css sets tokens that Pico does not read: {unread:?}");
}

#[test]
fn every_color_is_a_token_with_a_light_and_a_dark_value() {
    let sheet = stylesheet();
    assert!(sheet.colors > 40, "only {} colors were read", sheet.colors);
    assert!(
        sheet.plain_colors.is_empty(),
        "colors outside of light-dark() in :root: {:?}",
        sheet.plain_colors
    );
}

#[test]
fn faults_are_found() {
    for faulty in [
        "<<<<<<< ours\n.a { color: red; }",
        ".a { color: red; }\n=======\n.b { color: red; }",
        ">>>>>>> theirs\n.b { color: red; }",
        ".a { color: red; } } .b { color: red; }",
        ".a { color: red;",
        ".a { color: red margin: 0; }",
        ".a { color red; }",
        ".a { color: ; }",
        ".a { <<<<<<< }",
        ".a >> .b { color: red; }",
        ".a, { color: red; }",
        ". a { color: red; }",
        "@meida print { .a { color: red; } }",
        ".a { width: calc(1px + 2px; }",
    ] {
        assert!(!Sheet::of(faulty).faults.is_empty(), "no fault was found in {faulty:?}");
    }
    let fine =
        "@media (max-width: 9rem) { .a:not(.b, .c) > a[href]:nth-child(2n + 1)::after { content: \"{\"; } }";
    let sheet = Sheet::of(fine);
    assert_eq!(sheet.faults, Vec::<String>::new());
    assert_eq!(sheet.classes, ["a", "b", "c"].map(str::to_owned).into());
    let colors = Sheet::of(
        ":root { --a: light-dark(#fff, #000); --b: #fff; } .a { color: var(--c); fill: rgb(0 0 0); }",
    );
    assert_eq!((colors.colors, colors.plain_colors.len()), (2, 2));
    assert_eq!((colors.defined.len(), colors.used), (2, ["--c".to_owned()].into()));
}
