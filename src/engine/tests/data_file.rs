//! Tests of the data file: its log, its free space, its permissions, and files that cannot be opened.

use super::*;

/// Copies the data file and its log in another process, because closing the file here would drop SQLite's
/// locks.
#[cfg(unix)]
fn copy(from: &Directory, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in ["data.holdfast", "data.holdfast-wal"] {
        assert!(std::process::Command::new("cp").arg(from.0.join(file)).arg(to).status().unwrap().success());
    }
}

/// Creates an engine whose log contains an item that no checkpoint can move to the data file.
#[cfg(unix)]
fn with_a_long_log(directory: &Directory) -> (Engine, rusqlite::Connection) {
    let engine = open(&directory.file());
    create(&engine);
    let reader = rusqlite::Connection::open(directory.file()).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM items").unwrap();
    put(&engine, item("p", "a", &[("x", text("x".repeat(100_000)))]));
    (engine, reader)
}

#[cfg(unix)]
#[test]
fn the_log_of_a_killed_process_is_found_through_a_symbolic_link() {
    let (directory, other) = (Directory::new(), Directory::new());
    let (_engine, _reader) = with_a_long_log(&directory);
    copy(&directory, &other.0.join("real"));
    std::os::unix::fs::symlink(other.0.join("real/data.holdfast"), other.file()).unwrap();
    let engine = open(&other.file());
    assert!(get(&engine, "p", "a").is_some());
}

#[cfg(unix)]
#[test]
fn a_log_without_its_data_file_is_kept() {
    let (directory, other) = (Directory::new(), Directory::new());
    let (_engine, _reader) = with_a_long_log(&directory);
    copy(&directory, &other.0);
    let log = std::fs::read(other.0.join("data.holdfast-wal")).unwrap();
    std::fs::write(other.file(), []).unwrap();
    assert!(open_error(&other.file()).contains("restore both"));
    std::fs::remove_file(other.file()).unwrap();
    assert!(open_error(&other.file()).contains("restore both"));
    assert!(!other.file().exists());
    assert_eq!(std::fs::read(other.0.join("data.holdfast-wal")).unwrap(), log);
}

#[test]
fn opening_a_file_enables_the_write_ahead_log() {
    let (directory, engine) = on_disk();
    drop(engine);
    let connection = rusqlite::Connection::open(directory.file()).unwrap();
    connection.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(())).unwrap();
    drop(connection);
    drop(open(&directory.file()));
    assert_eq!(std::fs::read(directory.file()).unwrap()[18..20], [2, 2]);
}

#[test]
fn space_of_deleted_items_is_released() {
    let (directory, engine) = on_disk();
    for batch in 0..80 {
        let requests = (0..25).map(|n| {
            let large = item("p", format!("{batch}-{n}"), &[("x", text("x".repeat(10_000)))]);
            let put = PutRequest::builder().set_item(Some(large)).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        });
        let input = BatchWriteItemInput::builder().request_items("things", requests.collect());
        engine.batch_write_item(input.build().unwrap()).unwrap();
    }
    engine.delete_table(DeleteTableInput::builder().table_name("things").build().unwrap()).unwrap();
    for _ in 0..40 {
        engine.trim_stream(100).unwrap();
    }
    drop(engine);
    let connection = rusqlite::Connection::open(directory.file()).unwrap();
    let count = |what: &str| connection.query_row(what, [], |row| row.get::<_, u32>(0)).unwrap();
    let (free, pages) = (count("PRAGMA freelist_count"), count("PRAGMA page_count"));
    assert!(free < 2000, "{free} of {pages} pages are free");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_access_the_file_and_its_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, _engine) = on_disk();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.0), 0o700);
    for file in std::fs::read_dir(&directory.0).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_data_file_cannot_be_opened_twice() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    assert!(matches!(Engine::open(&directory.file(), Timestamp::now), Err(OpenError::InUse(_))));
    drop(engine);
    open(&directory.file());
}

/// Returns the one-line error for a file that cannot be opened.
pub(super) fn open_error(path: &Path) -> String {
    match Engine::open(path, Timestamp::now) {
        Ok(_) => panic!("the file must not open"),
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with(&*path.display().to_string()) && !line.contains('\n'), "{line}");
            line
        }
    }
}

