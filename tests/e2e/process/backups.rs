//! Backups: consistent, complete or refused, and independent once they are restored.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::binary::{Data, Run};
use crate::support::process::target;
use crate::support::workspace::{create, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: a_backup_beside_the_server_is_restored_as_an_independent_workspace,
            a_backup_works_without_a_server,
            concurrent_backups_and_backups_from_another_folder_are_complete,
            an_invalid_backup_is_refused_and_leaves_no_files,
            existing_files_and_data_are_never_overwritten,
            the_check_finds_and_names_damage
    ]
}

/// A name for a backup file, which is removed when its case ends.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        let random = getrandom::u64().expect("the system gives random numbers");
        Self(target().join("tmp").join(format!("backup-{random:016x}")))
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn a_backup_beside_the_server_is_restored_as_an_independent_workspace(_: TestEnvironment) {
    let (data, file) = (Data::new(), File::new());
    let server = data.serve().await;
    let person = server.administrator().await;
    let token = server.token(&person).await;
    let before = create(&person, &new_lead("Before", "before@example.com")).await;
    let output = data.holdfast(&["backup", file.name()]).succeeds().await;
    assert!(output.starts_with(&format!("Wrote {}", file.name())), "{output}");
    let after = create(&person, &new_lead("After", "after@example.com")).await;
    assert_eq!(read(&person, &after).await, after, "the server continues");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let names: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("copy")), "{names:?}");

    let other = Data::new();
    let output = other.holdfast(&["restore", file.name()]).succeeds().await;
    assert!(output.starts_with("Restored ") && output.contains("sign"), "{output}");
    let restored = other.serve().await;
    let program = restored.program(&token);
    let page: Value = program.get("/api/leads").send().await.expect(200).json();
    assert_eq!(page["items"], serde_json::json!([before]), "as it was at the time of the backup");
    restored.person(&server.session(&person)).get("/api/me").send().await.expect(401);
    // It is independent of the original.
    create(&program, &new_lead("Only there", "there@example.com")).await;
    let page: Value = person.get("/api/leads").send().await.expect(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
}

async fn a_backup_works_without_a_server(_: TestEnvironment) {
    let (data, file, other) = (Data::new(), File::new(), Data::new());
    let server = data.serve().await;
    create(&server.administrator().await, &new_lead("Ann", "ann@example.com")).await;
    server.stop().await;
    data.holdfast(&["backup", file.name()]).succeeds().await;
    other.holdfast(&["restore", file.name()]).succeeds().await;
    let checked = other.holdfast(&["check"]).succeeds().await;
    assert!(checked.contains("all are sound"), "{checked}");
}

async fn concurrent_backups_and_backups_from_another_folder_are_complete(_: TestEnvironment) {
    let (data, files) = (Data::new(), [File::new(), File::new()]);
    let server = data.serve().await;
    let lead = create(&server.administrator().await, &new_lead("Ann", "ann@example.com")).await;
    // The server runs in another folder, where these relative paths would mean other files.
    let within = |file: &File| {
        let mut command = Command::new("sh");
        let words = r#"cd "$1" && exec "$2" backup "$3" --data-dir "$4""#;
        command
            .args(["-c", words, "sh"])
            .arg(data.path().parent().unwrap())
            .arg(env!("CARGO_BIN_EXE_holdfast"));
        command.arg(file.0.file_name().unwrap()).arg(data.path().file_name().unwrap());
        Run::start(command, "")
    };
    let runs: Vec<_> = files.iter().map(within).collect();
    for run in &runs {
        run.succeeds().await;
    }
    for file in &files {
        let other = Data::new();
        other.holdfast(&["restore", file.name()]).succeeds().await;
        let restored = other.serve().await;
        let page: Value = restored.administrator().await.get("/api/leads").send().await.expect(200).json();
        assert_eq!(page["items"], serde_json::json!([lead]));
    }
    // The next start removes the partial files of a killed process.
    server.run.signal("KILL");
    server.run.ended().await;
    let stale = data.path().join(".holdfast-copy-019f0000-0000-7000-8000-000000000000");
    let mine = data.path().join("holdfast.backup-of-mine");
    for file in [&stale, &mine] {
        fs::write(file, "half of it").unwrap();
    }
    data.serve().await;
    assert!(!stale.exists() && mine.exists());
}

