//! npm packages that only tests need.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::process;

/// The folder of npm's `package` at `version`. It is installed under the target folder if necessary.
///
/// # Errors
/// Why it could not be installed, as a clause without a full stop.
pub fn install(package: &str, version: &str, folder: &str) -> Result<PathBuf, String> {
    let prefix = process::target().join(folder).join(version);
    let home = prefix.join("node_modules").join(package);
    // npm writes its own lock file last, so this file means that the package is complete.
    let complete = prefix.join("node_modules").join(".package-lock.json");
    if complete.is_file() {
        return Ok(home);
    }
    let npm = process::on_path("npm").ok_or("npm was not found on PATH")?;
    std::fs::create_dir_all(&prefix).map_err(|error| error.to_string())?;
    let output = Command::new(npm)
        .args(["install", "--no-save", "--no-audit", "--no-fund"])
        .args(["--ignore-scripts", "--loglevel=error", "--prefix"])
        .arg(&prefix)
        .arg(format!("{package}@{version}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("npm could not be started: {error}"))?;
    if output.status.success() && complete.is_file() {
        return Ok(home);
    }
    let output_text = String::from_utf8_lossy(&output.stderr);
    let last = output_text.lines().rfind(|line| !line.trim().is_empty());
    Err(format!("npm could not install {package}@{version}: {}", last.unwrap_or("it printed nothing")))
}
