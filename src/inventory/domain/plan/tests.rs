//! Tests of plans against a model of a stock.

use proptest::prelude::*;

use super::*;
use crate::inventory::domain::{Channel, Source};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn delivery(id: &str, kind: Kind, quantity: u64, version: Option<u64>) -> Delivery {
    let message = Message {
        message_id: id.parse().unwrap(),
        sku: "A1".parse().unwrap(),
        kind,
        quantity: quantity.try_into().unwrap(),
        occurred_at: NOW,
        reference: None,
        name: Some("Lantern".parse().unwrap()),
        version: version.map(|version| version.try_into().unwrap()),
    };
    let raw = serde_json::to_vec(&message).unwrap();
    Delivery { message, source: Source::of(Channel::Api), raw, ignored: 0 }
}

fn outcomes(plan: &Plan<'_>) -> Vec<String> {
    let render = |step: &Step<'_>| match &step.outcome {
        Outcome::Applied(movement) => format!("{}→{}", movement.before, movement.after),
        Outcome::DeadLetter(dead_letter) => dead_letter.reason.name.clone(),
        Outcome::Duplicate => "duplicate".to_owned(),
    };
    plan.steps.iter().map(render).collect()
}

#[test]
fn messages_are_applied_in_order_and_a_refusal_does_not_stop_the_rest() {
    let all = [
        delivery("1", Kind::Sale, 1, None),
        delivery("2", Kind::Return, 1, None),
        delivery("3", Kind::Receipt, 5, None),
        delivery("4", Kind::Sale, 3, None),
        delivery("5", Kind::Sale, 3, None),
        delivery("4", Kind::Sale, 3, None),
        delivery("3", Kind::Receipt, 6, None),
        delivery("6", Kind::Return, 1, None),
        delivery("7", Kind::Count, 9, Some(3)),
        delivery("8", Kind::Count, 8, Some(3)),
        delivery("9", Kind::Count, 0, None),
        delivery("10", Kind::Receipt, Units::MAX, None),
        delivery("11", Kind::Receipt, 1, None),
    ];
    let plan = plan(None, &all, &BTreeMap::new(), NOW, None);
    assert_eq!(
        outcomes(&plan),
        [
            "unknown-sku",
            "unknown-sku",
            "0→5",
            "5→2",
            "insufficient-stock",
            "duplicate",
            "conflicting-duplicate",
            "2→3",
            "3→9",
            "stale-count",
            "9→0",
            "0→1000000000",
            "too-much",
        ]
    );
    let product = plan.product.unwrap();
    assert_eq!(
        (product.stock.get(), product.version.get(), product.name.as_str()),
        (Units::MAX, 6, "Lantern")
    );
}

#[test]
fn an_earlier_message_is_recognized_by_its_fingerprint() {
    let again = [delivery("1", Kind::Receipt, 5, None), delivery("2", Kind::Receipt, 5, None)];
    let other = delivery("2", Kind::Receipt, 6, None).message.fingerprint();
    let known = BTreeMap::from([
        ("1".parse().unwrap(), again[0].message.fingerprint()),
        ("2".parse().unwrap(), other),
    ]);
    let plan = plan(None, &again, &known, NOW, None);
    assert_eq!(outcomes(&plan), ["duplicate", "conflicting-duplicate"]);
    assert_eq!(plan.product, None);
}

#[test]
fn a_count_with_a_version_requires_an_existing_product() {
    let counted = [delivery("1", Kind::Count, 5, Some(1)), delivery("2", Kind::Count, 5, None)];
    let plan = plan(None, &counted, &BTreeMap::new(), NOW, None);
    assert_eq!(outcomes(&plan), ["stale-count", "0→5"]);
}

proptest! {
    #[test]
    fn stock_and_movements_match_the_model(
        messages in prop::collection::vec((0_u32..12, 0_usize..4, 1_u64..6), 0..40),
    ) {
        let all: Vec<Delivery> = messages
            .iter()
            .map(|(id, kind, quantity)| delivery(&id.to_string(), Kind::ALL[*kind], *quantity, None))
            .collect();
        let plan = plan(None, &all, &BTreeMap::new(), NOW, None);
        let (mut stock, mut processed) = (None::<i64>, BTreeMap::new());
        for (id, kind, quantity) in &messages {
            if processed.insert(id, ()).is_some() {
                continue;
            }
            let quantity = i64::try_from(*quantity).unwrap();
            stock = match (Kind::ALL[*kind], stock) {
                (Kind::Count, _) => Some(quantity),
                (Kind::Receipt, stock) => Some(stock.unwrap_or(0) + quantity),
                (Kind::Return, stock) => stock.map(|stock| stock + quantity),
                (Kind::Sale, Some(stock)) if stock >= quantity => Some(stock - quantity),
                (Kind::Sale, stock) => stock,
            };
        }
        let product = plan.product.as_ref();
        prop_assert_eq!(product.map(|product| i64::try_from(product.stock.get()).unwrap()), stock);
        let movements: Vec<&Movement> = plan
            .steps
            .iter()
            .filter_map(|step| if let Outcome::Applied(movement) = &step.outcome { Some(movement) } else { None })
            .collect();
        let mut last = Units::default();
        for (number, movement) in (1..).zip(&movements) {
            prop_assert_eq!((movement.version.get(), movement.before), (number, last));
            last = movement.after;
        }
        prop_assert_eq!(product.map_or(0, |product| product.version.get()), movements.len() as u64);
    }
}