/// Flips a bit in an item's last byte, without the engine.
fn spoil_item(path: &Path, key: &str) {
    let file = rusqlite::Connection::open(path).unwrap();
    let find = "SELECT key, value FROM items WHERE instr(key, CAST(?1 AS BLOB)) LIMIT 1";
    let found = file.query_row(find, [key], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)));
    let (row, mut value) = found.unwrap();
    *value.last_mut().unwrap() ^= 1;
    file.execute("UPDATE items SET value = ?1 WHERE key = ?2", rusqlite::params![value, row]).unwrap();
}

/// Damages a file.
type Damage = fn(&Path);

async fn an_invalid_backup_is_refused_and_leaves_no_files(_: TestEnvironment) {
    let (data, file) = (Data::new(), File::new());
    let server = data.serve().await;
    create(&server.administrator().await, &new_lead("Zebulon", "zebulon@example.com")).await;
    server.stop().await;
    data.holdfast(&["backup", file.name()]).succeeds().await;
    let whole = fs::read(&file.0).unwrap();
    let changes: [(&str, Damage); 4] = [
        ("damaged", |file| spoil_item(file, "LEAD#")),
        ("damaged", |file| fs::File::options().write(true).open(file).unwrap().set_len(16_384).unwrap()),
        ("not a Holdfast data file", |file| fs::write(file, "Name,Email\nAnn,ann@example.com\n").unwrap()),
        ("", |file| fs::write(file, "").unwrap()),
    ];
    for (words, change) in changes {
        fs::write(&file.0, &whole).unwrap();
        change(&file.0);
        let other = Data::new();
        let output = other.holdfast(&["restore", file.name()]).fails(1).await;
        assert!(output.contains(words) && output.contains(file.name()), "{words}: {output}");
        assert_eq!(output.lines().count(), 1, "{output}");
        let left: Vec<_> =
            fs::read_dir(other.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["holdfast.lock"], "{words}");
        other.serve().await;
    }
}

async fn existing_files_and_data_are_never_overwritten(_: TestEnvironment) {
    let (data, file) = (Data::new(), File::new());
    let server = data.serve().await;
    fs::write(&file.0, "mine").unwrap();
    let output = data.holdfast(&["backup", file.name()]).fails(1).await;
    assert!(output.contains(file.name()) && output.contains("exists"), "{output}");
    assert_eq!(fs::read_to_string(&file.0).unwrap(), "mine");
    fs::remove_file(&file.0).unwrap();
    data.holdfast(&["backup", file.name()]).succeeds().await;
    let beside = data.holdfast(&["restore", file.name()]).fails(1).await;
    assert!(beside.contains("in use"), "{beside}");
    server.stop().await;
    let output = data.holdfast(&["restore", file.name()]).fails(1).await;
    assert!(output.contains("already has data") && output.contains("--data-dir"), "{output}");
    data.serve().await;
}

async fn the_check_finds_and_names_damage(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let person = server.administrator().await;
    let mut middle = Value::Null;
    for number in 0..40 {
        let lead =
            create(&person, &new_lead(&format!("Person {number}"), &format!("p{number}@example.com"))).await;
        if number == 20 {
            middle = lead;
        }
    }
    let sound = data.holdfast(&["check"]).succeeds().await;
    assert!(sound.contains("all are sound"), "{sound}");
    server.stop().await;
    let left: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().ends_with("-wal")),
        "the file was closed: {left:?}"
    );
    let id = middle["id"].as_str().unwrap();
    spoil_item(&data.path().join("holdfast.store"), &format!("LEAD#{id}"));
    let run = data.holdfast(&["check"]);
    let output = run.fails(1).await;
    assert!(output.contains("damaged") && output.contains("backup"), "{output}");
    // The start checks only some values: it may find the damage itself, and otherwise the check names the lead.
    let found = run.out();
    assert!(found.is_empty() || found.contains(id), "{found}");
}
