//! The documents: their links resolve, and every route, command, variable and alarm is in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use holdfast::base::identity::Role;
use holdfast::web::access::Access;

use crate::get_routes::{self, routes_of};
use crate::process::binary::Data;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        embedded: every_link_leads_somewhere,
            every_route_of_the_api_is_documented_with_its_access,
            every_page_is_in_the_guide,
            no_template_counts_the_columns_of_a_table,
            every_role_is_explained_in_the_guide,
            every_command_is_documented,
            every_variable_is_documented,
            every_alarm_has_an_action,
            every_source_that_a_document_names_exists
    ]
}

const FILES: [&str; 13] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "infra/README.md",
    "docs/access.md",
    "docs/api.md",
    "docs/architecture.md",
    "docs/configuration.md",
    "docs/engine.md",
    "docs/guide.md",
    "docs/operations.md",
    "docs/page-weight.md",
    "docs/raffle-proof.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: impl AsRef<Path>) -> String {
    let path = root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn every_link_leads_somewhere(_: TestEnvironment) {
    let mut broken = Vec::new();
    let mut links = 0;
    for file in FILES {
        for target in links_in(&read(file)) {
            links += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let linked = match path {
                "" => PathBuf::from(file),
                path => normalized(&Path::new(file).parent().unwrap().join(path)),
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
    let headings = without_code(text).into_iter().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
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

async fn every_route_of_the_api_is_documented_with_its_access(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let api = read("docs/api.md");
    let rows: Vec<Vec<&str>> = api.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    let access = |method: &str, path: &str| {
        let route = format!("`{method} {path}`");
        let row = rows.iter().find(|cells| cells.get(1).is_some_and(|cell| cell.contains(&route)));
        row.and_then(|cells| cells.get(3).copied())
    };
    for route in workspace.routes.iter().filter(|route| is_of_programs(route.path)) {
        let expected = match route.access {
            Access::Public | Access::Anyone => "anyone",
            Access::SignedIn => "signed in",
            Access::Viewer => "viewer",
            Access::Agent => "agent",
            Access::Administrator => "administrator",
        };
        let documented = access(route.method.as_str(), route.path);
        assert_eq!(documented, Some(expected), "{} {}", route.method, route.path);
    }
}

/// Whether a route is in `docs/api.md`.
pub fn is_of_programs(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/health")
}

async fn every_page_is_in_the_guide(_: TestEnvironment) {
    let guide = read("docs/guide.md");
    // The page behind a secret link, and another address of the page of a new import.
    let left_out = ["/sign-in/link/{secret}", "/leads/imports"];
    for route in routes_of(&get_routes::PAGES).filter(|route| !left_out.contains(route)) {
        let path = route.replace("{id}", "ID").replace("{sku}", "SKU");
        assert!(guide.contains(&format!("`{path}`")), "the guide does not name the page {path}");
    }
}

async fn no_template_counts_the_columns_of_a_table(_: TestEnvironment) {
    fn templates(folder: &Path, read: &mut impl FnMut(&Path)) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { templates(&path, read) } else { read(&path) }
        }
    }
    let mut count = 0;
    templates(&root().join("templates"), &mut |path| {
        count += 1;
        let counts = fs::read_to_string(path).unwrap().contains("colspan");
        assert!(!counts, "{}: a column may be hidden, so a row spans all by its style", path.display());
    });
    assert!(count > 50, "only {count} templates");
}

async fn every_role_is_explained_in_the_guide(_: TestEnvironment) {
    let guide = read("docs/guide.md");
    for role in Role::ALL {
        let row = format!("| {role} | {} |", role.explanation());
        assert!(guide.contains(&row), "the guide does not have the row {row}");
    }
}

async fn every_command_is_documented(_: TestEnvironment) {
    let data = Data::new();
    let help = data.holdfast(&["--help"]).succeeds().await;
    let commands = help.split("Commands:").nth(1).unwrap().lines().skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.trim().is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 10, "{help}");
    let documents = FILES.map(read).concat();
    for command in commands {
        assert!(documents.contains(&format!("holdfast {command}")), "no document has `holdfast {command}`");
    }
}

async fn every_variable_is_documented(_: TestEnvironment) {
    // What tests set for themselves, and the beginning of names.
    let of_tests = ["HOLDFAST_CHILD", "HOLDFAST_TRACED", "HOLDFAST_DICTIONARY", "HOLDFAST_DICTIONARY_DATA"];
    let mut names = BTreeSet::new();
    sources(&root().join("src"), &mut |text| {
        for (at, _) in text.match_indices("HOLDFAST_") {
            let is_of_name = |c: &char| c.is_ascii_uppercase() || *c == '_';
            let name: String = text[at..].chars().take_while(is_of_name).collect();
            if !name.ends_with('_') && !of_tests.contains(&&*name) {
                names.insert(name);
            }
        }
    });
    assert!(names.len() > 20, "{names:?}");
    let (configuration, contributing) = (read("docs/configuration.md"), read("CONTRIBUTING.md"));
    for name in names {
        let document = if name.starts_with("HOLDFAST_TESTS_") { &contributing } else { &configuration };
        assert!(document.contains(&name), "{name} is not documented");
    }
}

fn sources(folder: &Path, read: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, read);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            read(&fs::read_to_string(&path).unwrap());
        }
    }
}

async fn every_alarm_has_an_action(_: TestEnvironment) {
    let template: serde_yaml_ng::Value = serde_yaml_ng::from_str(&read("template.yaml")).unwrap();
    let operations = read("docs/operations.md");
    let mut alarms = 0;
    for (name, resource) in template["Resources"].as_mapping().unwrap() {
        if resource["Type"].as_str() == Some("AWS::CloudWatch::Alarm") {
            let name = name.as_str().unwrap();
            alarms += 1;
            assert!(operations.contains(&format!("`{name}`")), "docs/operations.md does not name {name}");
        }
    }
    assert!(alarms > 10, "only {alarms} alarms were found");
}

async fn every_source_that_a_document_names_exists(_: TestEnvironment) {
    let mut named = 0;
    for file in FILES.into_iter().filter(|file| *file != "CHANGELOG.md") {
        for path in read(file).split('`').skip(1).step_by(2).filter(|text| is_source(text)) {
            named += 1;
            assert!(root().join(path).exists(), "{file} names {path}, which does not exist");
        }
    }
    assert!(named > 20, "only {named} sources are named");
}

fn is_source(text: &str) -> bool {
    let is_path = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'));
    let starts = ["src/", "tests/", "infra/", "templates/", "docs/", "benches/", ".ci/"];
    is_path && starts.iter().any(|start| text.starts_with(start))
}
