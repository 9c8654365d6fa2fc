//! Tests of backups, checks, and the detection of damage when a file is opened.

use super::data_file::open_error;
use super::*;

/// Puts items from `s000` on, each with a distinct text.
fn fill(engine: &Engine, count: usize) {
    for n in 0..count {
        let (name, until) = (text(format!("name{n:03}")), number(2_000_000_000 + n));
        let item = item("p", format!("s{n:03}"), &[("g", text("g")), ("name", name), ("until", until)]);
        let done = |answer: Result<_, _>| drop(answer.unwrap());
        engine.submit_transact_write_items(put_transaction(item), done).unwrap();
    }
    engine.write(|_| Ok(())).unwrap();
}

fn populate(engine: &Engine) {
    create(engine);
    add_index(engine, "keys", keys_only());
    add_index(engine, "whole", all_attributes());
    enable_ttl(engine);
    engine.register_reader("counts").unwrap();
    fill(engine, 200);
}

fn populated() -> (Directory, Engine) {
    let directory = Directory::new();
    let engine = open(&directory.file());
    populate(&engine);
    (directory, engine)
}

/// Changes the file without the engine.
fn damage(directory: &Directory, sql: &str) -> usize {
    rusqlite::Connection::open(directory.file()).unwrap().execute(sql, []).unwrap()
}

fn overwrite(name: &str) -> String {
    format!(
        "UPDATE items SET value = CAST(replace(CAST(value AS TEXT), '{name}', 'spoiled') AS BLOB) \
         WHERE instr(value, '{name}')"
    )
}

fn check(engine: &Engine) -> CheckReport {
    let mut last_progress = 0;
    let report = engine.check(&mut |read| {
        assert!(read >= last_progress);
        last_progress = read;
        true
    });
    let report = report.unwrap();
    assert!(last_progress >= report.items + report.entries);
    report
}

#[test]
fn reading_a_damaged_value_returns_an_error() {
    let (directory, engine) = populated();
    drop(engine);
    assert_eq!(damage(&directory, &overwrite("name011")), 1);
    let engine = open(&directory.file());
    let get = |sk: &str| {
        let input = GetItemInput::builder().table_name("things").set_key(Some(item("p", sk, &[])));
        engine.get_item(&input.build().unwrap())
    };
    let error = get("s011").unwrap_err();
    assert_eq!(error.code, ErrorCode::InternalServer);
    assert!(error.message.contains("damaged"), "{error}");
    assert!(get("s012").is_ok());
}

#[test]
fn opening_a_file_detects_damage_in_sampled_values() {
    for damaged in [
        overwrite("name000"),
        overwrite("name199"),
        "UPDATE items SET value = zeroblob(70) WHERE key IN (SELECT key FROM items ORDER BY key LIMIT 100 OFFSET 50)".to_owned(),
        "UPDATE log SET value = zeroblob(70) WHERE key = 1".to_owned(),
        "UPDATE entries SET value = zeroblob(4) WHERE key = (SELECT max(key) FROM entries)".to_owned(),
    ] {
        let (directory, engine) = populated();
        drop(engine);
        drop(open(&directory.file()));
        assert!(damage(&directory, &damaged) > 0, "{damaged}");
        assert!(open_error(&directory.file()).contains("damaged: restore it from a backup"), "{damaged}");
    }
}

#[test]
fn a_check_reports_no_damage_in_sound_data() {
    let directory = Directory::new();
    for engine in [open(&directory.file()), Engine::in_memory(Timestamp::now)] {
        populate(&engine);
        let report = check(&engine);
        let counts = (report.items, report.entries, report.rows, report.leftovers, report.damaged);
        assert_eq!(counts, (200, 600, 200, 0, 0), "{report:?}");
    }
}

#[test]
fn a_check_reports_no_damage_in_a_log_of_several_steps() {
    let (_directory, engine) = populated();
    fill(&engine, 600);
    let report = check(&engine);
    assert_eq!((report.rows > 500, report.damaged), (true, 0), "{report:?}");
}

#[test]
fn a_check_names_each_damaged_or_missing_value() {
    for (damaged, expected) in [
        (overwrite("name011"), "the item with pk \"p\", sk \"s011\" in table things is damaged"),
        (
            "DELETE FROM items WHERE instr(value, 'name011')".to_owned(),
            "the entry in index keys for the item with pk \"p\", sk \"s011\" in table things has no item",
        ),
        (
            "DELETE FROM entries WHERE instr(key, 's011')".to_owned(),
            "the item with pk \"p\", sk \"s011\" in table things is missing in the time-to-live index",
        ),
        (
            "UPDATE entries SET value = zeroblob(9) WHERE instr(key, 's011')".to_owned(),
            "the entry in index whole for the item with pk \"p\", sk \"s011\" in table things is damaged",
        ),
        (
            "UPDATE log SET value = zeroblob(9) WHERE key = 12".to_owned(),
            "the stream's log: row 12 is damaged",
        ),
        (
            "DELETE FROM log WHERE key = 12".to_owned(),
            "the stream's log: row 13 does not follow the previous row",
        ),
        (
            "UPDATE meta SET value = zeroblob(9) WHERE instr(key, 'reader/')".to_owned(),
            "reader/counts is damaged",
        ),
    ] {
        let (directory, engine) = populated();
        assert!(damage(&directory, &damaged) > 0, "{damaged}");
        let report = check(&engine);
        let is_named = report.findings.iter().any(|finding| finding == expected);
        assert!(report.damaged > 0 && is_named, "{report:#?}");
    }
}

