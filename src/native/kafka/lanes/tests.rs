use proptest::prelude::*;

use super::*;
use crate::inventory::domain::Source;

fn arrival(sku: &str, offset: i64) -> Arrival {
    let bytes = serde_json::json!({
        "schema": 1, "sku": sku, "kind": "SALE", "quantity": 1, "occurredAt": "2026-11-22T00:00:00Z",
    });
    Arrival { source: Source::kafka("t", 0, offset), bytes: bytes.to_string().into_bytes() }
}

fn offsets(batch: &Batch) -> Vec<i64> {
    batch.jobs.iter().map(|job| job.offset).collect()
}

/// All of a batch came to this.
fn all(lanes: &mut Lanes, batch: Batch, finished: bool) -> Option<(i32, i64)> {
    let finished = vec![finished; batch.jobs.len()];
    lanes.done(batch, &finished)
}

fn with(skus: &[&str]) -> Lanes {
    let mut lanes = Lanes::default();
    lanes.assign(&[0]);
    for (offset, sku) in (10..).zip(skus) {
        lanes.add(0, offset, arrival(sku, offset));
    }
    lanes
}

#[test]
fn a_product_is_at_work_once_and_nothing_is_told_past_the_first_unfinished() {
    let mut lanes = with(&["A", "B", "A", "A"]);
    let a = lanes.next(8).unwrap();
    let b = lanes.next(8).unwrap();
    assert_eq!((offsets(&a), offsets(&b)), (vec![10, 12, 13], vec![11]));
    lanes.add(0, 14, arrival("A", 14));
    assert_eq!(lanes.next(8), None, "A is at work");
    assert_eq!(all(&mut lanes, b, true), None, "10 is not finished");
    assert_eq!(all(&mut lanes, a, true), Some((0, 13)));
    let rest = lanes.next(8).unwrap();
    assert_eq!(all(&mut lanes, rest, true), Some((0, 14)));
    assert_eq!((lanes.load(), lanes.is_idle()), ((0, 0), true));
}

#[test]
fn what_is_not_finished_comes_again_before_what_came_after_it() {
    let mut lanes = with(&["A", "A", "B"]);
    let (a, b) = (lanes.next(8).unwrap(), lanes.next(8).unwrap());
    lanes.add(0, 13, arrival("A", 13));
    assert_eq!(all(&mut lanes, b, true), None);
    assert_eq!(all(&mut lanes, a, false), None);
    let again = lanes.next(8).unwrap();
    assert_eq!((offsets(&again), again.failures), (vec![10, 11, 13], 1));
    assert_eq!(all(&mut lanes, again, true), Some((0, 13)));
    lanes.add(0, 14, arrival("A", 14));
    assert_eq!(lanes.next(8).unwrap().failures, 0, "a success ends the count");
}

#[test]
fn what_ends_after_a_rebalance_tells_nothing_of_the_new_assignment() {
    let mut lanes = with(&["A", "B"]);
    let (a, b) = (lanes.next(8).unwrap(), lanes.next(8).unwrap());
    lanes.revoke(&[0]);
    assert_eq!(all(&mut lanes, b, true), None, "the partition is another's");
    lanes.assign(&[0]);
    lanes.add(0, 10, arrival("A", 10));
    lanes.add(0, 11, arrival("B", 11));
    assert_eq!(offsets(&lanes.next(8).unwrap()), [11], "A is still at work, of the assignment before");
    assert_eq!(all(&mut lanes, a, true), None);
    assert_eq!(offsets(&lanes.next(8).unwrap()), [10]);
}

#[test]
fn a_flaw_is_alone_and_lanes_at_work_are_bounded() {
    let mut lanes = with(&["A", "?", "?", "A"]);
    assert_eq!(offsets(&lanes.next(3).unwrap()), [10, 13]);
    assert_eq!(offsets(&lanes.next(3).unwrap()), [11]);
    assert_eq!(offsets(&lanes.next(3).unwrap()), [12]);
    lanes.add(0, 14, arrival("B", 14));
    assert_eq!(lanes.next(3), None);
    lanes.stop();
    assert_eq!((lanes.load().0, lanes.next(8)), (4, None), "what runs is still counted");
}

#[test]
fn a_hot_product_is_handed_out_in_parts_of_a_transaction() {
    let mut lanes = with(&["A"; 70]);
    let mut sizes = Vec::new();
    while let Some(batch) = lanes.next(8) {
        sizes.push(batch.jobs.len());
        all(&mut lanes, batch, true);
    }
    assert_eq!(sizes, [30, 30, 10]);
}

proptest! {
    /// Whatever comes, fails, is taken away and given back: a product's messages are worked on in order, and what is told as
    /// finished is finished.
    #[test]
    fn nothing_is_passed(steps in proptest::collection::vec((0..6_u8, 0..4_u8), 1..200)) {
        let mut lanes = Lanes::default();
        lanes.assign(&[0]);
        let (mut next, mut running, mut told) = (0, Vec::new(), -1);
        let mut finished = BTreeSet::new();
        let mut skus = BTreeMap::new();
        for (step, what) in steps {
            match step {
                0 | 1 => {
                    let sku = format!("S{what}");
                    lanes.add(0, next, arrival(&sku, next));
                    skus.insert(next, sku);
                    next += 1;
                }
                2 => running.extend(lanes.next(3)),
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
                    if let Some((_, last)) = all(&mut lanes, batch, step == 3) {
                        prop_assert!(last > told && (0..=last).all(|offset| finished.contains(&offset)));
                        told = last;
                    }
                }
                5 if what == 0 => {
                    // Away, and back from where it was told to be.
                    lanes.revoke(&[0]);
                    lanes.assign(&[0]);
                    for offset in told + 1..next {
                        lanes.add(0, offset, arrival(&skus[&offset], offset));
                    }
                }
                _ => {}
            }
        }
    }
}
