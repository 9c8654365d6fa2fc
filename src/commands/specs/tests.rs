//! Commands are parsed by the table, and every error says what would be right.

use super::*;
use serde_json::json;

fn given(parameters: &Value) -> Vec<(String, Value)> {
    let parameters = parameters.as_object().expect("parameters are an object");
    parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Returns the errors, by parameter.
fn wrong(name: &str, parameters: &Value) -> Vec<(String, String)> {
    let wrong = read(name, &given(parameters)).expect_err("an error");
    wrong.into_iter().map(|wrong| (wrong.parameter.unwrap_or_default(), wrong.message)).collect()
}

#[test]
fn every_example_of_the_table_is_valid() {
    for spec in &SPECS {
        let example = |parameter: &Parameter| (parameter.name.to_owned(), Value::from(parameter.example));
        let all: Vec<_> = spec.parameters.iter().map(example).collect();
        let command = read(spec.name, &all).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        assert_eq!(command.name(), spec.name);
        let names: Vec<_> = command.parameters().into_iter().map(|(name, _)| name).collect();
        let table: Vec<_> = spec.parameters.iter().map(|parameter| parameter.name).collect();
        assert_eq!(names, table, "a command lists its parameters in the order of the table");
        let needed = spec.parameters.iter().filter(|parameter| parameter.required);
        read(spec.name, &needed.map(example).collect::<Vec<_>>()).expect("the rest is optional");
    }
}

#[test]
fn names_may_be_in_snake_case_or_camel_case() {
    let snake = json!({ "customer_name": "Acme", "customer_email": "a@acme.example", "requested_states": ["ca", "NY", "CA"], "quantity_per_state": 5 });
    let camel = json!({ "customerName": "Acme", "customerEmail": "a@acme.example", "requestedStates": "CA, NY", "quantityPerState": "5" });
    assert_eq!(read("create_order", &given(&snake)), read("create_order", &given(&camel)));
    assert!(read("create_order", &given(&snake)).is_ok());
}

#[test]
fn all_errors_are_listed_with_what_would_be_right() {
    let order = |field: &str, value: Value| {
        let mut order =
            json!({ "customer_name": "Acme", "customer_email": "a@acme.example", "requested_states": "CA" });
        order[field] = value;
        order
    };
    for (field, value, words) in [
        ("customer_name", json!(""), "Enter a name."),
        ("customer_name", json!(7), "for example customer_name=\"Acme Roofing\"."),
        ("customer_name", json!(null), "This is missing. Send the customer's name"),
        ("customer_email", json!("acme"), "This isn't a valid email"),
        ("requested_states", json!([]), "Choose at least one state"),
        ("requested_states", json!("XX"), "XX isn't a US state"),
        ("requested_states", json!(["CA", "Texas"]), "Texas isn't a US state"),
        ("requested_states", json!(["CA", 7]), "for example requested_states=CA,NY,TX."),
        ("requested_states", json!({}), "for example requested_states=CA,NY,TX."),
        ("quantity_per_state", json!(0), "from 1 to 1,000"),
        ("quantity_per_state", json!(-1), "from 1 to 1,000"),
        ("quantity_per_state", json!(1_000_000_000), "from 1 to 1,000"),
        ("quantity_per_state", json!(1.5), "from 1 to 1,000"),
        ("quantity_per_state", json!(true), "for example quantity_per_state=5."),
        ("quantityPerState", json!("many"), "from 1 to 1,000"),
        ("quantity", json!(1), "create_order doesn't have this parameter. It takes customer_name,"),
        ("customerName", json!("Acme"), "This appears twice"),
    ] {
        let wrong = wrong("create_order", &order(field, value));
        assert_eq!(wrong.len(), 1, "{field}: {wrong:?}");
        // The second of two equal names is refused. An object sorts its names alphabetically.
        assert!(snake_case(&wrong[0].0) == snake_case(field), "{wrong:?}");
        assert!(wrong[0].1.contains(words), "{field}: {wrong:?}");
    }
    let every = wrong("create_order", &json!({ "customer_name": "", "surprise": 1 }));
    let names: Vec<_> = every.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["surprise", "customer_name", "customer_email", "requested_states"]);
}

#[test]
fn the_error_for_an_unknown_command_lists_all_commands() {
    let wrong = wrong("fulfil_order", &json!({}));
    let words = "There's no command fulfil_order. The commands are create_order, fulfill_order, delete_order, \
                 get_orders, get_leads, retry_dead_letters, dismiss_dead_letters, one_time_rule and help.";
    assert_eq!(wrong, [(String::new(), words.to_owned())]);
}
