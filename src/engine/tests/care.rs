//! Backups, checks, and what a file's opening finds.

use super::data_file::problem;
use super::*;

/// Items from `s000` on, each with a text of its own.
fn fill(engine: &Engine, count: usize) {
    for place in 0..count {
        let pairs = [("pk", text("p")), ("sk", text(format!("s{place:03}"))), ("g", text("g"))];
        let more = [("name", text(format!("name{place:03}"))), ("until", number(2_000_000_000 + place))];
        let action = put_action(&[&pairs[..], &more].concat());
        let input = TransactWriteItemsInput::builder().transact_items(action).build().unwrap();
        engine.submit_transact_write_items(input, |answer| drop(answer.unwrap())).unwrap();
    }
    engine.write(|_| Ok(())).unwrap();
}

fn with_everything(engine: &Engine) {
    create(engine);
    add_index(engine, "keys", keys_only());
    add_index(engine, "whole", Projection::builder().projection_type(ProjectionType::All).build());
    let_expire(engine);
    engine.register_reader("counts").unwrap();
    fill(engine, 200);
}

/// Changes the file beside the engine.
fn damage(directory: &Directory, sql: &str) -> usize {
    rusqlite::Connection::open(directory.file()).unwrap().execute(sql, []).unwrap()
}

fn spoil(name: &str) -> String {
    format!(
        "UPDATE items SET value = CAST(replace(CAST(value AS TEXT), '{name}', 'spoiled') AS BLOB) \
         WHERE instr(value, '{name}')"
    )
}

fn check(engine: &Engine) -> CheckReport {
    let mut told = 0;
    let report = engine.check(&mut |read| {
        assert!(read >= told);
        told = read;
        true
    });
    let report = report.unwrap();
    assert!(told >= report.items + report.entries);
    report
}

#[test]
fn a_damaged_value_is_found_by_the_read_that_meets_it() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    with_everything(&engine);
    drop(engine);
    assert_eq!(damage(&directory, &spoil("name011")), 1);
    let engine = open(&directory.file());
    let key = |sk: &str| {
        GetItemInput::builder().table_name("things").key("pk", text("p")).key("sk", text(sk)).build().unwrap()
    };
    let error = engine.get_item(&key("s011")).unwrap_err();
    assert_eq!(error.code, ErrorCode::InternalServer);
    assert!(error.message.contains("damaged"), "{error}");
    assert!(engine.get_item(&key("s012")).is_ok());
}

#[test]
fn opening_a_file_looks_at_some_of_its_values() {
    for damaged in [
        spoil("name000"),
        spoil("name199"),
        "UPDATE items SET value = zeroblob(70) WHERE key IN (SELECT key FROM items ORDER BY key LIMIT 100 OFFSET 50)".to_owned(),
        "UPDATE log SET value = zeroblob(70) WHERE key = 1".to_owned(),
        "UPDATE entries SET value = zeroblob(4) WHERE key = (SELECT max(key) FROM entries)".to_owned(),
    ] {
        let directory = Directory::new();
        let engine = open(&directory.file());
        with_everything(&engine);
        drop(engine);
        drop(open(&directory.file()));
        assert!(damage(&directory, &damaged) > 0, "{damaged}");
        assert!(problem(&directory.file()).contains("damaged: restore it from a backup"), "{damaged}");
    }
}

#[test]
fn a_sound_engine_is_found_sound() {
    let directory = Directory::new();
    for engine in [open(&directory.file()), Engine::in_memory(Timestamp::now)] {
        with_everything(&engine);
        let report = check(&engine);
        let counts = (report.items, report.entries, report.rows, report.leftovers, report.damaged);
        assert_eq!(counts, (200, 600, 200, 0, 0), "{report:?}");
    }
}

#[test]
fn a_log_of_more_than_one_step_is_found_sound() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    with_everything(&engine);
    fill(&engine, 600);
    let report = check(&engine);
    assert_eq!((report.rows > 500, report.damaged), (true, 0), "{report:?}");
}

