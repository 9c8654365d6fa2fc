//! axe-core, which finds accessibility violations on a page; installed from npm.

use serde_json::Value;
use tokio::sync::OnceCell;

use super::missing_tool::MissingTool;
use super::npm;

const VERSION: &str = "4.14.1";

static SOURCE: OnceCell<Result<String, MissingTool>> = OnceCell::const_new();

/// The script that defines `axe` in a page.
///
/// # Errors
/// It could not be installed.
pub async fn source() -> Result<&'static str, MissingTool> {
    let source = SOURCE
        .get_or_init(|| async {
            let read = tokio::task::spawn_blocking(|| {
                let package = npm::install("axe-core", VERSION, "axe")?;
                std::fs::read_to_string(package.join("axe.min.js")).map_err(|error| error.to_string())
            });
            let read = read.await.map_err(|error| error.to_string());
            read.flatten().map_err(|why| MissingTool {
                what: "axe-core",
                why,
                remedy: "Install Node.js with npm",
            })
        })
        .await;
    source.as_deref().map_err(Clone::clone)
}

/// The violations as text, one paragraph each.
pub fn paragraphs(violations: &Value) -> Vec<String> {
    let violations = violations.as_array().map_or(&[][..], Vec::as_slice);
    violations.iter().map(violation).collect()
}

fn violation(violation: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes = violation["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let mut words =
        format!("{} ({}): {}", text(&violation["id"]), text(&violation["impact"]), text(&violation["help"]));
    for node in nodes {
        let summary = text(&node["failureSummary"]).replace('\n', "\n      ");
        words.push_str(&format!("\n    {}\n      {summary}", node["html"]));
    }
    words
}
