//! Items that expire.

use super::*;

#[test]
fn items_expire_in_small_steps_and_the_stream_says_that_the_service_did_it() {
    let (engine, clock) = engine();
    let now = clock.now().as_second();
    put(&engine, item(&[("pk", text("before")), ("sk", text("a")), ("until", number(now + 5))]));
    let_expire(&engine);
    for place in 0..5 {
        put(
            &engine,
            item(&[("pk", text("p")), ("sk", text(place.to_string())), ("until", number(now + 10 + place))]),
        );
    }
    put(&engine, item(&[("pk", text("ancient")), ("sk", text("a")), ("until", number(1))]));
    put(&engine, item(&[("pk", text("words")), ("sk", text("a")), ("until", text("1"))]));
    assert_eq!(engine.expire(100).unwrap(), 0);
    clock.advance(13);
    assert_eq!(engine.expire(2).unwrap(), 2, "at most so many");
    assert_eq!(engine.expire(100).unwrap(), 2);
    assert_eq!(engine.expire(100).unwrap(), 0);
    assert!(get(&engine, "before", "a").is_none() && get(&engine, "p", "2").is_none());
    assert!(get(&engine, "p", "3").is_some(), "an item expires once the second is over");
    assert!(get(&engine, "ancient", "a").is_some(), "five years later DynamoDB leaves it alone");
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
fn as_many_items_expire_in_one_write_as_a_row_of_the_log_can_number() {
    let (engine, clock) = engine();
    let now = clock.now().as_second();
    let_expire(&engine);
    for place in 0..301 {
        put(
            &engine,
            item(&[("pk", text("p")), ("sk", text(place.to_string())), ("until", number(now + 10))]),
        );
    }
    clock.advance(20);
    for expired in [256, 45] {
        let before = engine.read_stream("things", 0, usize::MAX, &|_| true).unwrap().last;
        assert_eq!(engine.expire(1_000).unwrap(), expired);
        let removed = engine.read_stream("things", before, usize::MAX, &|_| true).unwrap();
        assert_eq!(removed.records.len(), expired);
        put(&engine, item(&[("pk", text("next")), ("sk", text(expired.to_string()))]));
        let next = engine.read_stream("things", removed.last, usize::MAX, &|_| true).unwrap();
        assert_eq!(next.records.len(), 1, "what comes next has a place of its own");
    }
}

#[test]
fn an_item_whose_time_was_extended_does_not_expire() {
    let (engine, clock) = engine();
    let_expire(&engine);
    let now = clock.now().as_second();
    put(&engine, item(&[("pk", text("p")), ("sk", text("a")), ("until", number(now + 1))]));
    put(&engine, item(&[("pk", text("p")), ("sk", text("a")), ("until", number(now + 100))]));
    clock.advance(50);
    assert_eq!(engine.expire(100).unwrap(), 0);
    clock.advance(51);
    assert_eq!(engine.expire(100).unwrap(), 1);
}
