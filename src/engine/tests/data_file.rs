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
