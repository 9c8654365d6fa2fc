//! Tests of table descriptions, and a table that other tests use.

use super::*;

pub(in super::super) fn attribute(name: &str, kind: Kind) -> KeyAttribute {
    KeyAttribute { name: name.to_owned(), kind }
}

pub(in super::super) fn table() -> Table {
    let index = |id, name: &str, projected| Index {
        id,
        name: name.to_owned(),
        keys: KeySchema { partition: attribute("g", Kind::S), sort: Some(attribute("h", Kind::N)) },
        projected,
    };
    Table {
        id: 7,
        name: "things".to_owned(),
        keys: KeySchema { partition: attribute("pk", Kind::S), sort: Some(attribute("sk", Kind::S)) },
        indexes: vec![
            index(1, "keys", Projected::KeysOnly),
            index(2, "some", Projected::Include(vec!["x".to_owned()])),
            index(3, "whole", Projected::All),
        ],
        stream: Some("now".to_owned()),
        ttl: None,
        building: vec![2],
        created: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn a_table_decodes_to_the_encoded_table() {
    let table = table();
    assert_eq!(Table::decode(&table.encode().unwrap()), Some(table));
    assert_eq!(Table::decode(b"nonsense"), None);
}

#[test]
fn a_key_has_all_key_attributes_and_no_others() {
    let table = table();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let key = |pairs: &[(&str, AttributeValue)]| {
        table.key(&pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    assert!(key(&[("pk", text("a")), ("sk", text("b"))]).is_ok());
    assert!(matches!(key(&[("pk", text("a"))]), Err(KeyError::Malformed(_))));
    assert!(matches!(key(&[("pk", text("a")), ("x", text("b"))]), Err(KeyError::Malformed(_))));
    assert!(matches!(key(&[("pk", text("a")), ("sk", text(""))]), Err(KeyError::Malformed(_))));
    let number = AttributeValue::N("1".to_owned());
    assert!(matches!(key(&[("pk", text("a")), ("sk", number)]), Err(KeyError::Mismatch(_))));
    assert!(key(&[("pk", text(&"a".repeat(2048))), ("sk", text(&"b".repeat(1024)))]).is_ok());
    assert!(key(&[("pk", text(&"a".repeat(2049))), ("sk", text("b"))]).is_err());
    assert!(key(&[("pk", text("a")), ("sk", text(&"b".repeat(1025)))]).is_err());
}