#[test]
fn a_check_tells_in_words_what_is_damaged_or_missing() {
    for (damaged, told) in [
        (spoil("name011"), "table things: the item with pk \"p\", sk \"s011\" is not what was written"),
        (
            "DELETE FROM items WHERE instr(value, 'name011')".to_owned(),
            "the entry in index keys of table things: the item with pk \"p\", sk \"s011\" has no item",
        ),
        (
            "DELETE FROM entries WHERE instr(key, 's011')".to_owned(),
            "table things: the item with pk \"p\", sk \"s011\" is missing in the order by time to live",
        ),
        (
            "UPDATE entries SET value = zeroblob(9) WHERE instr(key, 's011')".to_owned(),
            "the entry in index whole of table things: the item with pk \"p\", sk \"s011\" is not what was written",
        ),
        (
            "UPDATE log SET value = zeroblob(9) WHERE key = 12".to_owned(),
            "the stream's log: row 12 is not what was written",
        ),
        (
            "DELETE FROM log WHERE key = 12".to_owned(),
            "the stream's log: row 13 does not follow the one before it",
        ),
        (
            "UPDATE meta SET value = zeroblob(9) WHERE instr(key, 'reader/')".to_owned(),
            "reader/counts is not what was written",
        ),
    ] {
        let directory = Directory::new();
        let engine = open(&directory.file());
        with_everything(&engine);
        assert!(damage(&directory, &damaged) > 0, "{damaged}");
        let report = check(&engine);
        assert!(report.damaged > 0 && report.findings.iter().any(|finding| finding == told), "{report:#?}");
    }
}

#[test]
fn a_check_comes_to_its_end_whatever_pages_are_damaged() {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let directory = Directory::new();
    drop({
        let engine = open(&directory.file());
        with_everything(&engine);
        engine
    });
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
fn a_check_tells_at_most_twenty_findings_and_counts_them_all() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    with_everything(&engine);
    let entries = |writing: &mut Writing<'_>| {
        for place in 0..200 {
            let sk = format!("s{place:03}\0\x01");
            let key = [&[0, 1][..], b"p\0\x01", sk.as_bytes()].concat();
            writing.changes.batch.delete(storage::Space::Items, key);
        }
        Ok(())
    };
    engine.write(entries).unwrap();
    let report = check(&engine);
    assert_eq!((report.items, report.damaged, report.findings.len()), (0, 600, 20));
}

#[test]
fn writes_go_on_during_a_check_and_do_not_look_like_damage() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    with_everything(&engine);
    fill(&engine, 900);
    let mut steps = 0;
    let report = engine.check(&mut |_| {
        steps += 1;
        let sk = text(format!("s{:03}", steps * 40));
        put(&engine, item(&[("pk", text("p")), ("sk", sk), ("g", text("other"))]));
        put(&engine, item(&[("pk", text("p")), ("sk", text(format!("t{steps}"))), ("g", text("g"))]));
        acknowledge(&engine, "counts", u64::MAX).unwrap();
        engine.trim_stream(300).unwrap();
        true
    });
    let report = report.unwrap();
    assert!(steps > 8);
    assert_eq!((report.damaged, report.findings), (0, vec![]));
}

#[test]
fn a_backup_is_a_data_file_with_what_was_there() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    with_everything(&engine);
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
    put(&backup, item(&[("pk", text("p")), ("sk", text("new"))]));
    let page = backup.read_stream("things", 200 << 8, 9, &|_| true).unwrap();
    assert_eq!(page.records[0].sequence, 201 << 8, "the log goes on where it was");
}

#[test]
fn a_backup_that_cannot_be_made_says_why_and_leaves_nothing() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    with_everything(&engine);
    let nowhere = directory.0.join("nowhere/backup");
    assert!(matches!(engine.backup(&nowhere), Err(BackupError::Failed { .. })));
    assert!(matches!(engine.backup(&directory.file()), Err(BackupError::Exists(_))));
    assert!(engine.backup(Path::new("..")).is_err());
    let memory = Engine::in_memory(Timestamp::now).backup(&directory.0.join("memory"));
    assert!(matches!(memory, Err(BackupError::InMemory)));
    assert!(!directory.0.join("memory").exists());
}

#[test]
fn a_backup_does_not_wait_for_the_writer_nor_the_writer_for_it() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    with_everything(&engine);
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
