//! Tests of expressions on a small item.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue as Value;

use super::super::codec::{Attributes, ItemRef, encode_item};
use super::*;

fn text(text: &str) -> Value {
    Value::S(text.to_owned())
}

fn number(number: &str) -> Value {
    Value::N(number.to_owned())
}

fn item() -> Attributes {
    let inner =
        HashMap::from([("k".to_owned(), number("1")), ("deep".to_owned(), Value::L(vec![text("x")]))]);
    [
        ("pk", text("a")),
        ("s", text("héllo")),
        ("n", number("5")),
        ("l", Value::L(vec![number("1"), text("x")])),
        ("m", Value::M(inner)),
        ("ss", Value::Ss(vec!["a".to_owned(), "b".to_owned()])),
        ("ns", Value::Ns(vec!["1".to_owned(), "2".to_owned()])),
        ("b", Value::Bool(true)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn values(pairs: &[(&str, Value)]) -> Option<HashMap<String, Value>> {
    let values: HashMap<_, _> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    (!values.is_empty()).then_some(values)
}

/// Parses an expression with these values, all of which it must use.
fn parse<T>(
    pairs: &[(&str, Value)],
    parse: impl FnOnce(&mut References<'_>) -> Result<T, EngineError>,
) -> Result<T, String> {
    let values = values(pairs);
    let parsed = References::new(None, values.as_ref()).and_then(|mut references| {
        let parsed = parse(&mut references)?;
        references.finish().map(|()| parsed)
    });
    parsed.map_err(|error| error.message)
}

fn evaluate(condition: &str, pairs: &[(&str, Value)]) -> Result<bool, String> {
    let condition = parse(pairs, |references| parse_condition("ConditionExpression", condition, references))?;
    Ok(is_satisfied(&condition, ItemRef(&encode_item(&item()).unwrap())))
}

fn update(expression: &str, pairs: &[(&str, Value)]) -> Result<Attributes, String> {
    let update = parse(pairs, |references| parse_update(expression, references))?;
    let after = apply(&update, ItemRef(&encode_item(&item()).unwrap())).map_err(|error| error.to_string())?;
    Ok(ItemRef(&after).decode().unwrap())
}

#[test]
fn conditions_match_dynamodb() {
    let five = [(":v", number("5.0"))];
    for (condition, pairs, expected) in [
        ("n = :v", &five[..], true),
        ("n <> :v", &five, false),
        ("nope <> :v", &five, true),
        ("nope = :v", &five, false),
        ("nope1 <> nope2", &[], true),
        ("nope1 = nope2", &[], false),
        ("s <> :v", &five, true),
        ("s < :v", &five, false),
        ("n >= :v AND NOT n > :v", &five, true),
        ("size(s) = :v", &five, true),
        ("size(n) = :v", &five, false),
        ("(n) = :v", &five, true),
        ("(n = :v) and (n = :v)", &five, true),
        ("NOT n = :v OR n = :v", &five, true),
        ("n BETWEEN :v AND :v", &five, true),
        ("n in (s, :v)", &five, true),
        ("m.k = :w", &[(":w", number("1"))], true),
        ("m.deep[0] = :w", &[(":w", text("x"))], true),
        ("l[9] <> :w", &[(":w", text("x"))], true),
        ("s.k = :w", &[(":w", text("x"))], false),
        ("attribute_exists(l[1]) AND attribute_not_exists(s.k)", &[], true),
        ("attribute_type(b, :w)", &[(":w", text("BOOL"))], true),
        ("begins_with(s, :w)", &[(":w", text("hé"))], true),
        ("begins_with(n, :w)", &[(":w", text("5"))], false),
        ("contains(s, :w)", &[(":w", text("éll"))], true),
        ("contains(ss, :w)", &[(":w", text("b"))], true),
        ("contains(ns, :w)", &[(":w", number("2.0"))], true),
        ("contains(l, :w)", &[(":w", number("1"))], true),
        ("contains(:w, s)", &[(":w", text("oh héllo"))], true),
    ] {
        assert_eq!(evaluate(condition, pairs), Ok(expected), "{condition}");
    }
}

#[test]
fn evaluation_time_is_linear_in_the_length_of_values() {
    let half = 100_000;
    let (text, part) = ("a".repeat(2 * half), "a".repeat(half) + "b");
    let blob = |text: &str| Value::B(aws_sdk_dynamodb::primitives::Blob::new(text));
    for (value, part) in [(Value::S(text.clone()), Value::S(part.clone())), (blob(&text), blob(&part))] {
        assert_eq!(
            evaluate("contains(:a, s) OR contains(:a, :b)", &[(":a", value), (":b", part)]),
            Ok(false)
        );
    }
    let set = |from: usize| Value::Ns((from..from + half).map(|number| number.to_string()).collect());
    let numbers = Attributes::from([("ns".to_owned(), set(0))]);
    let values = values(&[(":v", set(half - 1))]);
    let mut references = References::new(None, values.as_ref()).unwrap();
    let update = parse_update("DELETE ns :v", &mut references).unwrap();
    let after = apply(&update, ItemRef(&encode_item(&numbers).unwrap())).unwrap();
    assert_eq!(ItemRef(&after).decode().unwrap()["ns"].as_ns().unwrap().len(), half - 1);
}

#[test]
fn invalid_conditions_are_rejected_with_dynamodb_messages() {
    let five = [(":v", number("5"))];
    for (condition, pairs, message) in [
        ("", &[][..], "The expression can not be empty"),
        ("n = :v AND", &five, "Syntax error; token: \"<EOF>\", near: \"AND\""),
        ("n = = :v", &five, "Syntax error; token: \"=\", near: \"= = :v\""),
        ("n", &[], "Syntax error; token: \"<EOF>\", near: \"n\""),
        ("_a = :v", &five, "Syntax error; token: \"_\", near: \"_a\""),
        ("status = :v", &five, "reserved keyword: status"),
        ("#x = :v", &five, "attribute name: #x"),
        ("n = :q", &[], "attribute value: :q"),
        ("n = n", &[], "The first operand must be distinct"),
        ("((n = :v))", &five, "redundant parentheses"),
        ("n < :v", &[(":v", Value::Bool(true))], "operator or function: <, operand type: BOOL"),
        ("begins_with(s, :v)", &five, "operator or function: begins_with, operand type: N"),
        ("attribute_exists(:v)", &five, "requires a document path"),
        ("attribute_exists(n, n)", &[], "number of operands: 2"),
        ("foo(n)", &[], "Invalid function name; function: foo"),
        ("n BETWEEN :v AND :w", &[(":v", number("5")), (":w", number("1"))], "upper bound"),
        ("n = :v", &[(":v", number("5")), (":u", number("1"))], "unused in expressions: keys: {:u}"),
    ] {
        let error = evaluate(condition, pairs).expect_err(condition);
        assert!(error.contains(message), "{condition}: {error}");
    }
}

#[test]
fn deep_nesting_is_rejected_without_exhausting_the_stack() {
    for text in ["NOT ".repeat(1000), "(".repeat(4000), "size(".repeat(800)] {
        assert!(evaluate(&text, &[]).is_err());
    }
}

#[test]
fn updates_change_only_the_named_attributes() {
    let one = [(":v", number("1"))];
    let list = |values: Vec<Value>| Value::L(values);
    let after = update("SET n = n + :v, m.new1 = if_not_exists(m.nil, :v), l[7] = :v REMOVE s, l[0]", &one);
    let after = after.unwrap();
    assert_eq!(after["n"], number("6"));
    assert_eq!(after["m"].as_m().unwrap()["new1"], number("1"));
    assert_eq!(after["l"], list(vec![text("x"), number("1")]));
    assert!(!after.contains_key("s"));
    assert_eq!(after["ss"], item()["ss"]);

    let after = update("SET l[9] = :v ADD l[7] :w", &[(":v", number("9")), (":w", number("7"))]).unwrap();
    assert_eq!(
        after["l"],
        list(vec![number("1"), text("x"), number("7"), number("9")]),
        "appended in the order of their indexes"
    );

    let after = update("SET l[5] = :v REMOVE l[2], l[0]", &[(":v", number("9"))]).unwrap();
    assert_eq!(
        after["l"],
        list(vec![text("x"), number("9")]),
        "an appended element does not take the index of a removed one"
    );

    let after = update("SET l = list_append(l, :l)", &[(":l", list(vec![number("7")]))]).unwrap();
    assert_eq!(after["l"], list(vec![number("1"), text("x"), number("7")]));
    let after = update("ADD n :v, fresh :v", &[(":v", number("-2"))]).unwrap();
    assert_eq!((&after["n"], &after["fresh"]), (&number("3"), &number("-2")));
    let set = |texts: &[&str]| Value::Ss(texts.iter().map(|text| (*text).to_owned()).collect());
    assert_eq!(update("ADD ss :v", &[(":v", set(&["c", "a"]))]).unwrap()["ss"], set(&["a", "b", "c"]));
    assert_eq!(update("DELETE ss :v", &[(":v", set(&["a", "z"]))]).unwrap()["ss"], set(&["b"]));
    assert!(!update("DELETE ss :v", &[(":v", set(&["a", "b"]))]).unwrap().contains_key("ss"));
    assert_eq!(update("REMOVE l[99], m.nope, nope", &[]).unwrap(), item());
}

#[test]
fn invalid_updates_are_rejected_with_dynamodb_messages() {
    let one = [(":v", number("1"))];
    for (expression, pairs, message) in [
        ("SET n = n + :v", &[(":v", text("x"))][..], "operator or function: +, operand type: S"),
        ("SET s = s + :v", &one, "incorrect data type"),
        ("SET q = q + :v", &one, "does not exist in the item"),
        ("SET a1.b = :v", &one, "path provided in the update expression is invalid"),
        ("SET m[0] = :v", &one, "path provided in the update expression is invalid"),
        ("REMOVE q.w", &[], "path provided in the update expression is invalid"),
        ("ADD s :v", &one, "incorrect data type"),
        ("ADD n :v", &[(":v", text("x"))], "operator: ADD"),
        ("DELETE n :v", &one, "operator: DELETE"),
        ("SET n = :v, n = :v", &one, "Two document paths overlap"),
        ("SET m.z = :v REMOVE m[0]", &one, "Two document paths conflict"),
        ("SET n = :v SET s = :v", &one, "can only be used once"),
        ("SET n = :v, ", &one, "token: \"<EOF>\""),
        ("SET n = :v + :v - :v", &one, "token: \"-\""),
        ("SET n = size(n)", &[], "not allowed in an update expression"),
        ("SET n = n + :v", &[(":v", number("1E-100"))], "38 significant digits"),
    ] {
        let error = update(expression, pairs).expect_err(expression);
        assert!(error.contains(message), "{expression}: {error}");
    }
}

#[test]
fn a_projection_returns_only_the_named_parts() {
    let mut references = References::new(None, None).unwrap();
    let projection = parse_projection(Some("n, m.deep[0], l[1], nope"), &mut references).unwrap().unwrap();
    let bytes = encode_item(&item()).unwrap();
    let found = projection.apply(ItemRef(&bytes)).unwrap();
    assert_eq!(found.len(), 3);
    assert_eq!(found["l"], Value::L(vec![text("x")]));
    assert_eq!(found["m"].as_m().unwrap()["deep"], Value::L(vec![text("x")]));
}

#[test]
fn a_key_condition_names_one_partition_and_one_range() {
    let read = |condition: &str, pairs: &[(&str, Value)]| {
        let values = values(pairs);
        let mut references = References::new(None, values.as_ref()).unwrap();
        let condition = parse_condition("KeyConditionExpression", condition, &mut references)?;
        KeyCondition::new(condition, "pk", Some("sk"))
    };
    let two = [(":p", text("a")), (":s", text("b"))];
    assert!(read("pk = :p AND begins_with(sk, :s)", &two).is_ok());
    assert!(read("(:s < sk) AND (pk = :p)", &two).is_ok());
    for wrong in [
        "pk > :p",
        "pk = :p OR sk = :s",
        "sk = :s",
        "pk = :p AND sk <> :s",
        "pk = :p AND sk = :s AND sk = :p",
    ] {
        assert!(read(wrong, &two).is_err(), "{wrong}");
    }
}
