use std::ops::ControlFlow;

use jiff::Timestamp;

use super::super::storage::{Order, Range, Read as _, Space};
use super::*;

/// Creates a writer without its thread, on a new file in `directory`.
fn writer(directory: &Path) -> Writer {
    let file = Arc::new(DataFile::open(&directory.join("data.holdfast")).unwrap());
    let connection = file.writer().unwrap();
    let state = State::load(&SqliteRead(&connection)).unwrap();
    let published = Arc::new(RwLock::new(state.catalog.clone()));
    Writer::new(connection, state, Arc::new(|| Timestamp::UNIX_EPOCH), published, sync_channel(1).0, file)
}

fn directory(name: &str) -> std::path::PathBuf {
    let directory = std::env::temp_dir().join(format!("holdfast-disk-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    directory
}

fn put(key: &'static [u8]) -> Job {
    Box::new(move |context| {
        context.changes.batch.put(Space::Meta, key.to_vec(), vec![0; 8]);
        (true, Box::new(drop))
    })
}

/// Returns a group that contains a single write.
fn alone(job: Job) -> impl FnMut() -> Option<Job> {
    let mut job = Some(job);
    move || job.take()
}

fn keys(writer: &Writer) -> usize {
    let mut keys = 0;
    let count = &mut |_: &[u8], _: &[u8]| {
        keys += 1;
        ControlFlow::Continue(())
    };
    SqliteRead(&writer.connection).scan(Space::Meta, &Range::all(), Order::Forward, count).unwrap();
    keys
}

#[test]
fn nothing_is_stored_outside_a_group_transaction() {
    let directory = directory("outside");
    let mut writer = writer(&directory);
    let changes = writer.evaluate(put(b"a")).unwrap();
    assert!(matches!(writer.store(changes), Err(StorageError::Failed(_))));
    assert_eq!(keys(&writer), 0);
    writer.commit_group(&mut alone(put(b"b"))).unwrap();
    assert_eq!(keys(&writer), 1);
    drop(writer);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_full_disk_fails_the_group_and_writes_resume_when_space_is_free() {
    let directory = directory("full");
    let mut writer = writer(&directory);
    writer.run_group(&mut alone(put(b"before")));
    let limit = |writer: &Writer, pages: u32| {
        let sql = format!("PRAGMA max_page_count={pages}");
        writer.connection.query_row(&sql, [], |_| Ok(())).unwrap();
    };
    limit(&writer, 1);
    let (answered, answer) = std::sync::mpsc::channel();
    let large: Job = Box::new(move |context| {
        context.changes.log.row += 1;
        context.changes.batch.put(Space::Items, b"large".to_vec(), vec![7; 1 << 20]);
        (true, Box::new(move |stored| answered.send(stored).unwrap()))
    });
    writer.run_group(&mut alone(large));
    assert!(answer.recv().unwrap().is_err_and(|error| error.message.contains("disk is full")));
    assert_eq!((writer.state.log, keys(&writer)), (LogEnd::default(), 1));
    limit(&writer, 1_000_000);
    writer.run_group(&mut alone(put(b"after")));
    assert_eq!(keys(&writer), 2);
    drop(writer);
    std::fs::remove_dir_all(directory).unwrap();
}
