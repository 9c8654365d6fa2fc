use proptest::prelude::*;

use super::*;
use crate::inventory::domain::Source;

fn message(sku: &str, offset: i64) -> RawMessage {
    let bytes = serde_json::json!({
        "schema": 1, "sku": sku, "kind": "SALE", "quantity": 1, "occurredAt": "2026-11-22T00:00:00Z",
    });
    RawMessage { source: Source::kafka("t", 0, offset), bytes: bytes.to_string().into_bytes() }
}

fn offsets(batch: &Batch) -> Vec<i64> {
    batch.jobs.iter().map(|job| job.offset).collect()
}

/// Completes a whole batch.
fn complete(workers: &mut Workers, batch: Batch, finished: bool) -> Option<(i32, i64)> {
    let finished = vec![finished; batch.jobs.len()];
    workers.done(batch, &finished)
}

fn with(skus: &[&str]) -> Workers {
    let mut workers = Workers::default();
    workers.assign(&[0]);
    for (offset, sku) in (10..).zip(skus) {
        workers.add(0, offset, message(sku, offset));
    }
    workers
}

#[test]
fn a_product_runs_once_and_nothing_past_the_first_unfinished_is_reported() {
    let mut workers = with(&["A", "B", "A", "A"]);
    let a = workers.next(8).unwrap();
    let b = workers.next(8).unwrap();
    assert_eq!((offsets(&a), offsets(&b)), (vec![10, 12, 13], vec![11]));
    workers.add(0, 14, message("A", 14));
    assert_eq!(workers.next(8), None, "A is running");
    assert_eq!(complete(&mut workers, b, true), None, "10 is not finished");
    assert_eq!(complete(&mut workers, a, true), Some((0, 13)));
    let rest = workers.next(8).unwrap();
    assert_eq!(complete(&mut workers, rest, true), Some((0, 14)));
    assert_eq!((workers.load(), workers.is_idle()), ((0, 0), true));
}

#[test]
fn unfinished_messages_come_again_before_later_ones() {
    let mut workers = with(&["A", "A", "B"]);
    let (a, b) = (workers.next(8).unwrap(), workers.next(8).unwrap());
    workers.add(0, 13, message("A", 13));
    assert_eq!(complete(&mut workers, b, true), None);
    assert_eq!(complete(&mut workers, a, false), None);
    let again = workers.next(8).unwrap();
    assert_eq!((offsets(&again), again.failures), (vec![10, 11, 13], 1));
    assert_eq!(complete(&mut workers, again, true), Some((0, 13)));
    workers.add(0, 14, message("A", 14));
    assert_eq!(workers.next(8).unwrap().failures, 0, "a success resets the count");
}

#[test]
fn a_batch_of_an_earlier_assignment_does_not_affect_the_new_one() {
    let mut workers = with(&["A", "B"]);
    let (a, b) = (workers.next(8).unwrap(), workers.next(8).unwrap());
    workers.revoke(&[0]);
    assert_eq!(complete(&mut workers, b, true), None, "the partition is revoked");
    workers.assign(&[0]);
    workers.add(0, 10, message("A", 10));
    workers.add(0, 11, message("B", 11));
    assert_eq!(offsets(&workers.next(8).unwrap()), [11], "A still runs for the earlier assignment");
    assert_eq!(complete(&mut workers, a, true), None);
    assert_eq!(offsets(&workers.next(8).unwrap()), [10]);
}

#[test]
fn an_invalid_message_is_alone_and_running_workers_are_bounded() {
    let mut workers = with(&["A", "?", "?", "A"]);
    assert_eq!(offsets(&workers.next(3).unwrap()), [10, 13]);
    assert_eq!(offsets(&workers.next(3).unwrap()), [11]);
    assert_eq!(offsets(&workers.next(3).unwrap()), [12]);
    workers.add(0, 14, message("B", 14));
    assert_eq!(workers.next(3), None);
    workers.stop();
    assert_eq!((workers.load().0, workers.next(8)), (4, None), "running messages still count");
}

#[test]
fn a_hot_product_is_handed_out_in_batches_of_one_transaction() {
    let mut workers = with(&["A"; 70]);
    let mut sizes = Vec::new();
    while let Some(batch) = workers.next(8) {
        sizes.push(batch.jobs.len());
        complete(&mut workers, batch, true);
    }
    assert_eq!(sizes, [30, 30, 10]);
}

proptest! {
    /// With any arrivals, failures, revocations and reassignments, the messages of a product are processed in order, and
    /// only finished messages are reported as finished.
    #[test]
    fn no_message_is_skipped(steps in proptest::collection::vec((0..6_u8, 0..4_u8), 1..200)) {
        let mut workers = Workers::default();
        workers.assign(&[0]);
        let (mut next, mut running, mut reported) = (0, Vec::new(), -1);
        let mut finished = BTreeSet::new();
        let mut skus = BTreeMap::new();
        for (step, what) in steps {
            match step {
                0 | 1 => {
                    let sku = format!("S{what}");
                    workers.add(0, next, message(&sku, next));
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
                    if let Some((_, last)) = complete(&mut workers, batch, step == 3) {
                        prop_assert!(last > reported && (0..=last).all(|offset| finished.contains(&offset)));
                        reported = last;
                    }
                }
                5 if what == 0 => {
                    // Revoked, and reassigned from the last reported offset.
                    workers.revoke(&[0]);
                    workers.assign(&[0]);
                    for offset in reported + 1..next {
                        workers.add(0, offset, message(&skus[&offset], offset));
                    }
                }
                _ => {}
            }
        }
    }
}
