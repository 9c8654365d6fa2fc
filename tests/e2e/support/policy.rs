//! The permissions of the template's functions, and a proxy before DynamoDB and Secrets Manager that enforces them.
//!
//! Sources: "Actions, resources, and condition keys for Amazon DynamoDB" in the Service Authorization Reference,
//! and "Using IAM with DynamoDB transactions" in the DynamoDB Developer Guide: each action of a transaction is
//! authorized as the action of the same name on its item. Resources have their names in the template.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

use super::http::{Server, plain_client};

/// An action on a resource: `dynamodb:Query` on `Table/index/all-newest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
}

impl Grant {
    fn new(action: &str, resource: impl Into<String>) -> Self {
        Self { action: action.to_owned(), resource: resource.into() }
    }

    /// Whether Lambda itself needs the grant to work for a function: for logs, for traces, and to read the stream
    /// or the topic.
    fn is_for_lambda(&self) -> bool {
        let service = self.action.split(':').next().unwrap_or_default();
        matches!(service, "logs" | "xray" | "sqs" | "ec2" | "kafka" | "kafka-cluster" | "kms")
            || matches!(self.resource.as_str(), "Table.StreamArn" | "KafkaSecretArn" | "KafkaRootCaSecretArn")
            || self.action == "dynamodb:ListStreams"
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)
    }
}

/// The template as its functions are deployed.
pub struct Template(Yaml);

impl Template {
    /// The project's template.
    pub fn read() -> Self {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml"));
        Self::of(&text.expect("the template can be read"))
    }

    /// A template with this text.
    pub fn of(text: &str) -> Self {
        Self(serde_yaml_ng::from_str(text).expect("the template is YAML"))
    }

    fn properties(&self, resource: &str) -> &Yaml {
        &self.0["Resources"][resource]["Properties"]
    }

    /// The grants of a function's code, with all conditions of the template true.
    pub fn grants(&self, function: &str) -> BTreeSet<Grant> {
        let role = text(&self.properties(function)["Role"]);
        let role = role.strip_suffix(".Arn").expect("the function has a role of its own");
        let policies = list(&self.properties(role)["Policies"]);
        let statements = policies.iter().flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
        let mut grants = BTreeSet::new();
        for statement in statements.filter_map(|statement| chosen(&statement)) {
            assert_eq!(text(&statement["Effect"]), "Allow", "only statements that allow are supported");
            for resource in list(&statement["Resource"]).iter().flat_map(|one| self.resources(one)) {
                for action in list(&statement["Action"]) {
                    grants.insert(Grant::new(&text(&action), resource.clone()));
                }
            }
        }
        grants.retain(|grant| !grant.is_for_lambda());
        grants
    }

    /// The names of a resource. `index/*` stands for all indexes of the table.
    fn resources(&self, resource: &Yaml) -> Vec<String> {
        // A resource that joins several parts belongs to Kafka, which the code does not call.
        let name = text_if(resource).unwrap_or_default().replace("${", "").replace('}', "");
        let name = name.strip_suffix(".Arn").unwrap_or(&name).replace(".Arn/", "/");
        let Some(table) = name.strip_suffix("/index/*") else { return vec![name] };
        let indexes = list(&self.properties(table)["GlobalSecondaryIndexes"]);
        indexes.iter().map(|index| format!("{table}/index/{}", text(&index["IndexName"]))).collect()
    }

    /// The environment of a function, with all conditions true. Parameters have the given values or their defaults,
    /// and resources their names.
    pub fn environment(&self, function: &str, parameters: &[(&str, &str)]) -> BTreeMap<String, String> {
        let variables = &self.properties(function)["Environment"]["Variables"];
        let read = |(name, value): (&Yaml, &Yaml)| {
            let value = chosen(value)?;
            let is_reference = matches!(&value, Yaml::Tagged(tagged) if tagged.tag == "Ref");
            let value = text(&value);
            let given = parameters.iter().find(|(parameter, _)| *parameter == value);
            let value = match given {
                Some((_, given)) => (*given).to_owned(),
                None if is_reference => match &self.0["Parameters"][&value]["Default"] {
                    Yaml::Null => value,
                    default => text(default),
                },
                None => value,
            };
            Some((text(name), value))
        };
        variables.as_mapping().expect("the function has variables").iter().filter_map(read).collect()
    }
}

/// The first branch of an `If`, or nothing for `AWS::NoValue`.
fn chosen(value: &Yaml) -> Option<Yaml> {
    let branches = match value {
        Yaml::Tagged(tagged) if tagged.tag == "If" => Some(&tagged.value),
        other => other.get("Fn::If"),
    };
    let value = branches.map_or(value, |branches| &branches[1]);
    (text_if(value).as_deref() != Some("AWS::NoValue")).then(|| value.clone())
}

fn text_if(value: &Yaml) -> Option<String> {
    match value {
        Yaml::Tagged(tagged) => tagged.value.as_str().map(str::to_owned),
        Yaml::Number(number) => Some(number.to_string()),
        Yaml::Bool(flag) => Some(flag.to_string()),
        other => other.as_str().map(str::to_owned),
    }
}

