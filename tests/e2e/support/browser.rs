//! A person at a real browser: each has a separate session, profile and set of cookies.
//!
//! Elements are found by accessible name, as a person finds them, or by CSS selector. Every method waits for its
//! condition and panics with a message if it does not come true.

use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use fantoccini::actions::{InputSource, KeyAction, KeyActions, MouseActions, PointerAction};
use fantoccini::elements::{Element, ElementRef};
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::wd::WindowHandle;
use fantoccini::{Client, Locator};
use serde_json::{Value, json};

pub use super::look::{At, Look};
use super::look::{At::Css, At::Named, CANDIDATES, RUN_AXE};
use super::webdriver::{self, Command};
use super::{axe, process, wait};

/// One person's browser. Clones are the same browser.
#[derive(Clone)]
pub struct Browser(Client);

impl Browser {
    /// Opens a browser. The environment closes it when the case ends.
    pub async fn open(look: Look) -> Self {
        let address = webdriver::address().await.unwrap_or_else(|missing_tool| panic!("{missing_tool}"));
        let blocked = json!({ "profile.managed_default_content_settings.javascript": 2 });
        let preferences = if look.javascript { Value::Null } else { blocked };
        let client = webdriver::session(address, preferences).await;
        let browser = Self(client.unwrap_or_else(|error| panic!("{error}")));
        browser.look(look).await;
        browser
    }

    /// Closes the browser.
    pub async fn close(self) {
        // A crashed browser is closed already.
        let _ = self.0.close().await;
    }

    /// Opens another tab, which shows the page from now on. Returns the tab that showed it before.
    pub async fn open_tab(&self) -> WindowHandle {
        let before = self.0.window().await.unwrap_or_else(|error| panic!("no tab: {error}"));
        let tab = self.0.new_window(true).await.unwrap_or_else(|error| panic!("no other tab: {error}"));
        self.switch_to_tab(tab.handle).await;
        before
    }

    /// Shows another tab.
    pub async fn switch_to_tab(&self, tab: WindowHandle) {
        self.0.switch_to_window(tab).await.unwrap_or_else(|error| panic!("the tab is gone: {error}"));
    }

    /// Sends a command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let answer = self.0.issue_cmd(Command::devtools(command, parameters)).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Applies this look to the page and later ones. Scripts are enabled or disabled only when the browser is
    /// opened.
    pub async fn look(&self, look: Look) {
        let (width, height) = look.size;
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.prefer_dark(look.dark).await;
    }

    /// Sets the preference for dark colors, now and on later pages.
    pub async fn prefer_dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        // Animations are off as well: to axe-core a half-finished fade looks like bad contrast.
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": value },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Disconnects the network, or connects it again.
    pub async fn offline(&self, offline: bool) {
        self.devtools("Network.enable", json!({})).await;
        let conditions =
            json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.devtools("Network.emulateNetworkConditions", conditions).await;
    }

    /// Opens an address.
    pub async fn goto(&self, url: &str) {
        let gone = self.0.goto(url).await;
        gone.unwrap_or_else(|error| panic!("{url} cannot be opened: {error}"));
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.0.refresh().await.expect("the page loads again");
    }

    /// The address that the browser shows.
    pub async fn url(&self) -> String {
        self.0.current_url().await.expect("the browser has an address").into()
    }

    /// Waits until the address of the browser does not contain `part`.
    pub async fn wait_to_leave(&self, part: &str) {
        self.waiting(&format!("the address is without {part}"), async || match self.url().await {
            url if url.contains(part) => Err("it still contains it".to_owned()),
            _ => Ok(()),
        })
        .await;
    }

    /// Waits for a visible element and returns it.
    pub async fn find(&self, at: At<'_>) -> Element {
        self.waiting(&format!("{at:?} is visible"), async || self.look_for(at).await).await
    }

    /// Waits until `css` selects a visible element.
    pub async fn wait_for(&self, css: &str) -> Element {
        self.find(Css(css)).await
    }

    /// Waits until the text of the element at `css` contains `text`.
    pub async fn wait_for_text(&self, css: &str, text: &str) {
        self.waiting(&format!("{css} contains “{text}”"), async || {
            let text_now = self.look_for(Css(css)).await?.text().await.map_err(message)?;
            if text_now.contains(text) { Ok(()) } else { Err(format!("its text is “{text_now}”")) }
        })
        .await;
    }

