//! What a record may contain: compression, framing, invalid messages and too many bytes.

use std::collections::BTreeMap;

use holdfast::inventory::domain::Kind;
use serde_json::{Value, json};

use super::{Consumer, all_committed, dead_letters, message, stocks};
use crate::support::kafka::{Broker, Record};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        app: a_poison_message_stops_nothing_at_any_position;
        embedded: batches_with_every_compression_are_read,
            framing_around_json_is_removed_and_other_formats_are_named,
            a_record_that_is_too_large_keeps_its_beginning_length_and_hash
    ]
}

/// A message that is invalid or cannot be applied, with the reason.
fn poison(id: usize) -> (Record, &'static str) {
    let body: Value = json!({
        "schema": 1, "messageId": format!("poison{id}"), "sku": "A1", "kind": "SALE", "quantity": 1,
        "occurredAt": "2026-11-22T00:00:00Z",
    });
    let with = |field: &str, value: Value| {
        let mut body = body.clone();
        body[field] = value;
        Some(body.to_string().into_bytes())
    };
    let (value, reason) = match id % 6 {
        0 => (Some(b"{\"schema\":1,".to_vec()), "bad-json"),
        1 => (None, "bad-json"),
        2 => (with("schema", json!(2)), "wrong-schema"),
        3 => (with("sku", json!("NOBODYS")), "unknown-sku"),
        4 => (with("quantity", json!(1_000_000)), "insufficient-stock"),
        _ => (with("messageId", json!("m0-0")), "conflicting-duplicate"),
    };
    (("A1".to_owned(), value), reason)
}

async fn a_poison_message_stops_nothing_at_any_position(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(1);
    let mut sent = vec![message("open", "A1", Kind::Count, 1_000), message("m0-0", "A1", Kind::Return, 7)];
    let mut reasons = BTreeMap::new();
    // Every kind of poison at every position among five good messages.
    for round in 0..36 {
        let (poison, reason) = poison(round);
        let mut batch: Vec<Record> =
            (0..5).map(|number| message(&format!("g{round}-{number}"), "A1", Kind::Sale, 1)).collect();
        batch.insert(round / 6, poison);
        sent.extend(batch);
        *reasons.entry(reason.to_owned()).or_insert(0) += 1;
    }
    broker.send(vec![sent.clone()]);
    let consumer = Consumer::start(&workspace, &broker, "shop");
    all_committed(&broker, "shop").await;
    let progress = consumer.end().await;
    assert_eq!((progress.applied, progress.dead_letters, progress.duplicates), (182, 36, 0));
    assert_eq!(stocks(&workspace).await, BTreeMap::from([("A1".to_owned(), 1_007 - 180)]));
    let waiting = dead_letters(&workspace).await;
    let mut counts = BTreeMap::new();
    for letter in &waiting {
        *counts.entry(letter.reason.name.clone()).or_insert(0) += 1;
    }
    assert_eq!(counts, reasons);
    // Each dead letter keeps the whole record and its position.
    for letter in waiting {
        let place = usize::try_from(letter.source.offset.unwrap()).unwrap();
        let (_, raw) = workspace.app.inventory().find_dead_letter(letter.id).await.unwrap();
        assert_eq!(raw, sent[place].1.clone().unwrap_or_default(), "{place}");
    }
}

async fn batches_with_every_compression_are_read(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(1);
    let all = ["none", "gzip", "snappy", "lz4", "zstd"];
    for compression in all {
        let messages =
            (0..20).map(|number| message(&format!("{compression}-{number}"), "A1", Kind::Receipt, 1));
        broker.send_compressed(compression, messages.collect());
    }
    let consumer = Consumer::start(&workspace, &broker, "shop");
    all_committed(&broker, "shop").await;
    let progress = consumer.end().await;
    assert_eq!((progress.applied, progress.dead_letters), (100, 0));
    assert_eq!(stocks(&workspace).await["A1"], 100);
}

async fn framing_around_json_is_removed_and_other_formats_are_named(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(1);
    let json = |id: &str| {
        format!(
            r#"{{"schema":1.0,"messageId":"{id}","sku":"K3","kind":"RECEIPT","quantity":6.0,"occurredAt":"2026-01-01T00:00:00Z","traceId":"abc"}}"#
        )
        .into_bytes()
    };
    let sent = |bytes: Vec<u8>| ("K3".to_owned(), Some(bytes));
    let framed = |schema: u8, rest: &[u8]| [&[0, 0, 0, 0, schema], rest].concat();
    broker.send(vec![vec![
        sent([b"\xef\xbb\xbf", &json("bom")[..]].concat()),
        sent(framed(7, &json("framed"))),
        sent(framed(8, &[2, 72, 101])),
        ("K3".to_owned(), None),
        sent(b"\xff\xfe{\0}\0".to_vec()),
    ]]);
    let consumer = Consumer::start(&workspace, &broker, "shop");
    all_committed(&broker, "shop").await;
    let progress = consumer.end().await;
    assert_eq!((progress.applied, progress.dead_letters, progress.ignored), (2, 3, 2));
    assert_eq!(stocks(&workspace).await["K3"], 12);
    let mut words: Vec<_> =
        dead_letters(&workspace).await.into_iter().map(|one| (one.source.offset, one.reason.words)).collect();
    words.sort();
    for ((offset, words), (expected, part)) in
        words.iter().zip([(2, "Confluent's wire format with schema ID 8"), (3, "tombstone"), (4, "UTF-16")])
    {
        assert!(*offset == Some(expected) && words.contains(part), "{offset:?}: {words}");
    }
}

async fn a_record_that_is_too_large_keeps_its_beginning_length_and_hash(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(1);
    let large = [b"{\"large\":\"", "x".repeat(3_000_000).as_bytes()].concat();
    broker.send(vec![vec![("A1".to_owned(), Some(large.clone())), message("after", "A1", Kind::Count, 3)]]);
    let consumer = Consumer::start(&workspace, &broker, "shop");
    all_committed(&broker, "shop").await;
    let progress = consumer.end().await;
    assert_eq!((progress.applied, progress.dead_letters, progress.again), (1, 1, 0), "it stops nothing");
    let kept = dead_letters(&workspace).await.remove(0);
    assert_eq!((kept.bytes, kept.sha256.as_ref().map(String::len)), (3_000_010, Some(64)));
    let (_, head) = workspace.app.inventory().find_dead_letter(kept.id).await.unwrap();
    assert!(head.len() > 200_000 && large.starts_with(&head));
    let agent = workspace.agent().await;
    let retry =
        agent.post(&format!("/api/inventory/parked/{}/retry", kept.id)).json(&json!({ "version": 1 }));
    let refused: Value = retry.send().await.expect(422).json();
    assert_eq!(refused["reason"]["name"], "too-large");
}
