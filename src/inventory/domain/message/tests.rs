use serde_json::{Value, json};

use super::*;

fn sale() -> Value {
    json!({
        "schema": 1, "messageId": "m1", "sku": "85123a", "kind": "SALE", "quantity": 6,
        "occurredAt": "2010-12-01T08:26:00Z", "reference": "536365",
    })
}

fn parse(bytes: &[u8], fallback: Option<MessageId>) -> Result<Message, ParseError> {
    Message::read(parse_json(bytes)?, fallback).map(|(message, _)| message)
}

fn from_json(value: Value) -> Result<Message, ParseError> {
    Message::read(value, None).map(|(message, _)| message)
}

#[test]
fn a_message_is_parsed_and_its_sku_is_upper_case() {
    let message = parse(sale().to_string().as_bytes(), None).unwrap();
    assert_eq!((message.sku.as_str(), message.kind, message.quantity.get()), ("85123A", Kind::Sale, 6));
    assert_eq!(message.message_id.as_str(), "m1");
}

#[test]
fn a_message_without_an_id_gets_one_from_its_source() {
    let mut without = sale();
    without.as_object_mut().unwrap().remove("messageId");
    let bytes = without.to_string().into_bytes();
    let source = Source::kafka("inventory-events", 3, 120);
    let message = parse(&bytes, source.message_id()).unwrap();
    assert_eq!(message.message_id.as_str(), "inventory-events-3-120");
    assert!(parse(&bytes, None).is_err());
    assert_eq!(source.to_string(), "Kafka inventory-events/3 at 120");
    assert_eq!(Source::of(Channel::Page).to_string(), "Page");
}

#[test]
fn an_error_describes_the_invalid_bytes() {
    let error = |bytes: &[u8]| parse(bytes, None).unwrap_err();
    for bytes in ["{", "nonsense", "{} {}"] {
        assert!(matches!(error(bytes.as_bytes()), ParseError::NotJson(_)), "{bytes}");
    }
    for bytes in [&b""[..], b" \n", b"\xef\xbb\xbf"] {
        assert_eq!(error(bytes), ParseError::Empty);
    }
    assert!(error(b"\xff\xfe{\0}\0").to_string().contains("UTF-16"));
    assert!(error(b"{\"sku\":\"\xe9\"}").to_string().ends_with("it is not in UTF-8."));
    assert!(error(b"\0\0\0\x01\x02\x02H").to_string().contains("Confluent's wire format with schema ID 258"));
}

#[test]
fn a_byte_order_mark_and_confluents_header_are_skipped() {
    let message = sale().to_string().into_bytes();
    let plain = parse(&message, None).unwrap();
    for before in [&b"\xef\xbb\xbf"[..], b"\0\0\0\0\x07", b"\0\0\0\0\x07\xef\xbb\xbf"] {
        assert_eq!(parse(&[before, &message].concat(), None).as_ref(), Ok(&plain), "{before:?}");
    }
}

#[test]
fn every_wrong_field_is_named() {
    for (field, value) in [
        ("schema", json!(2)),
        ("schema", json!("1")),
        ("sku", json!("")),
        ("sku", json!(null)),
        ("kind", json!("sale")),
        ("kind", json!("GIFT")),
        ("quantity", json!(-1)),
        ("quantity", json!(0)),
        ("quantity", json!(1.5)),
        ("quantity", json!("6")),
        ("quantity", json!(1_000_000_001)),
        ("occurredAt", json!("yesterday")),
        ("occurredAt", json!(" 2026-03-01T09:30:00Z ")),
        ("occurredAt", json!(1_291_190_760)),
        ("reference", json!("")),
        ("messageId", json!("a b")),
        ("version", json!(3)),
    ] {
        let mut message = sale();
        message[field] = value.clone();
        let error = parse(message.to_string().as_bytes(), None).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{field}: ")), "{field} = {value}: {error}");
    }
    let error = from_json(json!({ "kind": "GIFT", "quantity": 1.5 })).unwrap_err();
    let ParseError::Fields(wrong) = error else { panic!("{error}") };
    let fields: Vec<_> = wrong.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["schema", "sku", "kind", "quantity", "occurredAt"]);
    for value in [json!([]), json!(1), json!(null), json!("SALE")] {
        assert_eq!(from_json(value), Err(ParseError::NoObject));
    }
}

#[test]
fn unknown_fields_are_ignored_and_counted() {
    let mut message = sale();
    message["traceId"] = json!("abc");
    message["price"] = json!({ "amount": 2.55 });
    let delivery = Delivery::of_json(Source::of(Channel::Api), message).unwrap();
    assert_eq!(delivery.ignored, 2);
    assert_eq!(delivery.message.fingerprint(), from_json(sale()).unwrap().fingerprint());
}

#[test]
fn only_rfc_3339_times_are_accepted() {
    for (text, moment) in [
        ("2026-03-01T09:30:00Z", Some("2026-03-01T09:30:00Z")),
        ("2026-03-01t09:30:00z", Some("2026-03-01T09:30:00Z")),
        ("2026-03-01T09:30:00.5-05:00", Some("2026-03-01T14:30:00.5Z")),
        ("2026-03-01T09:30:00.1234567891234Z", Some("2026-03-01T09:30:00.123456789Z")),
        ("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59Z")),
        ("2016-12-31T12:00:60Z", None),
        ("2026-03-01 09:30:00Z", None),
        ("2026-03-01T09:30Z", None),
        ("2026-03-01T09Z", None),
        ("20260301T093000Z", None),
        ("2026-03-01T09:30:00", None),
        ("2026-03-01T09:30:00.Z", None),
        ("2026-03-01T09:30:00,5Z", None),
        ("2026-03-01T09:30:00-05", None),
        ("2026-03-01T09:30:00-0500", None),
        ("2026-03-01T09:30:00-05:00[America/New_York]", None),
        ("2026-03-01T09:30:00+24:00", None),
        ("2026-02-30T09:30:00Z", None),
        ("+002026-03-01T09:30:00Z", None),
    ] {
        let expected: Option<Timestamp> = moment.map(|moment| moment.parse().unwrap());
        assert_eq!(rfc3339(text), expected, "{text}");
    }
}

