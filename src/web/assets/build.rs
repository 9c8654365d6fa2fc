//! The build script: fingerprints, bundles and compresses the assets beside it.
//!
//! It does this once at build time, so the running program reads no files and compresses nothing. `app.css` is served
//! as one file, with the vendored base in its own cascade layer, so that our rules override the base regardless of
//! its selectors. `app.js` is joined from the files in `app/`, one for each concern.

#![allow(clippy::disallowed_methods, reason = "Cargo passes paths to build scripts in the environment")]

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

const FOLDER: &str = "src/web/assets";
const BASE_CSS: &str = "pico.classless.min.css";
const SCRIPT_FOLDER: &str = "app";

/// The parts of `app.js`, in the order in which they are joined. Each file in the folder is listed.
///
/// A constant can be used at the top level only after its file. Listeners of the same event run in this order too, so
/// `live.js` is before `failures.js`, which shows a panel even if an update of the page has to wait, and before
/// `focus.js`, which acts after old toasts are removed.
const SCRIPTS: [&str; 20] = [
    "shared.js",
    "toast.js",
    "theme.js",
    "live.js",
    "failures.js",
    "session.js",
    "requests.js",
    "focus.js",
    "search.js",
    "menus.js",
    "forms.js",
    "drafts.js",
    "restore.js",
    "leaving.js",
    "history.js",
    "states.js",
    "export.js",
    "upload.js",
    "verify.js",
    "charts.js",
];

/// The name and content type of every served file.
const ASSETS: [(&str, &str); 4] = [
    ("app.css", "text/css; charset=utf-8"),
    ("app.js", "text/javascript; charset=utf-8"),
    ("htmx.js", "text/javascript; charset=utf-8"),
    ("logo.svg", "image/svg+xml"),
];

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo also watches the folders inside it, and notices new files.
    println!("cargo::rerun-if-changed={FOLDER}");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut table = String::from("&[\n");
    for (name, content_type) in ASSETS {
        let bytes = contents(name)?;
        let fingerprint = fingerprint(&bytes);
        write_encodings(&out, name, &bytes)?;
        let (stem, extension) = name.rsplit_once('.').ok_or("an asset has an extension")?;
        let include =
            |suffix: &str| format!(r#"include_bytes!(concat!(env!("OUT_DIR"), "/{name}{suffix}"))"#);
        writeln!(
            table,
            "Asset {{ name: {name:?}, path: \"/assets/{stem}.{fingerprint}.{extension}\", \
             fingerprint: {fingerprint:?}, content_type: {content_type:?}, \
             identity: {}, gzip: {}, brotli: {} }},",
            include(""),
            include(".gz"),
            include(".br"),
        )?;
    }
    table.push(']');
    fs::write(out.join("assets_table.rs"), table)?;
    Ok(())
}

/// Returns the bytes that are served under a name.
fn contents(name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(match name {
        "app.css" => {
            let base = read(BASE_CSS)?;
            let own = read(name)?;
            let mut bundle = b"@layer base{".to_vec();
            // `@charset` is not allowed inside a layer.
            bundle.extend_from_slice(base.strip_prefix(b"@charset \"UTF-8\";").unwrap_or(&base));
            bundle.extend_from_slice(b"}\n");
            bundle.extend_from_slice(&own);
            bundle
        }
        "app.js" => script()?,
        "htmx.js" => read("htmx.min.js")?,
        _ => read(name)?,
    })
}

/// Joins the parts of `app.js` inside one function in strict mode: they share their names, and nothing is global.
fn script() -> Result<Vec<u8>, Box<dyn Error>> {
    for entry in fs::read_dir(Path::new(FOLDER).join(SCRIPT_FOLDER))? {
        let path = entry?.path();
        let is_listed = SCRIPTS.iter().any(|name| path.ends_with(name));
        if path.extension().is_some_and(|extension| extension == "js") && !is_listed {
            return Err(format!("{}: add it to SCRIPTS in build.rs", path.display()).into());
        }
    }
    let mut joined = b"\"use strict\";\n(() => {\n".to_vec();
    for name in SCRIPTS {
        joined.extend_from_slice(format!("// {name}\n").as_bytes());
        joined.extend_from_slice(&read(&format!("{SCRIPT_FOLDER}/{name}"))?);
        joined.push(b'\n');
    }
    joined.extend_from_slice(b"})();\n");
    Ok(joined)
}

fn read(name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let path = Path::new(FOLDER).join(name);
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Returns the first ten hexadecimal digits of the SHA-256: enough to distinguish the files of two releases.
fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(5).fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn write_encodings(out: &Path, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    fs::write(out.join(name), bytes)?;

    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    fs::write(out.join(format!("{name}.gz")), gzip.finish()?)?;

    let mut brotli = Vec::new();
    brotli::CompressorWriter::new(&mut brotli, 4096, 11, 22).write_all(bytes)?;
    fs::write(out.join(format!("{name}.br")), brotli)?;
    Ok(())
}
