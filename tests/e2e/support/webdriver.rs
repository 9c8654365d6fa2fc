//! The chromedriver of the run, and commands that are not part of the WebDriver standard.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::missing_tool::MissingTool;
use super::process::Process;
use super::{http, process, wait};

const NAME: &str = "chromedriver";

static ADDRESS: OnceCell<Result<String, MissingTool>> = OnceCell::const_new();

/// The address of chromedriver. The first call starts it and opens a browser once.
///
/// # Errors
/// Chromedriver or its browser is missing.
pub async fn address() -> Result<&'static str, MissingTool> {
    let address = ADDRESS
        .get_or_init(|| async {
            start().await.map_err(|why| MissingTool {
                what: "a browser",
                why,
                remedy: "Install Chromium and its chromedriver, of the same version, on PATH; or set CHROMEDRIVER \
                         to chromedriver's path, and CHROMIUM to the browser's",
            })
        })
        .await;
    address.as_deref().map_err(Clone::clone)
}

async fn start() -> Result<String, String> {
    let driver = std::env::var_os("CHROMEDRIVER").map(PathBuf::from);
    let driver = driver.or_else(|| process::on_path(NAME));
    let driver = driver.ok_or("chromedriver was not found on PATH")?;
    let port = process::free_port().map_err(|error| error.to_string())?;
    let mut command = std::process::Command::new(driver);
    let command = command.arg(format!("--port={port}"));
    let process = Process::start(NAME, command).map_err(|error| error.to_string())?;
    let address = format!("http://127.0.0.1:{port}");
    let status = format!("{address}/status");
    let ready = wait::within(Duration::from_secs(30), || async {
        match http::plain_client().get(&status).send().await {
            Ok(_) => Ok(true),
            Err(_) if process.ended().is_some() => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    });
    if !ready.await? {
        return Err(format!("it ended at once: {}", process.last_line()));
    }
    // Opening a browser shows that there is one and that the versions fit.
    let browser = session(&address, Value::Null).await?;
    browser.close().await.map_err(|error| error.to_string())?;
    Ok(address)
}

/// Opens a new browser with an empty profile.
///
/// # Errors
/// The error message of chromedriver.
pub async fn session(address: &str, preferences: Value) -> Result<Client, String> {
    let mut options = json!({ "args": [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", "--force-color-profile=srgb",
    ] });
    if let Ok(binary) = std::env::var("CHROMIUM") {
        options["binary"] = binary.into();
    }
    if !preferences.is_null() {
        options["prefs"] = preferences;
    }
    let capabilities = json!({
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    let Value::Object(capabilities) = capabilities else { unreachable!("the literal above is an object") };
    let mut builder = ClientBuilder::new(HttpConnector::new());
    let opened = builder.capabilities(capabilities).connect(address).await;
    opened.map_err(|error| format!("no browser could be opened: {error}"))
}

/// A command of chromedriver below `/session/ID/`: POST with a body, otherwise GET.
#[derive(Debug)]
pub struct Command {
    /// The rest of the path: `goog/cdp/execute`.
    pub path: String,
    /// The body.
    pub body: Option<Value>,
}

impl Command {
    /// A command of the Chrome DevTools Protocol.
    pub fn devtools(name: &str, parameters: Value) -> Self {
        Self { path: "goog/cdp/execute".to_owned(), body: Some(json!({ "cmd": name, "params": parameters })) }
    }
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &Url) -> (::http::Method, Option<String>) {
        match &self.body {
            Some(body) => (::http::Method::POST, Some(body.to_string())),
            None => (::http::Method::GET, None),
        }
    }
}
