//! The data file: what it is beside, what it gives back, and what is refused.

use super::*;

/// Copies the data file and its log in another process: closing it here would drop SQLite's locks.
#[cfg(unix)]
fn copy(from: &Directory, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in ["data.holdfast", "data.holdfast-wal"] {
        assert!(std::process::Command::new("cp").arg(from.0.join(file)).arg(to).status().unwrap().success());
    }
}

/// An engine that holds an item in its log and not yet in the data file, whatever checkpoints come.
#[cfg(unix)]
fn with_a_long_log(directory: &Directory) -> (Engine, rusqlite::Connection) {
    let engine = open(&directory.file());
    create(&engine);
    let reader = rusqlite::Connection::open(directory.file()).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM items").unwrap();
    put(&engine, item(&[("pk", text("p")), ("sk", text("a")), ("x", text("x".repeat(100_000)))]));
    (engine, reader)
}

#[cfg(unix)]
#[test]
fn a_killed_process_leaves_a_log_that_is_found_also_through_a_symbolic_link() {
    let (directory, other) = (Directory::new(), Directory::new());
    let (_engine, _reader) = with_a_long_log(&directory);
    copy(&directory, &other.0.join("real"));
    std::os::unix::fs::symlink(other.0.join("real/data.holdfast"), other.file()).unwrap();
    let engine = open(&other.file());
    assert!(get(&engine, "p", "a").is_some());
}

#[cfg(unix)]
#[test]
fn a_log_without_its_data_file_is_not_thrown_away() {
    let (directory, other) = (Directory::new(), Directory::new());
    let (_engine, _reader) = with_a_long_log(&directory);
    copy(&directory, &other.0);
    let log = std::fs::read(other.0.join("data.holdfast-wal")).unwrap();
    std::fs::write(other.file(), []).unwrap();
    assert!(problem(&other.file()).contains("restore both"));
    std::fs::remove_file(other.file()).unwrap();
    assert!(problem(&other.file()).contains("restore both"));
    assert!(!other.file().exists());
    assert_eq!(std::fs::read(other.0.join("data.holdfast-wal")).unwrap(), log);
}

#[test]
fn a_file_without_a_write_ahead_log_gets_one() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    create(&engine);
    drop(engine);
    let connection = rusqlite::Connection::open(directory.file()).unwrap();
    connection.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(())).unwrap();
    drop(connection);
    drop(open(&directory.file()));
    assert_eq!(std::fs::read(directory.file()).unwrap()[18..20], [2, 2]);
}

#[test]
fn space_of_what_is_deleted_is_given_back() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    create(&engine);
    for batch in 0..80 {
        let requests = (0..25).map(|place| {
            let sk = text(format!("{batch}-{place}"));
            let put = PutRequest::builder().item("pk", text("p")).item("sk", sk);
            let put = put.item("x", text("x".repeat(10_000))).build().unwrap();
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
    assert!(free < 2000, "of {pages} pages {free} are free");
}

#[cfg(unix)]
#[test]
fn the_file_and_its_directory_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new();
    let engine = open(&directory.file());
    create(&engine);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.0), 0o700);
    for file in std::fs::read_dir(&directory.0).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_data_file_has_one_process_at_a_time() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    assert!(matches!(Engine::open(&directory.file(), Timestamp::now), Err(OpenError::InUse(_))));
    drop(engine);
    open(&directory.file());
}

/// The line that says why a file is not opened.
pub(super) fn problem(path: &Path) -> String {
    match Engine::open(path, Timestamp::now) {
        Ok(_) => panic!("the file is opened"),
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with(&*path.display().to_string()) && !line.contains('\n'), "{line}");
            line
        }
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_is_wrong() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    create(&engine);
    for place in 0..500 {
        put(
            &engine,
            item(&[("pk", text("p")), ("sk", text(place.to_string())), ("x", text("x".repeat(500)))]),
        );
    }
    drop(engine);
    let file = |name: &str| directory.0.join(name);
    let sql = |name: &str, sql: &str| {
        std::fs::copy(directory.file(), file(name)).unwrap();
        rusqlite::Connection::open(file(name)).unwrap().execute_batch(sql).unwrap();
        problem(&file(name))
    };
    assert!(sql("newer", "UPDATE header SET format = 99").contains("newer version"));
    assert!(sql("other", "PRAGMA application_id = 7").contains("not a data file of Holdfast"));
    std::fs::write(file("text"), "hello, this is a text file and no database").unwrap();
    assert!(problem(&file("text")).contains("not a data file of Holdfast"));
    let bytes = std::fs::read(directory.file()).unwrap();
    std::fs::write(file("short"), &bytes[..bytes.len() / 2]).unwrap();
    let short = problem(&file("short"));
    assert!(short.contains("truncated") || short.contains("damaged"), "{short}");
    assert!(
        sql("table", "UPDATE meta SET value = zeroblob(40) WHERE key >= x'7461626c652f'").contains("damaged")
    );
}

/// Makes a new data file one of format 1: its items have rowids and are not compressed.
fn make_format_1(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let stored: Vec<(Vec<u8>, Vec<u8>)> = {
        let mut statement = connection.prepare("SELECT key, value FROM items").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let former = "DROP TABLE items; CREATE TABLE items(key BLOB NOT NULL UNIQUE, value BLOB NOT NULL); \
                  UPDATE header SET format = 1;";
    connection.execute_batch(former).unwrap();
    for (key, value) in stored {
        let plain = codec::seal(&key, &codec::unseal_item(&key, &value).unwrap());
        connection.execute("INSERT INTO items VALUES (?1, ?2)", (key, plain)).unwrap();
    }
}

#[test]
fn a_file_of_format_1_is_read_and_written_and_becomes_one_of_format_2() {
    let directory = Directory::new();
    let long = || text("the same again ".repeat(20));
    let engine = open(&directory.file());
    create(&engine);
    for sk in ["a", "b", "c"] {
        put(&engine, item(&[("pk", text("p")), ("sk", text(sk)), ("x", long())]));
    }
    drop(engine);
    make_format_1(&directory.file());

    let engine = open(&directory.file());
    assert_eq!(get(&engine, "p", "a").unwrap()["x"], long());
    put(&engine, item(&[("pk", text("p")), ("sk", text("b")), ("x", text("new".repeat(40)))]));
    put(&engine, item(&[("pk", text("p")), ("sk", text("d")), ("x", long())]));
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
    assert!(short < 100 && long > 300, "what is written is compressed, and the rest stays as it was");
}

#[test]
fn background_writes_are_done_while_requests_write_and_also_while_they_do_not() {
    let directory = Directory::new();
    let engine = open(&directory.file());
    create(&engine);
    let background = engine.in_background();
    let (answered, answers) = std::sync::mpsc::channel();
    let submit = |engine: &Engine, sk: &'static str| {
        let action = put_action(&[("pk", text("p")), ("sk", text(sk))]);
        let input = TransactWriteItemsInput::builder().transact_items(action).build().unwrap();
        let answered = answered.clone();
        engine.submit_transact_write_items(input, move |answer| {
            answer.unwrap();
            answered.send(sk).unwrap();
        })
    };
    for _ in 0..2 {
        submit(&background, "background").unwrap();
        // Requests write without a pause until it is done.
        loop {
            submit(&engine, "request").unwrap();
            if answers.recv().unwrap() == "background" {
                break;
            }
        }
    }
    while answers.try_recv().is_ok() {}
    put(&background, item(&[("pk", text("p")), ("sk", text("alone"))]));
    assert!(get(&engine, "p", "alone").is_some());
}