/// The text of a scalar, with any CloudFormation function.
fn text(value: &Yaml) -> String {
    text_if(value).unwrap_or_else(|| panic!("this is not a text: {value:?}"))
}

/// A list, or a single element as a list of one.
fn list(value: &Yaml) -> Vec<Yaml> {
    match value {
        Yaml::Sequence(values) => values.clone(),
        Yaml::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// The grants that a call needs. `table` is the name of the template's table.
pub fn needs(target: &str, body: &Value, table: &str) -> Vec<Grant> {
    let (api, operation) = target.split_once('.').unwrap_or_default();
    let named = |name: &Value| match name.as_str() {
        Some(name) if name == table => "Table".to_owned(),
        other => other.unwrap_or("*").to_owned(),
    };
    if api == "secretsmanager" {
        return vec![Grant::new(&format!("secretsmanager:{operation}"), named(&body["SecretId"]))];
    }
    let tables = |request: &Value| -> Vec<String> {
        let tables = request.as_object().into_iter().flat_map(|tables| tables.keys());
        tables.map(|name| named(&json!(name))).collect()
    };
    let actions = |items: &Value| -> Vec<Grant> {
        let actions = items.as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
        // A transaction's `Put` needs the action `PutItem`, its `ConditionCheck` the action `ConditionCheckItem`.
        actions
            .map(|(kind, action)| Grant::new(&format!("dynamodb:{kind}Item"), named(&action["TableName"])))
            .collect()
    };
    let action = format!("dynamodb:{operation}");
    match operation {
        "TransactWriteItems" | "TransactGetItems" => actions(&body["TransactItems"]),
        "BatchGetItem" | "BatchWriteItem" => {
            tables(&body["RequestItems"]).into_iter().map(|table| Grant::new(&action, table)).collect()
        }
        _ => {
            let table = named(&body["TableName"]);
            let resource = match body["IndexName"].as_str() {
                Some(index) => format!("{table}/index/{index}"),
                None => table,
            };
            vec![Grant::new(&action, resource)]
        }
    }
}

/// A proxy that passes granted calls. When dropped, it passes nothing.
pub struct Guard {
    server: Server,
    proxy: Arc<Proxy>,
}

struct Proxy {
    client: reqwest::Client,
    table: String,
    granted: BTreeSet<Grant>,
    dynamodb: String,
    secrets: Option<String>,
    usage: Mutex<Usage>,
}

#[derive(Default)]
struct Usage {
    used: BTreeSet<Grant>,
    denied: BTreeSet<Grant>,
}

impl Guard {
    /// Starts the proxy before a table at DynamoDB, and before Secrets Manager if it is given.
    pub async fn start(
        granted: BTreeSet<Grant>,
        table: &str,
        dynamodb: &str,
        secrets: Option<String>,
    ) -> Self {
        let (table, dynamodb) = (table.to_owned(), dynamodb.to_owned());
        let usage = Mutex::default();
        let proxy = Arc::new(Proxy { client: plain_client(), table, granted, dynamodb, secrets, usage });
        let router = Router::new().fallback(handle).with_state(proxy.clone());
        Self { server: Server::of(router).await, proxy }
    }

    /// The address of the proxy.
    pub fn endpoint(&self) -> String {
        self.server.url("")
    }

    /// The grants that were never used.
    pub fn unused(&self) -> Vec<String> {
        let usage = self.proxy.usage();
        self.proxy.granted.difference(&usage.used).map(Grant::to_string).collect()
    }

    /// The missing grants of refused calls.
    pub fn denied(&self) -> Vec<String> {
        self.proxy.usage().denied.iter().map(Grant::to_string).collect()
    }
}

impl Proxy {
    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first missing grant of a call. Existing grants count as used.
    fn missing(&self, needed: Vec<Grant>) -> Option<Grant> {
        let (granted, denied): (Vec<_>, Vec<_>) =
            needed.into_iter().partition(|grant| self.granted.contains(grant));
        let first = denied.first().cloned();
        let mut usage = self.usage();
        usage.used.extend(granted);
        usage.denied.extend(denied);
        first
    }
}

async fn handle(State(proxy): State<Arc<Proxy>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let asked = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(grant) = proxy.missing(needs(target, &asked, &proxy.table)) {
        return denial(&grant);
    }
    let to = match &proxy.secrets {
        Some(secrets) if target.starts_with("secretsmanager.") => secrets,
        _ => &proxy.dynamodb,
    };
    let mut passed = headers.clone();
    for name in [header::HOST, header::CONTENT_LENGTH] {
        passed.remove(name);
    }
    match proxy.client.post(to).headers(passed).body(body).send().await {
        Ok(answer) => {
            let status = answer.status();
            let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
            let body = answer.bytes().await.unwrap_or_default();
            let mut response = (status, body).into_response();
            if let Some(kind) = kind {
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
            }
            response
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// AWS's answer when a role lacks a grant.
fn denial(Grant { action, resource }: &Grant) -> Response {
    let message = format!(
        "User: arn:aws:sts::123456789012:assumed-role/role/function is not authorized to perform: {action} on resource: \
         {resource} because no identity-based policy allows the {action} action"
    );
    let body = json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "Message": message });
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string())
        .into_response()
}
