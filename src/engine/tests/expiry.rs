//! Tests of expiring items.

use super::*;

#[test]
fn expired_items_are_deleted_in_steps_and_streamed_as_service_deletions() {
    let (engine, clock) = engine();
    let now = clock.now().as_second();
    put(&engine, item("before", "a", &[("until", number(now + 5))]));
    enable_ttl(&engine);
    for n in 0..5 {
        put(&engine, item("p", n.to_string(), &[("until", number(now + 10 + n))]));
    }
    put(&engine, item("ancient", "a", &[("until", number(1))]));
    put(&engine, item("words", "a", &[("until", text("1"))]));
    assert_eq!(engine.expire(100).unwrap(), 0);
    clock.advance(13);
    assert_eq!(engine.expire(2).unwrap(), 2, "the limit applies");
    assert_eq!(engine.expire(100).unwrap(), 2);
    assert_eq!(engine.expire(100).unwrap(), 0);
    assert!(get(&engine, "before", "a").is_none() && get(&engine, "p", "2").is_none());
    assert!(get(&engine, "p", "3").is_some(), "an item expires after the second has passed");
    assert!(
        get(&engine, "ancient", "a").is_some(),
        "DynamoDB does not delete items that expired more than five years ago"
    );
    assert!(get(&engine, "words", "a").is_some());
    let page = engine.read_stream("things", 0, 100, &|_| true).unwrap();
    let removed: Vec<_> = page.records.iter().filter(|record| record.kind == ChangeKind::Remove).collect();
    assert_eq!(removed.len(), 4);
    assert!(removed.iter().all(|record| record.by_service && record.old_image.is_some()));
    assert!(
        page.records
            .iter()
            .filter(|record| record.kind == ChangeKind::Insert)
            .all(|record| !record.by_service)
    );
}

#[test]
fn one_write_expires_at_most_as_many_items_as_a_log_row_can_number() {
    let (engine, clock) = engine();
    let now = clock.now().as_second();
    enable_ttl(&engine);
    for n in 0..301 {
        put(&engine, item("p", n.to_string(), &[("until", number(now + 10))]));
    }
    clock.advance(20);
    for expired in [256, 45] {
        let before = engine.read_stream("things", 0, usize::MAX, &|_| true).unwrap().last;
        assert_eq!(engine.expire(1_000).unwrap(), expired);
        let removed = engine.read_stream("things", before, usize::MAX, &|_| true).unwrap();
        assert_eq!(removed.records.len(), expired);
        put(&engine, item("next", expired.to_string(), &[]));
        let next = engine.read_stream("things", removed.last, usize::MAX, &|_| true).unwrap();
        assert_eq!(next.records.len(), 1, "the next write has its own sequence number");
    }
}

#[test]
fn an_item_with_an_extended_expiry_time_does_not_expire() {
    let (engine, clock) = engine();
    enable_ttl(&engine);
    let now = clock.now().as_second();
    put(&engine, item("p", "a", &[("until", number(now + 1))]));
    put(&engine, item("p", "a", &[("until", number(now + 100))]));
    clock.advance(50);
    assert_eq!(engine.expire(100).unwrap(), 0);
    clock.advance(51);
    assert_eq!(engine.expire(100).unwrap(), 1);
}
