//! The rooms of the library: no file is part of an import cycle, and no room imports from one above it. No file names a
//! program, because the programs are above all rooms. The files of the program `holdfast` have no cycle either.
//!
//! A room is a top-level module of the library.
//!
//! `cargo test --test architecture -- --nocapture` prints the map: each room with the rooms that it imports from.

#![allow(clippy::expect_used, clippy::panic, reason = "sources that cannot be read fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, from the lowest floor up. A room imports only from rooms before it.
const FLOORS: [&str; 22] = [
    "base",
    "engine",
    "store",
    "web",
    "shared",
    "accounts",
    "audit",
    "reservations",
    "leads",
    "orders",
    "stats",
    "imports",
    "people",
    "raffles",
    "inventory",
    "commands",
    "rules",
    "projections",
    "dashboard",
    "styleguide",
    "app",
    "hosts",
];

/// A path in the code, such as `["leads", "store"]`.
type ModulePath = Vec<String>;

/// The folder of the library.
const LIBRARY: &str = "src";

/// The folder of the program `holdfast`.
const PROGRAM: &str = "src/bin/holdfast";

/// The source files of a crate: the text of each, by its module.
struct Crate {
    files: BTreeMap<ModulePath, String>,
}

/// Each file with the files that it imports from.
type Imports = BTreeMap<String, BTreeSet<String>>;

impl Crate {
    fn read(folder: &str) -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut paths = Vec::new();
        list(&src, &mut paths);
        let files = paths.into_iter().filter_map(|path| {
            let module = module_of(path.strip_prefix(&src).ok()?)?;
            let text = fs::read_to_string(&path).ok()?;
            Some((module, without_tests_and_comments(&text)))
        });
        Self { files: files.collect() }
    }

    /// The imports between files.
    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (module, text) in &self.files {
            let entry = imports.entry(module.join("::")).or_default();
            for path in paths_in(text, module) {
                if let Some(target) = self.defining(&path, 0).filter(|target| target != module) {
                    entry.insert(target.join("::"));
                }
            }
        }
        imports
    }

    /// The module of the file that defines the item at a path. Re-exports are followed to their source.
    fn defining(&self, path: &[String], depth: usize) -> Option<ModulePath> {
        let length = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let Some(name) = rest.first().filter(|_| depth < 4) else { return Some(module.to_vec()) };
        let reexported = re_exports(&self.files[module], module).remove(name);
        match reexported {
            Some(source) => self.defining(&source, depth + 1),
            None => Some(module.to_vec()),
        }
    }
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources can be read") {
        let path = entry.expect("the sources can be read").path();
        if path.is_dir() {
            list(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The module of a file; `None` for programs inside the library's folder, the crate root, and test files.
fn module_of(path: &Path) -> Option<ModulePath> {
    let mut module: ModulePath =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    let is_left_out = module.first().is_none_or(|name| name == "bin" || name == "lib" || name == "main")
        || module.iter().any(|name| name == "tests")
        || path.ends_with("web/assets/build.rs");
    (!is_left_out).then_some(module)
}

/// The text before the unit tests, without comments.
fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = code.split("#[cfg(test)]\n#[expect").next().unwrap_or_default();
    let uncommented = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    uncommented.collect::<Vec<_>>().join("\n")
}

/// All paths of this crate that a file names, in `use` items and elsewhere.
fn paths_in(text: &str, module: &[String]) -> Vec<ModulePath> {
    let mut paths = Vec::new();
    let mut rest = String::new();
    for item in text.split(';') {
        let start =
            item.find("use ").filter(|at| item[..*at].trim_end().is_empty() || starts_item(item, *at));
        match start {
            Some(at) if item[..at].trim_end().ends_with("pub") => {
                paths.extend(reexported_from_elsewhere(&item[at + 4..], module))
            }
            Some(at) => {
                paths.extend(tree(&item[at + 4..]).into_iter().filter_map(|path| absolute(&path, module)))
            }
            None => rest.push_str(item),
        }
    }
    for start in ["crate::", "super::"] {
        for (at, _) in rest.match_indices(start) {
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            if rest[..at].ends_with(is_word) || rest[..at].ends_with("pub(in ") {
                continue;
            }
            let text: String = rest[at..].chars().take_while(|c| is_word(*c)).collect();
            let path: ModulePath =
                text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
            paths.extend(absolute(&path, module));
        }
    }
    paths
}

/// The paths that a `pub use` names outside its module. A module that re-exports its own items imports nothing.
fn reexported_from_elsewhere(text: &str, module: &[String]) -> Vec<ModulePath> {
    let of_crate = |path: &ModulePath| path.first().is_some_and(|first| first == "crate" || first == "super");
    let paths = tree(text).into_iter().filter(of_crate).filter_map(|path| absolute(&path, module));
    paths.filter(|path| !path.starts_with(module)).collect()
}

/// Whether a `use` at this position begins an item: only attributes, braces and a visibility are before it on its
/// line.
fn starts_item(item: &str, at: usize) -> bool {
    let line = item[..at].rsplit('\n').next().unwrap_or_default().trim();
    line.is_empty() || line.starts_with("pub")
}

/// The paths of a tree such as `a::{b, c::{self, d}}`.
fn tree(text: &str) -> Vec<ModulePath> {
    let text = text.trim();
    let Some((head, inner)) = text.split_once('{') else {
        let path = text.split(" as ").next().unwrap_or_default();
        return vec![path.split("::").map(|part| part.trim().to_owned()).collect()];
    };
    let head: ModulePath =
        head.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(tree).map(|path| [head.clone(), path].concat()).collect()
}

/// A path from the crate root; `None` for a path of another crate.
fn absolute(path: &[String], module: &[String]) -> Option<ModulePath> {
    let named = |parts: &[String]| {
        parts.iter().filter(|part| !matches!(part.as_str(), "self" | "*")).cloned().collect()
    };
    match path.first()?.as_str() {
        "crate" => Some(named(&path[1..])),
        "self" => Some([module, &named(&path[1..])].concat()),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let base = &module[..module.len().checked_sub(ups)?];
            Some([base, &Vec::from_iter(named(&path[ups..]))].concat())
        }
        _ => None,
    }
}