#[test]
fn an_unusable_file_is_rejected_with_its_path_and_the_reason() {
    let (directory, engine) = on_disk();
    for n in 0..500 {
        put(&engine, item("p", n.to_string(), &[("x", text("x".repeat(500)))]));
    }
    drop(engine);
    let file = |name: &str| directory.0.join(name);
    let sql = |name: &str, sql: &str| {
        std::fs::copy(directory.file(), file(name)).unwrap();
        rusqlite::Connection::open(file(name)).unwrap().execute_batch(sql).unwrap();
        open_error(&file(name))
    };
    assert!(sql("newer", "UPDATE header SET format = 99").contains("newer version"));
    assert!(sql("other", "PRAGMA application_id = 7").contains("not a Holdfast data file"));
    std::fs::write(file("text"), "hello, this is a text file and no database").unwrap();
    assert!(open_error(&file("text")).contains("not a Holdfast data file"));
    let bytes = std::fs::read(directory.file()).unwrap();
    std::fs::write(file("short"), &bytes[..bytes.len() / 2]).unwrap();
    let short = open_error(&file("short"));
    assert!(short.contains("truncated") || short.contains("damaged"), "{short}");
    let table = sql("table", "UPDATE meta SET value = zeroblob(40) WHERE key >= x'7461626c652f'");
    assert!(table.contains("damaged"));
}

/// Converts a new data file to format 1: its items have rowids and are not compressed.
fn make_format_1(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let stored: Vec<(Vec<u8>, Vec<u8>)> = {
        let mut statement = connection.prepare("SELECT key, value FROM items").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let format_1 = "DROP TABLE items; CREATE TABLE items(key BLOB NOT NULL UNIQUE, value BLOB NOT NULL); \
                  UPDATE header SET format = 1;";
    connection.execute_batch(format_1).unwrap();
    for (key, value) in stored {
        let plain = codec::seal(&key, &codec::unseal_item(&key, &value).unwrap());
        connection.execute("INSERT INTO items VALUES (?1, ?2)", (key, plain)).unwrap();
    }
}

#[test]
fn a_format_1_file_can_be_used_and_becomes_format_2() {
    let (directory, engine) = on_disk();
    let long = || text("the same again ".repeat(20));
    for sk in ["a", "b", "c"] {
        put(&engine, item("p", sk, &[("x", long())]));
    }
    drop(engine);
    make_format_1(&directory.file());

    let engine = open(&directory.file());
    assert_eq!(get(&engine, "p", "a").unwrap()["x"], long());
    put(&engine, item("p", "b", &[("x", text("new".repeat(40)))]));
    put(&engine, item("p", "d", &[("x", long())]));
    drop(engine);
    let engine = open(&directory.file());
    let stored = ["a", "b", "c", "d"].map(|sk| get(&engine, "p", sk).unwrap()["x"].clone());
    assert_eq!(stored, [long(), text("new".repeat(40)), long(), long()]);
    assert!(engine.check(&mut |_| true).unwrap().findings.is_empty());
    drop(engine);
    let connection = rusqlite::Connection::open(directory.file()).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("SELECT format FROM header"), 2);
    let [short, long] = ["min", "max"].map(|end| number(&format!("SELECT {end}(length(value)) FROM items")));
    assert!(short < 100 && long > 300, "new values are compressed, and old ones are unchanged");
}

#[test]
fn background_writes_complete_with_and_without_request_writes() {
    let (_directory, engine) = on_disk();
    let background = engine.in_background();
    let (answered, answers) = std::sync::mpsc::channel();
    let submit = |engine: &Engine, sk: &'static str| {
        let answered = answered.clone();
        engine.submit_transact_write_items(put_transaction(item("p", sk, &[])), move |answer| {
            answer.unwrap();
            answered.send(sk).unwrap();
        })
    };
    for _ in 0..2 {
        submit(&background, "background").unwrap();
        // Write requests without a pause until the background write is done.
        loop {
            submit(&engine, "request").unwrap();
            if answers.recv().unwrap() == "background" {
                break;
            }
        }
    }
    while answers.try_recv().is_ok() {}
    put(&background, item("p", "alone", &[]));
    assert!(get(&engine, "p", "alone").is_some());
}
