//! Tests that answered writes are on disk, and that writes that cannot be stored have no effect.

use std::io::{BufRead as _, BufReader};
use std::panic::AssertUnwindSafe;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use super::*;

/// A timeout that is long enough for any expected event.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Blocks the writer in a callback until the returned sender is dropped.
fn block_writer(engine: &Engine) -> SyncSender<()> {
    let (release, released): (SyncSender<()>, Receiver<()>) = sync_channel(1);
    let (blocked_sender, blocked) = channel();
    let block = move |_| {
        let _ = blocked_sender.send(());
        let _ = released.recv();
    };
    engine.submit(|_| Ok(()), block).unwrap();
    blocked.recv_timeout(TIMEOUT).unwrap();
    release
}

/// A transaction with a token that puts one item.
fn transaction(token: &str, sk: &str, more: &[(&str, AttributeValue)]) -> TransactWriteItemsInput {
    let input = TransactWriteItemsInput::builder().client_request_token(token);
    input.transact_items(put_action(item("p", sk, more))).build().unwrap()
}

/// Runs SQL on the data file without the engine.
fn sql(directory: &Directory, sql: &str) {
    rusqlite::Connection::open(directory.file()).unwrap().execute_batch(sql).unwrap();
}

/// Faults that make a group fail: at a statement, at a statement so that SQLite rolls back by itself, and at
/// the commit.
const FAULTS: [&str; 3] = [
    "CREATE TRIGGER spoil BEFORE INSERT ON items WHEN instr(new.value, 'spoiled') BEGIN SELECT RAISE(ABORT, 'no'); END",
    "CREATE TRIGGER spoil BEFORE INSERT ON items WHEN instr(new.value, 'spoiled') BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    "CREATE TABLE parent(id INTEGER PRIMARY KEY);
     CREATE TABLE child(id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
     CREATE TRIGGER spoil BEFORE INSERT ON items WHEN instr(new.value, 'spoiled') BEGIN INSERT INTO child VALUES (1); END",
];

#[test]
fn a_group_that_cannot_be_stored_changes_nothing() {
    for fault in FAULTS {
        let (directory, engine) = on_disk();
        put(&engine, item("p", "before", &[]));
        sql(&directory, fault);
        let (sender, answers) = channel();
        let release = block_writer(&engine);
        let mut stale = transaction("stale", "stale", &[]);
        let condition =
            |put: &mut Put| put.condition_expression = Some("attribute_exists(nothing)".to_owned());
        stale.transact_items.iter_mut().flatten().flat_map(|action| &mut action.put).for_each(condition);
        let inputs =
            [transaction("good", "good", &[]), transaction("bad", "bad", &[("x", text("spoiled"))]), stale];
        for input in inputs {
            let sender = sender.clone();
            engine.submit_transact_write_items(input, move |answer| sender.send(answer).unwrap()).unwrap();
        }
        drop(release);
        let answer = || answers.recv_timeout(TIMEOUT).unwrap().unwrap_err().code;
        assert_eq!(answer(), ErrorCode::InternalServer, "the group was not synced: {fault}");
        assert_eq!(answer(), ErrorCode::InternalServer);
        assert_eq!(
            answers.recv_timeout(TIMEOUT).unwrap().unwrap_err().code,
            if fault.contains("child") { ErrorCode::InternalServer } else { ErrorCode::TransactionCanceled },
            "a rejected write gets the result of its group"
        );
        assert!(get(&engine, "p", "good").is_none() && get(&engine, "p", "bad").is_none());

        engine.transact_write_items(transaction("good", "good", &[])).unwrap();
        assert!(get(&engine, "p", "good").is_some(), "the token was not used");
        let page = engine.read_stream("things", 0, 100, &|_| true).unwrap();
        let sequences: Vec<_> = page.records.iter().map(|record| record.sequence).collect();
        assert_eq!(sequences, [1 << 8, 2 << 8], "the log has no gaps");
        drop(engine);
        let engine = open(&directory.file());
        put(&engine, item("p", "after", &[]));
        let next = engine.read_stream("things", page.last, 9, &|_| true).unwrap();
        assert_eq!(next.records[0].sequence, 3 << 8);
    }
}

#[test]
fn a_failed_table_change_leaves_the_table_as_it_is_on_disk() {
    let (directory, engine) = on_disk();
    sql(
        &directory,
        "CREATE TRIGGER spoil BEFORE UPDATE ON meta WHEN instr(new.value, 'until') BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    assert!(engine.update_time_to_live(ttl_input()).is_err());
    sql(&directory, "DROP TRIGGER spoil");
    assert_eq!(engine.catalog()["things"].ttl, None);
    put(&engine, item("p", "a", &[]));
    enable_ttl(&engine);
}

#[test]
fn a_panicking_write_does_not_affect_other_writes() {
    let directory = Directory::new();
    for engine in [open(&directory.file()), Engine::in_memory(Timestamp::now)] {
        create(&engine);
        let panicking = |context: &mut WriteContext<'_>| {
            context.changes.log.row += 7;
            context.changes.catalog = Some(Default::default());
            panic!("on purpose");
        };
        let failed = std::panic::catch_unwind(AssertUnwindSafe(|| engine.write::<()>(panicking)));
        assert!(failed.is_err() || failed.is_ok_and(|answer| answer.is_err()));
        put(&engine, item("p", "a", &[]));
        assert_eq!(engine.read_stream("things", 0, 9, &|_| true).unwrap().records[0].sequence, 1 << 8);
    }
}

#[test]
fn a_callback_that_panics_or_waits_does_not_stop_the_writer() {
    let (_directory, engine) = on_disk();
    engine.submit(|_| Ok(()), |_| panic!("on purpose")).unwrap();
    let (sender, answer) = channel();
    let waiting = engine.clone();
    let wait = move |_| {
        sender.send(waiting.register_reader("r").unwrap_err().message).unwrap();
        sender.send(waiting.build_indexes().unwrap_err().message).unwrap();
    };
    engine.submit(|_| Ok(()), wait).unwrap();
    for _ in 0..2 {
        assert!(answer.recv_timeout(TIMEOUT).unwrap().contains("callback"));
    }
    put(&engine, item("p", "a", &[]));
}

#[test]
fn the_last_handle_can_be_dropped_in_a_callback() {
    let (_directory, engine) = on_disk();
    let release = block_writer(&engine);
    let (ended, end) = channel();
    let last = engine.clone();
    let done = move |_| {
        drop(last);
        ended.send(()).unwrap();
    };
    engine.submit(|_| Ok(()), done).unwrap();
    drop(engine);
    drop(release);
    end.recv_timeout(TIMEOUT).expect("the callback must return");
}

#[test]
fn a_full_queue_throttles_and_queued_writes_complete_before_shutdown() {
    let (directory, engine) = on_disk();
    let release = block_writer(&engine);
    let done = Arc::new(AtomicU32::new(0));
    let submit = |n: u32| {
        let done = done.clone();
        let input = transaction(&n.to_string(), &n.to_string(), &[]);
        engine.submit_transact_write_items(input, move |answer| {
            answer.unwrap();
            done.fetch_add(1, Ordering::Relaxed);
        })
    };
    let error = (0..5000).find_map(|n| submit(n).err()).unwrap();
    assert_eq!(error.code, ErrorCode::Throttling);
    drop(release);
    drop(engine);
    assert_eq!(done.load(Ordering::Relaxed), 1024);
    let engine = open(&directory.file());
    assert!(get(&engine, "p", "1023").is_some() && get(&engine, "p", "1024").is_none());
}

#[test]
fn concurrent_updates_are_not_lost_and_a_failed_condition_returns_the_item() {
    let (_directory, engine) = on_disk();
    put(&engine, item("p", "a", &[("version", number(0))]));
    let increment = |engine: &Engine, from: u64| {
        let update = Update::builder()
            .table_name("things")
            .key("pk", text("p"))
            .key("sk", text("a"))
            .update_expression("SET version = :next")
            .condition_expression("version = :from")
            .expression_attribute_values(":from", number(from))
            .expression_attribute_values(":next", number(from + 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let action = TransactWriteItem::builder().update(update.build().unwrap()).build();
        let input = TransactWriteItemsInput::builder().transact_items(action);
        engine.transact_write_items(input.build().unwrap())
    };
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let engine = engine.clone();
            std::thread::spawn(move || {
                let (mut version, mut won) = (0, 0);
                while won < 25 {
                    match increment(&engine, version) {
                        Ok(_) => {
                            won += 1;
                            version += 1;
                        }
                        Err(error) => {
                            let current = error.reasons[0].item.as_ref().unwrap()["version"].as_n().unwrap();
                            version = current.parse().unwrap();
                        }
                    }
                }
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    assert_eq!(get(&engine, "p", "a").unwrap()["version"], number(200));
}

/// Creates a command that runs one of these tests in a child process on this data file.
fn child(test: &str, directory: &Directory) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("engine::tests::durability::{test}"), "--ignored", "--nocapture"]);
    command.env("HOLDFAST_CHILD", directory.file()).stdout(Stdio::piped());
    command
}

fn child_path() -> Option<PathBuf> {
    std::env::var_os("HOLDFAST_CHILD").map(PathBuf::from)
}

#[test]
#[ignore = "another_process_cannot_open_the_file_even_without_its_side_files runs it as a child process"]
fn child_opens_the_file() {
    let Some(path) = child_path() else { return };
    println!("child: {}", Engine::open(&path, Timestamp::now).err().unwrap());
}

#[test]
fn another_process_cannot_open_the_file_even_without_its_side_files() {
    let (directory, _engine) = on_disk();
    let assert_rejected = || {
        let output = child("child_opens_the_file", &directory).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("another process uses this data file"));
    };
    assert_rejected();
    // A failed attempt to open the file in this process does not release the lock.
    assert!(Engine::open(&directory.file(), Timestamp::now).is_err());
    assert_rejected();
    for file in std::fs::read_dir(&directory.0).unwrap().map(|file| file.unwrap().path()) {
        if file != directory.file() {
            std::fs::remove_file(file).unwrap();
        }
    }
    assert_rejected();
}

#[test]
#[ignore = "acknowledged_writes_survive_a_kill runs it as a child process"]
fn child_increments_counters() {
    let Some(path) = child_path() else { return };
    let engine = open(&path);
    let writers: Vec<_> = (0..4)
        .map(|writer: usize| {
            let engine = engine.clone();
            std::thread::spawn(move || {
                let first = counted(&engine, writer);
                for count in first.. {
                    engine.transact_write_items(count_up(writer, count)).unwrap();
                    println!("answered {writer} {count}");
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

/// Increments a counter and puts an item in one transaction.
fn count_up(writer: usize, count: u64) -> TransactWriteItemsInput {
    let update = Update::builder()
        .table_name("things")
        .key("pk", text("counter"))
        .key("sk", text(writer.to_string()))
        .update_expression("ADD n :one")
        .expression_attribute_values(":one", number(1))
        .build()
        .unwrap();
    let put = put_action(item("p", format!("{writer}-{count}"), &[("g", text("g"))]));
    let update = TransactWriteItem::builder().update(update).build();
    TransactWriteItemsInput::builder().transact_items(update).transact_items(put).build().unwrap()
}

fn counted(engine: &Engine, writer: usize) -> u64 {
    let counter = get(engine, "counter", &writer.to_string());
    counter.map_or(0, |counter| counter["n"].as_n().unwrap().parse().unwrap())
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    let (directory, engine) = on_disk();
    add_index(&engine, "keys", keys_only());
    drop(engine);
    for round in 1..=4 {
        let mut child = child("child_increments_counters", &directory).spawn().unwrap();
        let mut last_answers = [None; 4];
        let mut note = |line: String| {
            let words: Vec<_> = line.split(' ').collect();
            if let [.., "answered", writer, count] = words[..]
                && let (Ok(writer), Ok(count)) = (writer.parse::<usize>(), count.parse::<u64>())
            {
                last_answers[writer] = Some(count);
            }
        };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.by_ref().take(50 * round).for_each(|line| note(line.unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(&mut note);
        let engine = open(&directory.file());
        let mut items = 0;
        for (writer, last) in last_answers.into_iter().enumerate() {
            let count = counted(&engine, writer);
            assert!(last.is_none_or(|last| count > last), "{writer}: {count}, {last:?}");
            assert!(count == 0 || get(&engine, "p", &format!("{writer}-{}", count - 1)).is_some());
            assert!(get(&engine, "p", &format!("{writer}-{count}")).is_none(), "half of a transaction");
            items += count;
        }
        assert_eq!(query_index(&engine, "keys").len() as u64, items);
        let page = engine.read_stream("things", 0, usize::MAX, &|_| true).unwrap();
        assert_eq!(page.records.len() as u64, 2 * items);
    }
}

/// Writes under `strace` in a child process. After each answer it opens a file whose name appears in the
/// trace.
#[test]
#[ignore = "every_answer_follows_a_sync runs it as a child process"]
fn child_writes_and_marks_each_answer() {
    let Some(path) = std::env::var_os("HOLDFAST_TRACED").map(PathBuf::from) else { return };
    let engine = open(&path);
    create(&engine);
    for n in 0..10 {
        put(&engine, item("p", n.to_string(), &[]));
        let _ = std::fs::File::open(format!("/answered-{n}"));
    }
}

/// Reports that a test cannot run on this machine. This fails where all tests are required.
fn skip(why: &str) {
    let all_is_required = std::env::var("HOLDFAST_TESTS_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!all_is_required, "not tested: {why}");
    eprintln!("not tested: {why}");
}

#[cfg(target_os = "linux")]
#[test]
fn every_answer_follows_a_sync() {
    let directory = Directory::new();
    std::fs::create_dir_all(&directory.0).unwrap();
    let trace = directory.0.join("trace");
    let child = std::process::Command::new("strace")
        .args(["-f", "-e", "trace=openat,open,fsync,fdatasync", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "engine::tests::durability::child_writes_and_marks_each_answer",
            "--ignored",
            "--test-threads=1",
        ])
        .env("HOLDFAST_TRACED", directory.file())
        .output();
    let Ok(child) = child else { return skip("strace is missing") };
    let trace = std::fs::read_to_string(trace).unwrap_or_default();
    if trace.is_empty() {
        return skip(&format!("strace traces nothing: {}", String::from_utf8_lossy(&child.stderr)));
    }
    let mut synced = false;
    let mut answers = 0;
    for line in trace.lines() {
        if line.contains("fsync") || line.contains("fdatasync") {
            synced |= line.contains("= 0");
        } else if line.contains("/answered-") {
            assert!(synced, "answer {answers} follows no sync\n{trace}");
            (synced, answers) = (false, answers + 1);
        }
    }
    assert_eq!(answers, 10, "{}", String::from_utf8_lossy(&child.stdout));
    // The build tells SQLite to use fdatasync (`.cargo/config.toml`). An fsync waits for the file system's journal too.
    assert!(trace.matches("fdatasync(").count() >= answers, "{trace}");
}
