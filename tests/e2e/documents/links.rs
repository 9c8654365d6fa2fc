//! The links of all documents.

use std::collections::BTreeSet;
use std::iter::once;
use std::path::{Component, Path, PathBuf};

use super::{documents, read, root};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![embedded: every_link_leads_somewhere]
}

async fn every_link_leads_somewhere(_: TestEnvironment) {
    let mut broken = Vec::new();
    let mut links = 0;
    for file in documents() {
        for target in links_in(&read(&file)) {
            links += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let linked = match path {
                "" => PathBuf::from(&file),
                path => normalized(&Path::new(&file).parent().unwrap().join(path)),
            };
            let is_there = root().join(&linked).exists();
            let is_document = linked.extension().is_some_and(|extension| extension == "md");
            if !is_there || (is_document && !anchor.is_empty() && !anchors(&read(&linked)).contains(anchor)) {
                broken.push(format!("{file}: {target}"));
            }
        }
    }
    assert!(links > 100, "only {links} links were found");
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

/// The targets of a document's links within the repository, in Markdown's `[text](target)`.
fn links_in(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for paragraph in without_code(text) {
        for part in paragraph.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                links.push(target.to_owned());
            }
        }
    }
    links
}

/// The lines that are not in a block of code.
fn without_code(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push(line);
        }
    }
    lines
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors: BTreeSet<String> = BTreeSet::new();
    for heading in without_code(text).into_iter().filter(|line| line.starts_with('#')) {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        // A repeated heading gets a number.
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = once(anchor.clone()).chain(numbered).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

fn normalized(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts
}
