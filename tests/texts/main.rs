//! Every text that a person sees is in one reviewed file: texts of templates, of scripts, and of the Rust sources.
//!
//! `HOLDFAST_WRITE_DOCS=1 cargo test --test texts` writes the file again.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "sources that cannot be read fail the test, and a variable asks to write"
)]

mod html;
mod prose;
mod rust;
mod script;
mod style;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The reviewed file.
const DOCUMENT: &str = "docs/texts.txt";
/// The command that writes it.
const WRITE_DOCUMENT: &str = "HOLDFAST_WRITE_DOCS=1 cargo test --test texts";
const HEAD: &str = "\
# Every text that a person sees, by source file: pages, messages, and output of the command line.
# Generated. Read the changed lines in a review: plain American English, one term for a thing, no riddles.
#
# In a template, {…} is a value, and {if}, {else} and {end} are its conditions. After a change of a text:
# HOLDFAST_WRITE_DOCS=1 cargo test --test texts
";

/// Sources whose literals people never read: the engine, metrics, sample data, and the build script.
const UNSEEN: [&str; 4] =
    ["src/engine/", "src/base/telemetry/", "src/imports/sample.rs", "src/web/assets/build.rs"];

/// The texts of each source file, sorted.
type Texts = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All texts of this repository.
fn texts() -> Texts {
    let mut texts = Texts::new();
    for folder in ["templates", "src"] {
        for path in files(&root().join(folder)) {
            let name = path.strip_prefix(root()).expect("the file is below the root");
            let name = name.to_string_lossy().replace('\\', "/");
            let Some(read) = reader(&name) else { continue };
            let source = fs::read_to_string(&path).expect("the sources can be read");
            let found = read(&source);
            if !found.is_empty() {
                texts.insert(name, found);
            }
        }
    }
    texts
}

/// How the texts of a file are read; `None` if a person sees none of its texts.
fn reader(name: &str) -> Option<fn(&str) -> BTreeSet<String>> {
    let path = Path::new(name);
    let is_test = name.split(['/', '.']).any(|part| part == "tests");
    let extension = path.extension()?.to_str()?;
    match extension {
        "html" if name.starts_with("templates/") => Some(html::texts),
        "js" if name.starts_with("src/web/assets/app/") => Some(script::texts),
        "rs" if is_test || UNSEEN.iter().any(|unseen| name.starts_with(unseen)) => None,
        "rs" => Some(rust::texts),
        _ => None,
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the sources can be read");
    let paths = entries.map(|entry| entry.expect("the sources can be read").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn document(texts: &Texts) -> String {
    let mut document = HEAD.to_owned();
    for (file, texts) in texts {
        document.push_str(&format!("\n## {file}\n"));
        for text in texts {
            document.push_str(text);
            document.push('\n');
        }
    }
    document
}

/// Whether a literal is a text: at least two words, or one capitalized word. A value such as `{count}` is a word too,
/// but not the only one.
fn is_text(literal: &str) -> bool {
    let is_value = |word: &str| word.contains('{') && word.contains('}');
    let is_word = |word: &&str| !is_value(word) && word.chars().any(char::is_alphabetic);
    let words = literal.split_whitespace().filter(is_word).count();
    let values = literal.split_whitespace().filter(|word| is_value(word)).count();
    (words > 0 && words + values > 1) || is_capitalized(literal)
}

/// Whether a literal is one word such as "Save" or "Saved.".
fn is_capitalized(word: &str) -> bool {
    let letters = word.trim_end_matches(['.', ',', ':', '?', '!', '…']);
    let mut letters = letters.chars();
    letters.next().is_some_and(|first| first.is_ascii_uppercase())
        && letters.clone().count() > 1
        && letters.all(|letter| letter.is_ascii_lowercase() || letter == '\'')
}

/// The lines of a literal, without the space around them.
fn lines(literal: &str) -> impl Iterator<Item = String> {
    literal.lines().map(|line| line.trim().to_owned()).filter(|line| is_text(line))
}

#[test]
fn the_reviewed_file_has_every_text() {
    let texts = texts();
    assert!(texts.len() > 150, "only {} files have texts", texts.len());
    let (document, path) = (document(&texts), root().join(DOCUMENT));
    if std::env::var("HOLDFAST_WRITE_DOCS").is_ok_and(|value| value == "1") {
        fs::write(&path, &document).expect("the document can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let (now, then): (BTreeSet<&str>, BTreeSet<&str>) =
        (document.lines().collect(), written.lines().collect());
    let added = now.difference(&then).map(|line| format!("+ {line}"));
    let removed = then.difference(&now).map(|line| format!("- {line}"));
    let changes: Vec<String> = removed.chain(added).take(20).collect();
    assert!(
        document == written,
        "{DOCUMENT} is not current. Read the new texts, and write it with {WRITE_DOCUMENT}\n{}",
        changes.join("\n")
    );
}

#[test]
fn a_value_counts_as_a_word() {
    for text in ["Save", "two words", "{} shown", "{count} left", "… {…}.", "holdfast: {failure}"] {
        assert_eq!(is_text(text), text != "… {…}.", "{text}");
    }
    assert!(!is_text("key") && !is_text("{pk} {sk}") && !is_text("{a}-{b}"));
}

#[test]
fn comments_documents_and_names_have_no_banned_words() {
    let folders =
        ["benches", "docs", "infra", "src", "templates", "tests"].map(|name| files(&root().join(name)));
    let top = ["CONTRIBUTING.md", "README.md", "template.yaml"].map(|name| root().join(name));
    let (mut faults, mut read) = (BTreeSet::new(), 0);
    for path in folders.into_iter().flatten().chain(top) {
        let name =
            path.strip_prefix(root()).expect("the file is below the root").to_string_lossy().into_owned();
        if name.rsplit('.').next().is_some_and(|end| ["css", "html", "js", "md", "rs", "yaml"].contains(&end))
        {
            let source = fs::read_to_string(&path).expect("the sources can be read");
            faults.extend(prose::faults(&name, &source));
            read += 1;
        }
    }
    assert!(read > 500, "only {read} files were read");
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
}

#[test]
fn every_text_keeps_to_the_house_style() {
    let texts = texts();
    let faults: Vec<String> = texts
        .iter()
        .flat_map(|(file, texts)| texts.iter().map(move |text| (file, text)))
        .flat_map(|(file, text)| {
            style::faults(text).into_iter().map(move |fault| format!("{file}: {fault}: {text}"))
        })
        .collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