#[test]
fn a_check_finishes_when_any_page_is_damaged() {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let (directory, engine) = populated();
    drop(engine);
    let pages = std::fs::metadata(directory.file()).unwrap().len() / 4096;
    for page in (5..pages).step_by(3) {
        let damaged = Directory::new();
        std::fs::create_dir_all(&damaged.0).unwrap();
        std::fs::copy(directory.file(), damaged.file()).unwrap();
        let mut file = std::fs::OpenOptions::new().write(true).open(damaged.file()).unwrap();
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xA5; 4096]).unwrap();
        drop(file);
        match Engine::open(&damaged.file(), Timestamp::now) {
            Ok(engine) => assert!(check(&engine).damaged > 0, "page {page} of {pages}"),
            Err(error) => assert!(error.to_string().contains("damaged: restore it"), "{error}"),
        }
    }
}

#[test]
fn a_check_lists_at_most_twenty_findings_and_counts_all() {
    let (_directory, engine) = populated();
    let entries = |context: &mut WriteContext<'_>| {
        for n in 0..200 {
            let sk = format!("s{n:03}\0\x01");
            let key = [&[0, 1][..], b"p\0\x01", sk.as_bytes()].concat();
            context.changes.batch.delete(storage::Space::Items, key);
        }
        Ok(())
    };
    engine.write(entries).unwrap();
    let report = check(&engine);
    assert_eq!((report.items, report.damaged, report.findings.len()), (0, 600, 20));
}

#[test]
fn writes_during_a_check_are_not_reported_as_damage() {
    let (_directory, engine) = populated();
    fill(&engine, 900);
    let mut steps = 0;
    let report = engine.check(&mut |_| {
        steps += 1;
        put(&engine, item("p", format!("s{:03}", steps * 40), &[("g", text("other"))]));
        put(&engine, item("p", format!("t{steps}"), &[("g", text("g"))]));
        acknowledge(&engine, "counts", u64::MAX).unwrap();
        engine.trim_stream(300).unwrap();
        true
    });
    let report = report.unwrap();
    assert!(steps > 8);
    assert_eq!((report.damaged, report.findings), (0, vec![]));
}

#[test]
fn a_backup_is_a_complete_data_file() {
    let (directory, engine) = populated();
    let to = directory.0.join("backup.holdfast");
    engine.backup(&to).unwrap();
    fill(&engine, 201);
    assert!(matches!(engine.backup(&to), Err(BackupError::Exists(_))), "nothing is overwritten");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let names: Vec<_> = std::fs::read_dir(&directory.0)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("backup"))
        .collect();
    assert_eq!(names, ["backup.holdfast"]);
    let backup = open(&to);
    let report = check(&backup);
    assert_eq!((report.items, report.entries, report.rows, report.damaged), (200, 600, 200, 0));
    put(&backup, item("p", "new", &[]));
    let page = backup.read_stream("things", 200 << 8, 9, &|_| true).unwrap();
    assert_eq!(page.records[0].sequence, 201 << 8, "the log continues from the snapshot");
}

#[test]
fn a_failed_backup_reports_the_reason_and_leaves_no_file() {
    let (directory, engine) = populated();
    let nowhere = directory.0.join("nowhere/backup");
    assert!(matches!(engine.backup(&nowhere), Err(BackupError::Failed { .. })));
    assert!(matches!(engine.backup(&directory.file()), Err(BackupError::Exists(_))));
    assert!(engine.backup(Path::new("..")).is_err());
    let memory = Engine::in_memory(Timestamp::now).backup(&directory.0.join("memory"));
    assert!(matches!(memory, Err(BackupError::InMemory)));
    assert!(!directory.0.join("memory").exists());
}

#[test]
fn a_backup_and_the_writer_do_not_wait_for_each_other() {
    let (directory, engine) = populated();
    let (release, released) = std::sync::mpsc::channel::<()>();
    engine.submit(|_| Ok(()), move |_| assert!(released.recv().is_err())).unwrap();
    engine.backup(&directory.0.join("one")).unwrap();
    drop(release);
    std::thread::scope(|scope| {
        let backup = scope.spawn(|| engine.backup(&directory.0.join("two")));
        fill(&engine, 100);
        backup.join().unwrap().unwrap();
    });
    assert_eq!(check(&open(&directory.0.join("two"))).damaged, 0);
}
