use proptest::prelude::*;

use super::*;
use crate::inventory::domain::Source;

fn arrival(sku: &str, offset: i64) -> RawMessage {
    let bytes = serde_json::json!({
        "schema": 1, "sku": sku, "kind": "SALE", "quantity": 1, "occurredAt": "2026-11-22T00:00:00Z",
    });
    RawMessage { source: Source::kafka("t", 0, offset), bytes: bytes.to_string().into_bytes() }
}

fn offsets(batch: &Batch) -> Vec<i64> {
    batch.jobs.iter().map(|job| job.offset).collect()
}

/// All of a batch came to this.
fn all(workers: &mut Workers, batch: Batch, finished: bool) -> Option<(i32, i64)> {
    let finished = vec![finished; batch.jobs.len()];
    workers.done(batch, &finished)
}

fn with(skus: &[&str]) -> Workers {
    let mut workers = Workers::default();
    workers.assign(&[0]);
    for (offset, sku) in (10..).zip(skus) {
        workers.add(0, offset, arrival(sku, offset));
    }
    workers
}

#[test]
fn a_product_is_at_work_once_and_nothing_is_told_past_the_first_unfinished() {
    let mut workers = with(&["A", "B", "A", "A"]);
    let a = workers.next(8).unwrap();
    let b = workers.next(8).unwrap();
    assert_eq!((offsets(&a), offsets(&b)), (vec![10, 12, 13], vec![11]));
    workers.add(0, 14, arrival("A", 14));
    assert_eq!(workers.next(8), None, "A is at work");
    assert_eq!(all(&mut workers, b, true), None, "10 is not finished");
    assert_eq!(all(&mut workers, a, true), Some((0, 13)));
    let rest = workers.next(8).unwrap();
    assert_eq!(all(&mut workers, rest, true), Some((0, 14)));
    assert_eq!((workers.load(), workers.is_idle()), ((0, 0), true));
}

#[test]
fn what_is_not_finished_comes_again_before_what_came_after_it() {
    let mut workers = with(&["A", "A", "B"]);
    let (a, b) = (workers.next(8).unwrap(), workers.next(8).unwrap());
    workers.add(0, 13, arrival("A", 13));
    assert_eq!(all(&mut workers, b, true), None);
    assert_eq!(all(&mut workers, a, false), None);
    let again = workers.next(8).unwrap();
    assert_eq!((offsets(&again), again.failures), (vec![10, 11, 13], 1));
    assert_eq!(all(&mut workers, again, true), Some((0, 13)));
    workers.add(0, 14, arrival("A", 14));
    assert_eq!(workers.next(8).unwrap().failures, 0, "a success ends the count");
}

#[test]
fn what_ends_after_a_rebalance_tells_nothing_of_the_new_assignment() {
    let mut workers = with(&["A", "B"]);
    let (a, b) = (workers.next(8).unwrap(), workers.next(8).unwrap());
    workers.revoke(&[0]);
    assert_eq!(all(&mut workers, b, true), None, "the partition is another's");
    workers.assign(&[0]);
    workers.add(0, 10, arrival("A", 10));
    workers.add(0, 11, arrival("B", 11));
    assert_eq!(offsets(&workers.next(8).unwrap()), [11], "A is still at work, of the assignment before");
    assert_eq!(all(&mut workers, a, true), None);
    assert_eq!(offsets(&workers.next(8).unwrap()), [10]);
}

#[test]
fn a_flaw_is_alone_and_lanes_at_work_are_bounded() {
    let mut workers = with(&["A", "?", "?", "A"]);
    assert_eq!(offsets(&workers.next(3).unwrap()), [10, 13]);
    assert_eq!(offsets(&workers.next(3).unwrap()), [11]);
    assert_eq!(offsets(&workers.next(3).unwrap()), [12]);
    workers.add(0, 14, arrival("B", 14));
    assert_eq!(workers.next(3), None);
    workers.stop();
    assert_eq!((workers.load().0, workers.next(8)), (4, None), "what runs is still counted");
}

#[test]
fn a_hot_product_is_handed_out_in_parts_of_a_transaction() {
    let mut workers = with(&["A"; 70]);
    let mut sizes = Vec::new();
    while let Some(batch) = workers.next(8) {
        sizes.push(batch.jobs.len());
        all(&mut workers, batch, true);
    }
    assert_eq!(sizes, [30, 30, 10]);
}

proptest! {
    /// Whatever comes, fails, is taken away and given back: a product's messages are worked on in order, and what is told as
    /// finished is finished.
    #[test]
    fn nothing_is_passed(steps in proptest::collection::vec((0..6_u8, 0..4_u8), 1..200)) {
        let mut workers = Workers::default();
        workers.assign(&[0]);
        let (mut next, mut running, mut told) = (0, Vec::new(), -1);
        let mut finished = BTreeSet::new();
        let mut skus = BTreeMap::new();
        for (step, what) in steps {
            match step {
                0 | 1 => {
                    let sku = format!("S{what}");
                    workers.add(0, next, arrival(&sku, next));
                    skus.insert(next, sku);
                    next += 1;
                }
                2 => running.extend(workers.next(3)),
                3 | 4 if !running.is_empty() => {
                    let batch: Batch = running.remove(usize::from(what) % running.len());
                    let ends = offsets(&batch);
                    if step == 3 {
                        for end in &ends {
                            let before = skus.range(..end).filter(|(_, sku)| *sku == &skus[end]);
                            prop_assert!(before.clone().all(|(offset, _)| finished.contains(offset)));
                            finished.insert(*end);
                        }
                    }
                    if let Some((_, last)) = all(&mut workers, batch, step == 3) {
                        prop_assert!(last > told && (0..=last).all(|offset| finished.contains(&offset)));
                        told = last;
                    }
                }
                5 if what == 0 => {
                    // Away, and back from where it was told to be.
                    workers.revoke(&[0]);
                    workers.assign(&[0]);
                    for offset in told + 1..next {
                        workers.add(0, offset, arrival(&skus[&offset], offset));
                    }
                }
                _ => {}
            }
        }
    }
}
