//! What the documents say about `template.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml_ng::Value as Yaml;

use super::{code_spans, read, rows, section};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: every_alarm_is_documented,
            every_parameter_and_output_is_documented,
            the_values_and_the_default_of_every_parameter_are_documented
    ]
}

fn template() -> Yaml {
    serde_yaml_ng::from_str(&read("template.yaml")).unwrap()
}

async fn every_alarm_is_documented(_: TestEnvironment) {
    let template = template();
    let operations = read("docs/operations.md");
    let mut alarms = 0;
    for (name, resource) in template["Resources"].as_mapping().unwrap() {
        if resource["Type"].as_str() == Some("AWS::CloudWatch::Alarm") {
            let name = name.as_str().unwrap();
            alarms += 1;
            assert!(operations.contains(&format!("`{name}`")), "docs/operations.md does not name {name}");
        }
    }
    assert!(alarms > 10, "only {alarms} alarms were found");
}

/// The names of the template's parameters or outputs.
fn names(of: &Yaml) -> BTreeSet<&str> {
    of.as_mapping().unwrap().keys().filter_map(Yaml::as_str).collect()
}

/// The names in the first column of the tables of a text.
fn first_cells(text: &str) -> BTreeSet<&str> {
    rows(text).into_iter().flat_map(|row| code_spans(row[0])).collect()
}

/// What `docs/configuration.md` says about parameters, and then about outputs.
fn documented(configuration: &str) -> (&str, &str) {
    let section = section(configuration, "## Parameters of template.yaml");
    section.split_once("\n### Outputs\n").expect("the outputs follow the parameters")
}

async fn every_parameter_and_output_is_documented(_: TestEnvironment) {
    let (template, configuration) = (template(), read("docs/configuration.md"));
    let (parameters, outputs) = documented(&configuration);
    assert_eq!(first_cells(parameters), names(&template["Parameters"]), "parameters");
    assert_eq!(first_cells(outputs), names(&template["Outputs"]), "outputs");
}

async fn the_values_and_the_default_of_every_parameter_are_documented(_: TestEnvironment) {
    let (template, configuration) = (template(), read("docs/configuration.md"));
    let rows: BTreeMap<String, [String; 2]> = rows(documented(&configuration).0)
        .iter()
        .map(|row| (plain(row[0]), [plain(row[1]), row[2].to_owned()]))
        .collect();
    for (name, parameter) in template["Parameters"].as_mapping().unwrap() {
        let name = name.as_str().unwrap();
        let [values, default] = &rows[name];
        match text(&parameter["Default"]).as_str() {
            "" => assert!(!default.contains('`'), "{name} has no default, and not {default}"),
            expected => assert_eq!(*default, format!("`{expected}`"), "the default of {name}"),
        }
        if let Some(allowed) = parameter["AllowedValues"].as_sequence() {
            let allowed: Vec<String> = allowed.iter().map(text).collect();
            assert_eq!(*values, allowed.join(", "), "the values of {name}");
        } else if let (Some(least), Some(most)) =
            (parameter["MinValue"].as_u64(), parameter["MaxValue"].as_u64())
        {
            assert_eq!(*values, format!("{least} to {most}"), "the values of {name}");
        }
    }
}

/// A cell without the marks of code.
fn plain(cell: &str) -> String {
    cell.replace('`', "")
}

/// A text or a number as text.
fn text(value: &Yaml) -> String {
    let number = || value.as_u64().map(|number| number.to_string());
    value.as_str().map(str::to_owned).or_else(number).expect("a text or a whole number")
}
