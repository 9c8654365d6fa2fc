//! Every page looks like its committed picture: three widths, two themes.
//!
//! The pictures are in `tests/fixtures/pictures`, a quarter as wide and high as the page. One of each theme shows the
//! whole page, and the others show the first window. `drawn-by.txt` there names the
//! browser and the fonts that drew them: other ones draw other letters, so the case compares only where they are the
//! same, and says so elsewhere. A picture of which more than 2 % has changed fails; the difference is then in
//! `pictures/` under the target folder: the committed picture, the new one, and what changed in red.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::gallery::{Gallery, Visitor};
use crate::support::browser::{Browser, Look};
use crate::support::case::Form;
use crate::support::http::Server;
use crate::support::picture::Picture;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases, process};

pub(super) fn all() -> Vec<Case> {
    cases![browser: every_page_looks_like_its_pictures, a_picture_can_show_the_whole_page]
}

/// `compare` compares all pictures, and `write` writes them. Without it, the short form compares each width or theme
/// once a page.
const VARIABLE: &str = "HOLDFAST_PICTURES";
const COMMAND: &str = "HOLDFAST_PICTURES=write cargo test --test e2e -- every_page_looks";

/// The share of pixels that may change.
const TOLERATED: f64 = 0.02;

/// Windows are this many times as wide and high as their pictures.
const SHRINK: u32 = 4;

const WINDOWS: [(u32, u32); 3] = [(1440, 900), (1024, 768), (390, 844)];

/// The width of the window and whether it is dark, of the pictures that show the whole page. The short form compares
/// only these.
const WHOLE: [(u32, bool); 2] = [(1440, false), (390, true)];

/// What is further down on a page is in no picture.
const TALLEST: u32 = 4000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures")
}

/// The browser and the fonts that it uses for the pages' families.
async fn drawn_by(browser: &Browser) -> String {
    let mut lines = vec![browser.version().await];
    for family in ["system-ui", "sans-serif", "monospace"] {
        let format = "%{family} %{style} %{fontversion}";
        let font = std::process::Command::new("fc-match").args(["-f", format, family]).output();
        let font = font.map(|found| String::from_utf8_lossy(&found.stdout).into_owned());
        lines.push(format!("{family}: {}", font.unwrap_or_else(|_| "unknown".to_owned())));
    }
    lines.join("\n") + "\n"
}

/// Pictures of the open page, each with its name.
async fn draw(browser: &Browser, page: &str, all: bool) -> Vec<(String, Picture)> {
    let mut pictures = Vec::new();
    for size in WINDOWS {
        for dark in [false, true] {
            let is_whole = WHOLE.contains(&(size.0, dark));
            if !all && !is_whole {
                continue;
            }
            browser.look(Look { size, dark, javascript: true }).await;
            let theme = if dark { "dark" } else { "light" };
            let picture = browser.picture(SHRINK, is_whole.then_some(TALLEST)).await;
            let picture = Picture::parse(&picture).coarse();
            pictures.push((format!("{page}-{}-{theme}.png", size.0), picture));
        }
    }
    pictures
}

/// Compares a picture with the committed one. Returns what is wrong.
fn compare(name: &str, drawn: &Picture) -> Option<String> {
    let Ok(committed) = fs::read(folder().join(name)) else {
        return Some(format!("{name} is not committed"));
    };
    let committed = Picture::parse(&committed);
    let changed = committed.difference(drawn);
    if changed <= TOLERATED {
        return None;
    }
    let file = process::target().join("pictures").join(name);
    committed.beside(drawn).save(&file);
    Some(format!("{:.1} % of {name} has changed: {}", 100.0 * changed, file.display()))
}

/// The names of the committed pictures.
fn committed() -> BTreeSet<String> {
    let files = fs::read_dir(folder()).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| name.ends_with(".png"))
        .collect()
}

async fn every_page_looks_like_its_pictures(environment: TestEnvironment) {
    let gallery = Gallery::open(&environment).await;
    let task = std::env::var(VARIABLE).unwrap_or_default();
    let writes = task == "write";
    let all = writes || task == "compare" || Form::requested() == Form::Long;
    let mut without_page = committed();
    let mut wrong = Vec::new();
    for visitor in [Visitor::SignedOut, Visitor::Participant, Visitor::Administrator] {
        let browser = gallery.browser(&environment, visitor).await;
        let drawn_by = drawn_by(&browser).await;
        let record = folder().join("drawn-by.txt");
        if writes {
            fs::create_dir_all(folder()).unwrap();
            fs::write(record, drawn_by).unwrap();
        } else if fs::read_to_string(record).unwrap_or_default() != drawn_by {
            println!("The pictures were drawn by another browser or with other fonts: not compared.");
            return;
        }
        for page in gallery.pages_of(visitor) {
            gallery.show(&browser, page).await;
            for (name, picture) in draw(&browser, page.name, all).await {
                without_page.remove(&name);
                if writes {
                    picture.save(&folder().join(&name));
                } else {
                    wrong.extend(compare(&name, &picture));
                }
            }
        }
    }
    if writes {
        without_page.iter().for_each(|name| fs::remove_file(folder().join(name)).unwrap());
        return;
    }
    without_page.retain(|_| all);
    wrong.extend(without_page.iter().map(|name| format!("{name} is a picture of no page")));
    assert!(wrong.is_empty(), "{}\nIf this is meant: {COMMAND}", wrong.join("\n"));
}

async fn a_picture_can_show_the_whole_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let server = Server::of(workspace.router.clone()).await;
    let browser = environment.browser(Look::phone()).await;
    browser.goto(&server.url("/styleguide")).await;
    let drawn = async |tallest| Picture::parse(&browser.picture(SHRINK, tallest).await);
    let (window, whole) = (drawn(None).await, drawn(Some(TALLEST)).await);
    assert_eq!(window.size(), (98, 211));
    assert_eq!(whole.size(), (98, TALLEST / SHRINK), "the page is higher than that");
    assert!(window.difference(&whole) > 0.7, "what only one picture has differs");
    browser.goto(&server.url("/sign-in")).await;
    let (window, whole) = (drawn(None).await, drawn(Some(TALLEST)).await);
    assert_eq!(window.size(), whole.size(), "a short page fills the window");
    assert!(window.difference(&whole) < TOLERATED);
}