/// The published schema and the parser agree on every field. The parser also accepts white space around texts other than
/// times, and null for an optional field.
#[test]
fn the_published_schema_matches_the_parser() {
    let schema = include_str!("../../../../infra/inventory-event.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let schema = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    let with = |changes: &[(&str, Value)]| {
        let mut message = sale();
        for (field, value) in changes {
            message[field] = value.clone();
        }
        message
    };
    let long = |length: usize| json!("x".repeat(length));
    let count = ("kind", json!("COUNT"));
    let mut cases: Vec<(Value, bool)> = vec![
        (with(&[]), true),
        (with(&[("kind", json!("RETURN"))]), true),
        (with(&[("kind", json!("RECEIPT")), ("name", json!("WHITE METAL LANTERN é"))]), true),
        (with(&[count.clone(), ("quantity", json!(0))]), true),
        (with(&[count.clone(), ("version", json!(7))]), true),
        (with(&[count.clone(), ("version", json!(9_007_199_254_740_991_u64))]), true),
        (with(&[count.clone(), ("version", json!(9_007_199_254_740_992_u64))]), false),
        (with(&[count, ("version", json!(0))]), false),
        (with(&[("quantity", json!(1_000_000_000))]), true),
        (with(&[("messageId", long(200))]), true),
        (with(&[("sku", long(40))]), true),
        (with(&[("sku", json!("._-a"))]), true),
        (with(&[("reference", long(120)), ("name", long(120))]), true),
        (with(&[("occurredAt", json!("2010-12-01T08:26:00.123-05:00"))]), true),
        (with(&[("quantity", json!(6.0))]), true),
        (with(&[("quantity", serde_json::from_str("1e1").unwrap())]), true),
        (with(&[("schema", json!(1.0))]), true),
        (with(&[("price", json!(2.55)), ("message_id", json!(7)), ("traceId", json!("abc"))]), true),
    ];
    let bad = [
        ("schema", vec![json!(0), json!(2), json!("1"), json!(null)]),
        ("messageId", vec![json!(""), json!("a b"), json!("é"), json!(7), long(201)]),
        ("sku", vec![json!(""), json!("a b"), json!("a/b"), json!(".."), json!("é"), json!(7), long(41)]),
        ("kind", vec![json!("sale"), json!("GIFT"), json!(""), json!(1), json!(null)]),
        ("quantity", vec![json!(-1), json!(0), json!(1.5), json!("6"), json!(null), json!(1_000_000_001)]),
        (
            "occurredAt",
            vec![
                json!("yesterday"),
                json!("2010-12-01"),
                json!("2010-12-01T08:26:00"),
                json!("2010-12-01 08:26:00Z"),
                json!("2010-12-01T08:26Z"),
                json!("2010-12-01T08:26:00-05"),
                json!(" 2010-12-01T08:26:00Z"),
                json!("2010-12-01T08:26:00Z "),
                json!("2010-12-01T08:26:00Z\n"),
                json!(1),
            ],
        ),
        ("reference", vec![json!(""), json!(" "), json!("a\u{0}b"), json!(5), long(121)]),
        ("name", vec![json!(""), json!("a\u{7}b"), json!(["a"]), long(121)]),
        ("version", vec![json!(3), json!("3"), json!(1.5)]),
    ];
    for (field, values) in bad {
        cases.extend(values.into_iter().map(|value| (with(&[(field, value)]), false)));
    }
    for field in ["schema", "sku", "kind", "quantity", "occurredAt"] {
        let mut without = sale();
        without.as_object_mut().unwrap().remove(field);
        cases.push((without, false));
    }
    cases.extend([json!([]), json!(null), json!("SALE"), json!({})].map(|value| (value, false)));
    for (message, good) in cases {
        assert_eq!(schema.is_valid(&message), good, "the schema on {message}");
        assert_eq!(from_json(message.clone()).is_ok(), good, "the reader on {message}");
    }
}

#[test]
fn a_count_can_be_zero_and_can_have_a_version() {
    let mut count = sale();
    count["kind"] = json!("COUNT");
    count["quantity"] = json!(0);
    count["version"] = json!(7);
    let message = from_json(count).unwrap();
    assert_eq!((message.quantity.get(), message.version.map(Version::get)), (0, Some(7)));
}

#[test]
fn a_fingerprint_depends_on_the_contents_and_not_on_the_format() {
    let one = from_json(sale()).unwrap();
    let spaced = serde_json::to_string_pretty(&sale()).unwrap().replace("85123a", "85123A");
    assert_eq!(parse(spaced.as_bytes(), None).unwrap().fingerprint(), one.fingerprint());
    let mut other = sale();
    other["quantity"] = json!(7);
    assert_ne!(from_json(other).unwrap().fingerprint(), one.fingerprint());
}