    /// Waits until `css` selects nothing.
    pub async fn wait_until_gone(&self, css: &str) {
        self.waiting(&format!("{css} is gone"), async || match self.count(css).await {
            0 => Ok(()),
            count => Err(format!("there are {count}")),
        })
        .await;
    }

    /// The number of elements that `css` selects now.
    pub async fn count(&self, css: &str) -> usize {
        let found = self.0.find_all(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}")).len()
    }

    /// The visible text of the element.
    pub async fn text(&self, at: At<'_>) -> String {
        self.waiting(&format!("{at:?} has text"), async || {
            self.look_for(at).await?.text().await.map_err(message)
        })
        .await
    }

    /// The value of a field now.
    pub async fn value(&self, at: At<'_>) -> String {
        self.waiting(&format!("{at:?} has a value"), async || {
            let value = self.look_for(at).await?.prop("value").await.map_err(message)?;
            Ok(value.unwrap_or_default())
        })
        .await
    }

    /// Clicks as soon as nothing covers the element.
    pub async fn click(&self, at: At<'_>) {
        self.waiting(&format!("{at:?} can be clicked"), async || {
            let element = self.look_for(at).await?;
            if !element.is_enabled().await.map_err(message)? {
                return Err("it is disabled".to_owned());
            }
            element.click().await.map_err(message)
        })
        .await;
    }

    /// Moves the pointer over the element at `css`.
    pub async fn hover(&self, css: &str) {
        let element = self.find(Css(css)).await;
        let over = PointerAction::MoveToElement { element, duration: None, x: 0.0, y: 0.0 };
        let moves = MouseActions::new("mouse".to_owned()).then(over);
        self.0.perform_actions(moves).await.expect("the pointer can be moved");
    }

    /// The role that the first element at `css` has for a screen reader, seen or not.
    pub async fn role(&self, css: &str) -> String {
        let element = self.0.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
        let path = format!("element/{}/computedrole", &*element.element_id());
        let role = self.0.issue_cmd(Command { path, body: None }).await.expect("the element has a role");
        role.as_str().unwrap_or_default().to_owned()
    }

    /// Empties a field and types `text` into it.
    pub async fn fill(&self, at: At<'_>, text: &str) {
        let field = self.find(at).await;
        field.clear().await.unwrap_or_else(|error| panic!("{at:?} cannot be emptied: {error}"));
        field.send_keys(text).await.unwrap_or_else(|error| panic!("{at:?} takes no text: {error}"));
    }

    /// Chooses the option of a drop-down that has this label.
    pub async fn choose(&self, at: At<'_>, label: &str) {
        let chosen = self.find(at).await.select_by_label(label).await;
        chosen.unwrap_or_else(|error| panic!("{at:?} has no option “{label}”: {error}"));
    }

    /// Gives a file to the file field at `css`, visible or not.
    pub async fn upload(&self, css: &str, file: &std::path::Path) {
        let field = self.0.find(Locator::Css(css)).await.expect("the page has the file field");
        let path = file.to_str().expect("the path is UTF-8");
        field.send_keys(path).await.expect("the field takes the file");
    }

    /// Presses keys at the focus: text, or [`Key`]s. Shift, Control, Alt and Meta stay down until the last key was
    /// pressed.
    pub async fn press(&self, keys: &str) {
        const MODIFIERS: [Key; 4] = [Key::Shift, Key::Control, Key::Alt, Key::Meta];
        let mut actions = KeyActions::new("keyboard".to_owned());
        let mut held = Vec::new();
        for value in keys.chars() {
            actions = actions.then(KeyAction::Down { value });
            if MODIFIERS.into_iter().map(char::from).any(|modifier| modifier == value) {
                held.push(value);
            } else {
                actions = actions.then(KeyAction::Up { value });
            }
        }
        for value in held {
            actions = actions.then(KeyAction::Up { value });
        }
        self.0.perform_actions(actions).await.expect("keys can be pressed");
    }

    /// The accessible name of the focused element.
    pub async fn focused(&self) -> String {
        self.waiting("an element has the focus", async || {
            let focused = self.0.active_element().await.map_err(message)?;
            self.name_of(&focused).await
        })
        .await
    }

