//! The text of the source files, for the tests that read them.

use std::fs;
use std::path::Path;

/// Returns the path and the text of each file with this extension in a folder of the project.
pub(super) fn of(folder: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), extension, &mut found);
    found
}

fn read(folder: &Path, extension: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, extension, found);
        } else if path.extension().is_some_and(|other| other == extension) {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}
