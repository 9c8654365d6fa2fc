//! The documents: their links resolve, every route, page, command, variable, parameter and alarm is in them, and what
//! they name exists.

mod links;
mod sources;
mod template;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use holdfast::base::identity::Role;
use holdfast::commands::specs::SPECS;
use holdfast::web::access::Access;

use crate::get_routes::{self, routes_of};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        embedded: every_route_of_the_api_is_documented_with_its_access,
            every_page_is_in_the_guide,
            no_template_counts_the_columns_of_a_table,
            every_role_is_explained_in_the_guide,
            every_command_of_scripts_is_documented_with_its_parameters,
            every_variable_is_documented
    ];
    cases.extend(links::all());
    cases.extend(sources::all());
    cases.extend(template::all());
    cases
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
pub fn read(file: impl AsRef<Path>) -> String {
    let path = root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The paths of all Markdown files of the repository, without what tools build or install there.
pub fn documents() -> Vec<String> {
    let (mut found, mut left) = (Vec::new(), vec![root().to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                left.push(path);
            } else if name.ends_with(".md") {
                let path = path.strip_prefix(root()).unwrap();
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(found.len() > 10, "only {found:?}");
    found
}

/// The text below a heading, to the next heading that is not below it.
pub fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, section) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let level = heading.chars().take_while(|c| *c == '#').count();
    let ends = (2..=level).filter_map(|level| section.find(&format!("\n{} ", "#".repeat(level))));
    &section[..ends.min().unwrap_or(section.len())]
}

/// The inline code of a document.
pub fn code_spans(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2)).collect()
}

/// The rows of the tables of a text, each as its cells.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
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

async fn every_command_of_scripts_is_documented_with_its_parameters(_: TestEnvironment) {
    let api = read("docs/api.md");
    let rows = rows(section(&api, "### `POST /api/automation/execute`"));
    let documented = |name: &str| rows.iter().find(|row| code_spans(row[0]) == [name]);
    for spec in &SPECS {
        let row = documented(spec.name).unwrap_or_else(|| panic!("docs/api.md has no command {}", spec.name));
        // Values such as `fulfill_order` are in parentheses.
        let parameters = row[1].split('(').map(|part| part.rsplit(')').next().unwrap_or_default());
        let named: Vec<&str> = parameters.flat_map(code_spans).collect();
        let expected: Vec<&str> = spec.parameters.iter().map(|parameter| parameter.name).collect();
        assert_eq!(named, expected, "docs/api.md: {}", spec.name);
    }
    for name in rows.iter().flat_map(|row| code_spans(row[0])) {
        let exists = name == "help" || SPECS.iter().any(|spec| spec.name == name);
        assert!(exists, "docs/api.md has the command {name}");
    }
}

async fn every_variable_is_documented(_: TestEnvironment) {
    // What tests set for themselves, and the beginning of names.
    let of_tests = ["HOLDFAST_CHILD", "HOLDFAST_TRACED", "HOLDFAST_DICTIONARY", "HOLDFAST_DICTIONARY_DATA"];
    let mut names = BTreeSet::new();
    read_sources(&root().join("src"), &mut |text| {
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

fn read_sources(folder: &Path, read: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, read);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            read(&fs::read_to_string(&path).unwrap());
        }
    }
}
