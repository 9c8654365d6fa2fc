//! What the embedded engine (dynoxide 3.2) leaves to us where a table has a stream: indexes on its table of records,
//! and an end to them.
//!
//! Before each write the engine asks for the stream's last number, and without an index it looks through all records for
//! it: of 30,000 writes the last thousand are some twenty times slower than the first. With one they are as fast. SQLite
//! lets another connection make it, and the engine's own statements use it from then on. DynamoDB keeps a record for 24
//! hours; the engine keeps it for ever unless [`trim`] is called.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OpenFlags, params};

/// How long DynamoDB keeps a record.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How many records go at once, so that no write waits long for its turn.
const AT_ONCE: u32 = 500;

/// The engine's own expressions, to the letter: SQLite knows an index on an expression by nothing else.
const INDEXES: &str = "
    CREATE INDEX IF NOT EXISTS holdfast_stream_by_number
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER), shard_id);
    CREATE INDEX IF NOT EXISTS holdfast_stream_by_age ON _stream_records (created_at);";

/// The newest record stays, whatever its age: the next number is counted from it, also where the clock was set back.
const DROP: &str = "
    DELETE FROM _stream_records WHERE id IN (
        SELECT id FROM _stream_records
        WHERE created_at < ?1 AND id < (SELECT MAX(id) FROM _stream_records)
        LIMIT ?2)";

/// Makes the indexes in a database that the engine has opened, by its path or `file:` address.
///
/// # Errors
/// What SQLite said.
pub fn prepare(database: &str) -> Result<(), rusqlite::Error> {
    open(database)?.execute_batch(INDEXES)
}

/// Drops records from before this moment, and says how many. Safe while the engine works on the database.
///
/// # Errors
/// What SQLite said.
pub fn trim(database: &str, before: Timestamp) -> Result<usize, rusqlite::Error> {
    let connection = open(database)?;
    let mut dropped = 0;
    loop {
        match connection.execute(DROP, params![before.as_second(), AT_ONCE])? {
            0 => return Ok(dropped),
            some => dropped += some,
        }
    }
}

/// A second connection; it waits some seconds for a turn, as the engine does.
fn open(database: &str) -> Result<Connection, rusqlite::Error> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(database, flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynoxide::Database;
    use serde_json::json;

    /// An engine with a table that has a stream; it lives in memory, where a second connection finds it by name.
    fn engine(name: &str) -> (String, Database) {
        let address = format!("file:unit-{name}-{}?mode=memory&cache=shared", std::process::id());
        let database = Database::new(&address).unwrap();
        prepare(&address).unwrap();
        let table = json!({
            "TableName": "desk",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
            "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
        });
        database.create_table(serde_json::from_value(table).unwrap()).unwrap();
        (address, database)
    }

    fn put(database: &Database, pk: usize) {
        let item = json!({ "TableName": "desk", "Item": { "pk": { "S": pk.to_string() } } });
        database.put_item(serde_json::from_value(item).unwrap()).unwrap();
    }

    fn column(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let nothing = vec![rusqlite::types::Null; statement.parameter_count()];
        let rows = statement.query_map(rusqlite::params_from_iter(nothing), |row| {
            row.get::<_, String>(row.as_ref().column_index("detail").unwrap_or(0))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn the_engines_statements_use_the_index() {
        let (address, _database) = engine("plan");
        prepare(&address).unwrap();
        let connection = open(&address).unwrap();
        // As they stand in dynoxide's storage.rs.
        for sql in [
            "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records \
             WHERE table_name = ?1",
            "SELECT event_name, keys_json, new_image, old_image, sequence_number, created_at, user_identity, \
             event_id FROM _stream_records WHERE table_name = ?1 AND shard_id = ?2 AND \
             CAST(sequence_number AS INTEGER) > ?3 ORDER BY CAST(sequence_number AS INTEGER) ASC LIMIT ?4",
        ] {
            let plan = column(&connection, &format!("EXPLAIN QUERY PLAN {sql}")).join("; ");
            assert!(plan.contains("holdfast_stream_by_number"), "{plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
        let plan = column(&connection, &format!("EXPLAIN QUERY PLAN {DROP}")).join("; ");
        assert!(plan.contains("holdfast_stream_by_age"), "{plan}");
    }

    #[test]
    fn old_records_are_dropped_and_the_newest_is_kept() {
        let (address, database) = engine("trim");
        let connection = open(&address).unwrap();
        let keys = || column(&connection, "SELECT keys_json FROM _stream_records ORDER BY id");
        // More than are dropped at once.
        (0..1_200).for_each(|pk| put(&database, pk));
        let now = Timestamp::now();
        let kept = |age: i64| now - SignedDuration::from_secs(age);
        assert_eq!(trim(&address, kept(60)).unwrap(), 0, "none is that old");

        let old = (kept(0) - KEPT_FOR).as_second() - 1;
        connection.execute("UPDATE _stream_records SET created_at = ?1 WHERE id <= 1100", [old]).unwrap();
        assert_eq!(trim(&address, now - KEPT_FOR).unwrap(), 1_100);
        assert_eq!(keys().len(), 100);
        assert_eq!(keys()[0], r#"{"pk":{"S":"1100"}}"#);

        assert_eq!(trim(&address, now + KEPT_FOR).unwrap(), 99);
        assert_eq!(keys(), [r#"{"pk":{"S":"1199"}}"#], "the newest stays");
        put(&database, 1_200);
        assert_eq!(keys().len(), 2, "the engine goes on writing");
    }
}