    /// Runs the body of a script in the page and returns its result.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.0.execute(script, arguments).await.expect("the script runs")
    }

    /// Errors and warnings on the browser's console since the last call, including blocked scripts and styles.
    pub async fn console(&self) -> Vec<String> {
        let body = Some(json!({ "type": "browser" }));
        let log = Command { path: "se/log".to_owned(), body };
        let entries = self.0.issue_cmd(log).await.expect("the browser keeps a log");
        let entries = entries.as_array().cloned().unwrap_or_default();
        let serious = |entry: &&Value| ["SEVERE", "WARNING"].contains(&entry["level"].as_str().unwrap_or(""));
        entries
            .iter()
            .filter(serious)
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Saves a picture of the window as `screenshots/NAME.png` under the target folder.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let image = self.0.screenshot().await.expect("the window can be drawn");
        let folder = process::target().join("screenshots");
        let file = folder.join(format!("{name}.png"));
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::write(&file, image).expect("the picture can be written");
        file
    }

    /// A picture of the window as a PNG, each side divided by `shrink`. With `tallest`, it shows the whole page, but not
    /// more than this height.
    pub async fn picture(&self, shrink: u32, tallest: Option<u32>) -> Vec<u8> {
        let sides =
            "return [innerWidth, innerHeight, scrollX, scrollY, document.documentElement.scrollHeight]";
        let sides = self.run(sides, Vec::new()).await;
        let [width, window, x, y, page] = [0, 1, 2, 3, 4].map(|side| sides[side].as_f64().expect("a number"));
        let (y, height) = tallest.map_or((y, window), |tallest| (0.0, page.max(window).min(tallest.into())));
        let scale = 1.0 / f64::from(shrink);
        let clip = json!({ "x": x, "y": y, "width": width, "height": height, "scale": scale });
        let options = json!({ "format": "png", "clip": clip, "captureBeyondViewport": tallest.is_some() });
        let drawn = self.devtools("Page.captureScreenshot", options).await;
        BASE64_STANDARD.decode(drawn["data"].as_str().expect("a picture")).expect("it is in base64")
    }

    /// The name and version of the browser.
    pub async fn version(&self) -> String {
        let version = self.devtools("Browser.getVersion", json!({})).await;
        version["product"].as_str().expect("a browser has a version").to_owned()
    }

    /// Panics if axe-core finds a violation on this page.
    pub async fn axe(&self) {
        let found = self.axe_violations().await;
        let url = self.url().await;
        assert!(found.is_empty(), "axe-core on {url}:\n  {}", found.join("\n  "));
    }

    /// The violations that axe-core finds on this page, as text.
    pub async fn axe_violations(&self) -> Vec<String> {
        if self.run("return typeof axe === 'object'", Vec::new()).await != true {
            let source = axe::source().await.unwrap_or_else(|missing_tool| panic!("{missing_tool}"));
            self.run(source, Vec::new()).await;
        }
        let found = self.0.execute_async(RUN_AXE, Vec::new()).await;
        axe::paragraphs(&found.expect("axe-core runs"))
    }

    async fn look_for(&self, at: At<'_>) -> Result<Element, String> {
        let found = match at {
            Css(css) => self.0.find_all(Locator::Css(css)).await.map_err(message)?,
            Named(name) => self.named(name).await?,
        };
        for element in found {
            if element.is_displayed().await.map_err(message)? {
                return Ok(element);
            }
        }
        Err("there is none".to_owned())
    }

    async fn named(&self, name: &str) -> Result<Vec<Element>, String> {
        let found = self.0.execute(CANDIDATES, vec![name.into()]).await.map_err(message)?;
        let mut named = Vec::new();
        for candidate in found.as_array().cloned().unwrap_or_default() {
            // WebDriver represents an element as an object whose only value is its id.
            let id = candidate.as_object().and_then(|object| object.values().next()?.as_str());
            let id = ElementRef::from(id.unwrap_or_default().to_owned());
            let element = Element::from_element_id(self.0.clone(), id);
            if self.name_of(&element).await? == name {
                named.push(element);
            }
        }
        Ok(named)
    }

    async fn name_of(&self, element: &Element) -> Result<String, String> {
        let path = format!("element/{}/computedlabel", &*element.element_id());
        let label = self.0.issue_cmd(Command { path, body: None }).await.map_err(message)?;
        Ok(label.as_str().unwrap_or_default().trim().to_owned())
    }

    async fn waiting<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
        let end = std::time::Instant::now() + wait::TIMEOUT;
        loop {
            match look().await {
                Ok(found) => return found,
                Err(_) if std::time::Instant::now() < end => tokio::time::sleep(wait::POLL_INTERVAL).await,
                Err(why) => panic!("timed out waiting until {what}: {why}; on {}", self.url().await),
            }
        }
    }
}

fn message(error: CmdError) -> String {
    error.to_string()
}