/// The re-exports of a module from its own modules, by name.
fn re_exports(text: &str, module: &[String]) -> BTreeMap<String, ModulePath> {
    let mut names = BTreeMap::new();
    for item in text.split(';') {
        let Some(at) = item.find("use ").filter(|at| item[..*at].trim_end().ends_with("pub")) else {
            continue;
        };
        for path in tree(&item[at + 4..]) {
            let path = absolute(&path, module).unwrap_or_else(|| [module, &path].concat());
            if let Some(name) = path.last() {
                names.insert(name.clone(), path.clone());
            }
        }
    }
    names
}

/// The groups of files that import each other in a cycle.
fn cycles(imports: &Imports) -> Vec<Vec<&str>> {
    let reachable: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|file| (file.as_str(), reached_from(file, imports))).collect();
    let mut groups = BTreeSet::new();
    for (file, reached) in &reachable {
        let group: Vec<&str> =
            reached.iter().copied().filter(|other| reachable[other].contains(file)).collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

fn reached_from<'a>(file: &'a str, imports: &'a Imports) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![file]);
    while let Some(file) = open.pop() {
        for next in imports.get(file).into_iter().flatten() {
            if reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
}

fn room(file: &str) -> &str {
    file.split("::").next().unwrap_or_default()
}

fn floor(room: &str) -> usize {
    FLOORS.iter().position(|known| *known == room).unwrap_or_else(|| panic!("{room} is not a known room"))
}

#[test]
fn no_file_is_part_of_an_import_cycle() {
    for (folder, fewest) in [(LIBRARY, 200), (PROGRAM, 40)] {
        let imports = Crate::read(folder).imports();
        assert!(imports.len() > fewest, "only {} files of {folder} were read", imports.len());
        let cycles = cycles(&imports);
        assert!(cycles.is_empty(), "{} cycles in {folder}:\n{:#?}", cycles.len(), cycles);
    }
}

#[test]
fn a_room_imports_only_from_rooms_below_it() {
    let imports = Crate::read(LIBRARY).imports();
    let mut map: BTreeMap<usize, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut upward = Vec::new();
    for (file, targets) in &imports {
        for target in targets.iter().filter(|target| room(target) != room(file)) {
            *map.entry(floor(room(file))).or_default().entry(room(target)).or_default() += 1;
            if floor(room(target)) >= floor(room(file)) {
                upward.push(format!("{file} -> {target}"));
            }
        }
    }
    assert!(map.len() > FLOORS.len() / 2, "imports of only {} rooms were read", map.len());
    for (floor, targets) in map.iter().rev() {
        let targets: Vec<String> = targets.iter().map(|(room, count)| format!("{room} {count}")).collect();
        println!("{:<13} -> {}", FLOORS[*floor], targets.join(", "));
    }
    assert!(upward.is_empty(), "{} imports run upwards:\n{}", upward.len(), upward.join("\n"));
}

#[test]
fn no_file_of_the_library_names_a_program() {
    let mut files = Crate::read(LIBRARY).files;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(LIBRARY).join("lib.rs");
    let root = fs::read_to_string(root).expect("the sources can be read");
    files.insert(vec!["lib".to_owned()], without_tests_and_comments(&root));
    for (module, text) in &files {
        // The programs are in `src/bin`, above all rooms: no path, no `mod` and no `include!` leads there.
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        assert!(!words.any(|word| word == "bin"), "{} names a program", module.join("::"));
    }
}

#[test]
fn imports_are_parsed_like_the_compiler_does() {
    let module: ModulePath = ["leads".to_owned(), "store".to_owned()].into();
    let text = "use super::domain::{self, Lead};\nuse crate::{base::values::Email, web};\npub use self::inner::X;\n\
                pub use {crate::shared::search::IndexWord, super::error::LeadError};\n\
                pub use crate::leads::store::inner::Y;\npub use super::store::inner::Z;\npub use serde::Serialize;\n\
                use std::fmt;\nfn f() { crate::orders::list::all(); pub(crate) }\n#[cfg(test)]\nmod tests {\nuse crate::app::App;";
    let paths = paths_in(&without_tests_and_comments(text), &module);
    let paths: Vec<String> = paths.into_iter().map(|path| path.join("::")).collect();
    let expected = [
        "leads::domain",
        "leads::domain::Lead",
        "base::values::Email",
        "web",
        "shared::search::IndexWord",
        "leads::error::LeadError",
        "orders::list::all",
    ];
    assert_eq!(paths, expected);
    let cyclic_imports = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")];
    let imports: Imports = cyclic_imports
        .iter()
        .map(|(from, to)| ((*from).to_owned(), BTreeSet::from([(*to).to_owned()])))
        .collect();
    assert_eq!(cycles(&imports), [["a", "b", "c"]]);
}
