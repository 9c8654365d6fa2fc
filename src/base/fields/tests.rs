use super::*;
use crate::base::values::{Email, Name, UsState, Version};
use crate::leads::domain::Score;
use serde_json::json;

#[derive(Debug, PartialEq)]
struct Inner {
    least: Option<Score>,
}

impl FromFields for Inner {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { least: fields.optional_not_null("scoreAtLeast", whole_number) })
    }
}

#[derive(Debug, PartialEq)]
struct Outer {
    name: Name,
    email: Email,
    score: Option<Score>,
    state: Option<Option<UsState>>,
    version: Option<Version>,
    inner: Option<Inner>,
}

impl FromFields for Outer {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, email) = (fields.required("name", text), fields.required("email", text));
        let score = fields.optional_not_null("leadScore", whole_number);
        let state = fields.nullable("state", text);
        let version = fields.optional("version", whole_number);
        let inner = fields.nested("inner");
        fields.ignore(&["createdAt"]);
        Some(Self { name: name?, email: email?, score, state, version, inner })
    }
}

fn outer(json: &str) -> Result<Outer, Vec<(String, String)>> {
    let read = read(serde_json::from_str(json).unwrap());
    read.map_err(|wrong| wrong.into_iter().map(|one| (one.field, one.message)).collect())
}

#[test]
fn fields_are_read_in_camel_case_and_snake_case() {
    let camel = r#"{"name":"Ann","email":"a@example.com","leadScore":7,"inner":{"scoreAtLeast":5}}"#;
    let snake = r#"{"name":"Ann","email":"a@example.com","lead_score":7,"inner":{"score_at_least":5}}"#;
    assert_eq!(outer(camel), outer(snake));
    assert_eq!(outer(camel).unwrap().inner.unwrap().least.unwrap().get(), 5);
    assert_eq!(camel_case("created_at_1"), "createdAt1");
}

#[test]
fn all_wrong_fields_are_named_at_once() {
    let wrong = outer(
        r#"{"lead_score":101,"state":"ZZ","version":0,"inner":{"scoreAtLeast":"5","x":1},"surprise":1,
            "email":7,"email":"a@example.com","created_at":1}"#,
    )
    .unwrap_err();
    let fields: Vec<_> = wrong.iter().map(|(field, _)| field.as_str()).collect();
    let all = [
        "email",
        "name",
        "email",
        "lead_score",
        "state",
        "version",
        "inner.scoreAtLeast",
        "inner.x",
        "surprise",
    ];
    assert_eq!(fields, all);
    assert!(wrong.iter().all(|(_, message)| message.ends_with('.')), "{wrong:?}");
    assert_eq!(wrong[1].1, "This is missing. Enter a name.");
    assert_eq!(wrong[2].1, "Send text in quotation marks, not a number.");
    assert_eq!(
        wrong[8].1,
        "There's no such field. The fields are name, email, leadScore, state, version, inner."
    );
}

#[test]
fn read_known_counts_and_ignores_unknown_fields() {
    let (inner, others) = read_known::<Inner>(
        serde_json::from_value(json!({ "scoreAtLeast": 5, "score_at_least": 6, "traceId": {} })).unwrap(),
    )
    .unwrap();
    assert_eq!((inner.least.map(Score::get), others), (Some(5), 2));
}

#[test]
fn null_is_handled_as_the_field_requires() {
    let with = |more: &str| outer(&format!(r#"{{"name":"Ann","email":"a@example.com",{more}}}"#));
    assert_eq!(with(r#""state":null"#).unwrap().state, Some(None));
    assert_eq!(with(r#""version":null"#).unwrap().version, None);
    for (more, field) in [(r#""leadScore":null"#, "leadScore"), (r#""inner":null"#, "inner")] {
        assert_eq!(with(more).unwrap_err()[0].0, field);
    }
    assert_eq!(outer(r#"{"name":null,"email":"a@example.com"}"#).unwrap_err()[0].0, "name");
}

#[test]
fn whole_numbers_follow_json_schema() {
    for (json, number) in [
        ("6", Some(6)),
        ("6.0", Some(6)),
        ("1e1", Some(10)),
        ("-0.0", Some(0)),
        ("9007199254740993", Some(9_007_199_254_740_993)),
        ("9007199254740994.0", None),
        ("18446744073709551615", None),
        ("6.5", None),
        ("1e300", None),
        ("\"6\"", None),
        ("true", None),
    ] {
        assert_eq!(integer(&serde_json::from_str(json).unwrap()), number, "{json}");
    }
}

#[test]
fn errors_in_a_list_name_every_wrong_item() {
    #[derive(Debug, PartialEq)]
    struct List(Vec<UsState>);
    impl FromFields for List {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            fields.required_list("states", text).map(Self)
        }
    }
    let list = |value: Value| {
        let read = read::<List>(serde_json::from_value(json!({ "states": value })).unwrap());
        read.map(|List(states)| states.len())
            .map_err(|wrong| wrong.into_iter().map(|one| one.field).collect())
    };
    let wrong = |fields: &[&str]| Err(fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>());
    assert_eq!(list(json!(["ny", "CA"])), Ok(2));
    assert_eq!(list(json!(["NY", "ZZ", "CA", 7, null])), wrong(&["states[1]", "states[3]", "states[4]"]));
    assert_eq!(list(json!("NY")), wrong(&["states"]));
    assert_eq!(list(json!(null)), wrong(&["states"]));
}

#[test]
fn invalid_json_is_located_without_the_parsers_message() {
    let message = |text: &str| not_json(&serde_json::from_str::<Value>(text).unwrap_err());
    assert_eq!(message("{"), "it ends too early");
    assert_eq!(message("{\"a\" 1}"), "it goes wrong at line 1, column 6");
}
