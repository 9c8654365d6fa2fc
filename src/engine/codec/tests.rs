use super::*;
use proptest::prelude::*;

fn scalar() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        any::<String>().prop_map(AttributeValue::S),
        any::<i64>().prop_map(|number| AttributeValue::N(number.to_string())),
        any::<Vec<u8>>().prop_map(|bytes| AttributeValue::B(Blob::new(bytes))),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null(true)),
        proptest::collection::btree_set(any::<String>(), 1..4)
            .prop_map(|set| AttributeValue::Ss(set.into_iter().collect())),
        proptest::collection::btree_set(any::<i32>(), 1..4)
            .prop_map(|set| AttributeValue::Ns(set.into_iter().map(|number| number.to_string()).collect())),
        proptest::collection::btree_set(any::<Vec<u8>>(), 1..4)
            .prop_map(|set| AttributeValue::Bs(set.into_iter().map(Blob::new).collect())),
    ]
}

fn value() -> impl Strategy<Value = AttributeValue> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            proptest::collection::hash_map("[a-z]{1,3}", inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

pub(super) fn item() -> impl Strategy<Value = Attributes> {
    proptest::collection::hash_map("[a-z]{1,4}", value(), 0..6)
}

fn without_order(value: &AttributeValue) -> AttributeValue {
    match value {
        AttributeValue::Ns(numbers) => {
            let mut numbers = numbers.clone();
            numbers.sort_by_key(|number| number.parse::<i64>().unwrap());
            AttributeValue::Ns(numbers)
        }
        AttributeValue::L(list) => AttributeValue::L(list.iter().map(without_order).collect()),
        AttributeValue::M(map) => AttributeValue::M(ordered(map)),
        other => other.clone(),
    }
}

fn ordered(item: &Attributes) -> Attributes {
    item.iter().map(|(name, value)| (name.clone(), without_order(value))).collect()
}

proptest! {
    #[test]
    fn an_item_decodes_to_the_encoded_item(item in item()) {
        let bytes = encode_item(&item).unwrap();
        prop_assert_eq!(ItemRef(&bytes).decode().unwrap(), ordered(&item));
        for (name, value) in &item {
            let found = ItemRef(&bytes).get(name).unwrap();
            prop_assert_eq!(found.0, &encode_value(value).unwrap()[..]);
        }
        prop_assert!(ItemRef(&bytes).get("missing").is_none());
    }

    #[test]
    fn decoding_arbitrary_bytes_does_not_panic(bytes in any::<Vec<u8>>()) {
        let _ = ItemRef(&bytes).decode();
        let _ = ItemRef(&bytes).size();
        let _ = ValueRef(&bytes).decode();
        let _ = ValueRef(&bytes).is_deeper_than(3);
    }

    #[test]
    fn a_changed_byte_in_a_sealed_value_is_detected(value in any::<Vec<u8>>(), at in any::<prop::sample::Index>()) {
        let mut sealed = seal(b"key", &value);
        prop_assert_eq!(unseal(b"key", &sealed), Ok(&value[..]));
        prop_assert_eq!(unseal(b"another", &sealed), Err(Damaged));
        let at = at.index(sealed.len());
        sealed[at] ^= 0x10;
        prop_assert_eq!(unseal(b"key", &sealed), Err(Damaged));
    }
}

#[test]
fn equal_values_have_equal_bytes() {
    let set =
        |numbers: &[&str]| AttributeValue::Ns(numbers.iter().map(|number| (*number).to_owned()).collect());
    assert_eq!(encode_value(&set(&["3", "1.0", "2"])), encode_value(&set(&["1", "2", "3e0"])));
    let number = |text: &str| encode_value(&AttributeValue::N(text.to_owned()));
    assert_eq!(number("1.50"), number("15e-1"));
}

#[test]
fn values_that_dynamodb_rejects_are_rejected() {
    let text = |text: &str| text.to_owned();
    for value in [
        AttributeValue::Ss(vec![]),
        AttributeValue::Ss(vec![text("a"), text("a")]),
        AttributeValue::Ns(vec![text("1"), text("1.0")]),
        AttributeValue::Null(false),
        AttributeValue::N(text("x")),
        AttributeValue::M(HashMap::from([(String::new(), AttributeValue::Null(true))])),
    ] {
        assert!(encode_value(&value).is_err(), "{value:?}");
    }
}

#[test]
fn a_value_has_at_most_32_levels() {
    let nested =
        |levels| (1..levels).fold(AttributeValue::Null(true), |inner, _| AttributeValue::L(vec![inner]));
    assert!(encode_value(&nested(MAX_DEPTH)).is_ok());
    assert!(encode_value(&nested(MAX_DEPTH + 1)).is_err());
    let seven = encode_value(&nested(7)).unwrap();
    assert!(ValueRef(&seven).is_deeper_than(6) && !ValueRef(&seven).is_deeper_than(7));
}

#[test]
fn deeply_nested_bytes_do_not_exhaust_the_stack() {
    let nested = (0..3000).fold(vec![Kind::Null as u8], |inner, _| {
        let mut outer = vec![Kind::L as u8];
        put_bytes(&inner, &mut outer);
        outer
    });
    assert_eq!(ValueRef(&nested).decode(), Err(Damaged));
    assert!(ValueRef(&nested).is_deeper_than(MAX_DEPTH) && ValueRef(&nested).size() > 0);
}

#[test]
fn sizes_match_dynamodb() {
    let item = HashMap::from([
        ("text".to_owned(), AttributeValue::S("héllo".to_owned())),
        ("n".to_owned(), AttributeValue::N("-123.45".to_owned())),
        ("list".to_owned(), AttributeValue::L(vec![AttributeValue::Bool(true)])),
    ]);
    let bytes = encode_item(&item).unwrap();
    assert_eq!(ItemRef(&bytes).size(), (4 + 6) + (1 + 5) + (4 + 3 + 1 + 1));
}
