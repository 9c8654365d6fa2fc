//! The permissions of each function on AWS: with the environment and the role of the template it does all its work,
//! makes no call outside its grants, and uses every grant, index by index.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::store::{Key, Select};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::order_races::interrupt;
use super::orders::{create as create_order, set_cap, stock};
use crate::support::gateway::visitor;
use crate::support::http::{Client, Response};
use crate::support::lambda::LambdaRuntime;
use crate::support::policy::{Grant, Guard, Template, needs};
use crate::support::secrets_manager::SecretsManager;
use crate::support::workspace::{TEST_RETRIES, Workspace, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        dynamodb: the_web_function_uses_all_its_grants_and_no_other,
            the_stream_function_uses_all_its_grants_and_no_other,
            the_sweeper_function_uses_all_its_grants_and_no_other,
            the_inventory_function_uses_all_its_grants_and_no_other,
            a_removed_grant_is_reported_as_denied;
        embedded: every_form_of_a_policy_in_a_template_is_parsed,
            a_call_needs_the_actions_that_aws_authorizes
    ]
}

const CODE: &str = "k7-Wm2!xQ";

/// The header value that CloudFront adds to each request.
const ORIGIN_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A function as the template deploys it, behind a guard that knows its grants.
struct Guarded {
    workspace: Workspace,
    lambda: Arc<LambdaRuntime>,
    guard: Guard,
    _secrets_manager: SecretsManager,
}

impl Guarded {
    /// The function of this bootstrap, over a case's table.
    async fn start(environment: &TestEnvironment, function: &str, bootstrap: &str) -> Self {
        Self::with_grants(environment, function, bootstrap, Template::read().grants(function)).await
    }

    async fn with_grants(
        environment: &TestEnvironment,
        function: &str,
        bootstrap: &str,
        grants: BTreeSet<Grant>,
    ) -> Self {
        let workspace = Workspace::open(environment).await;
        let secrets_manager = SecretsManager::start().await;
        secrets_manager.put("CookieKey", &"0123456789".repeat(7), Timestamp::now());
        secrets_manager.put("DataKey", &"9876543210".repeat(7), Timestamp::now());
        secrets_manager.put("InvitationCodeSecret", CODE, Timestamp::now());
        secrets_manager.put("OriginKey", ORIGIN_KEY, Timestamp::now());
        let engine = environment.engine();
        let guard =
            Guard::start(grants, environment.table(), engine.endpoint(), Some(secrets_manager.endpoint()))
                .await;
        let parameters = [("Table", environment.table()), ("SignUp", "invitation")];
        let mut environment = Template::read().environment(function, &parameters);
        for (name, value) in [
            ("HOLDFAST_DYNAMODB_ENDPOINT", guard.endpoint()),
            ("HOLDFAST_SECRETS_ENDPOINT", guard.endpoint()),
            ("AWS_ACCESS_KEY_ID", engine.access_key().to_owned()),
        ] {
            environment.insert(name.to_owned(), value);
        }
        let lambda = LambdaRuntime::start(bootstrap, environment).await.expect("the bootstrap starts");
        Self { workspace, lambda: Arc::new(lambda), guard, _secrets_manager: secrets_manager }
    }

    /// A visitor who comes through CloudFront.
    fn visitor(&self) -> Client {
        visitor(&self.lambda).always("x-holdfast-origin-key", ORIGIN_KEY)
    }

    /// A program with a token of a new account, through CloudFront.
    async fn program(&self, role: Role) -> Client {
        let token = self.workspace.token(role, "Ann Lee").await;
        self.visitor().always("authorization", &format!("Bearer {token}"))
    }

    #[track_caller]
    fn assert_exact(&self) {
        let (denied, unused) = (self.guard.denied(), self.guard.unused());
        assert!(denied.is_empty(), "not granted: {denied:#?}\n{}", self.lambda.output());
        assert!(unused.is_empty(), "granted and never used: {unused:#?}");
    }
}

async fn the_web_function_uses_all_its_grants_and_no_other(environment: TestEnvironment) {
    let web = Guarded::start(&environment, "WebFunction", env!("CARGO_BIN_EXE_lambda_web")).await;
    let past = visitor(&web.lambda).get("/sign-in").send().await.expect(403);
    assert!(past.text().contains("Use its public address"), "{}", past.text());
    // CloudFront appends the viewer's address after the viewer's own value and before its own address.
    let ann = web.visitor().always("x-forwarded-for", "10.0.0.9, 198.51.100.5, 203.0.113.24");
    let form = [
        ("name", "Ann"),
        ("email", "ann@holdfast.test"),
        ("password", "correct horse battery"),
        ("code", CODE),
    ];
    ann.post("/sign-up").form(&form).send().await.expect(303);
    ann.post("/sign-in").form(&form[1..3]).send().await.expect(303);
    ann.get("/api/me").send().await.expect(200);
    for (network, is_counted) in [("198.51.100.5", true), ("10.0.0.9", false), ("203.0.113.24", false)] {
        let key = Key::new(format!("ATTEMPTS#NETWORK#{network}"), "ATTEMPTS");
        assert_eq!(web.workspace.app.dynamo.get(&key).await.unwrap().is_some(), is_counted, "{network}");
    }

    let admin = web.program(Role::Administrator).await;
    let lead: Value =
        admin.post("/api/leads").json(&new_lead("Lead", "lead@example.com")).send().await.expect(201).json();
    let path = format!("/api/leads/{}", lead["id"].as_str().unwrap());
    for query in [
        "",
        "sort=score",
        "status=PROSPECT",
        "status=PROSPECT&sort=score",
        "state=NY",
        "state=NY&sort=score",
        "status=PROSPECT&state=NY",
        "status=PROSPECT&state=NY&sort=score",
        "stock=UNASSIGNED",
        "stock=UNASSIGNED&state=NY",
    ] {
        let page: Value = admin.get(&format!("/api/leads?{query}")).send().await.expect(200).json();
        assert_eq!(page["items"], json!([lead]), "{query}");
    }
    admin.patch(&path).header("if-match", "\"1\"").json(&json!({ "leadScore": 80 })).send().await.expect(200);
    admin.get(&format!("{path}/history")).send().await.expect(200);
    admin.delete(&path).header("if-match", "\"2\"").send().await.expect(204);

    // A cap follows the default again.
    use_default_cap(&admin, "CA").await.expect(200);
    web.assert_exact();
}

/// Makes a state's cap follow the default.
async fn use_default_cap(agent: &Client, state: &str) -> Response {
    let set = async |body: Value| agent.put("/api/leads/caps").json(&body).send().await;
    let own = set(json!({ "state": state, "cap": 20, "version": 1 })).await;
    if own.status != 200 {
        return own;
    }
    set(json!({ "state": state, "cap": null, "version": 2 })).await
}

/// Commands that use every list of leads that a command can use, and one that writes a large order.
const COMMANDS: [&str; 7] = [
    "get_leads",
    "get_leads status=prospect",
    "get_leads state=NY",
    "get_leads status=prospect state=NY",
    "get_leads status=unassigned",
    "get_leads status=unassigned state=NY",
    "create_order customer_name=Acme customer_email=buy@acme.example requested_states=NY quantity_per_state=64",
];

/// Creates a rule for each command, and the leads that they need.
async fn rules(workspace: &Workspace, on: &str) {
    let admin = workspace.program(Role::Administrator).await;
    for command in COMMANDS {
        let rule = json!({ "name": command, "on": on, "command": command });
        admin.post("/api/automation/rules").json(&rule).send().await.expect(201);
    }
    // So many leads that a large order writes parts between its first and last transaction.
    set_cap(workspace, "NY", 100).await;
    stock(workspace, "NY", 64).await;
}

/// The number of runs that are done.
async fn done(workspace: &Workspace) -> usize {
    let admin = workspace.program(Role::Administrator).await;
    let runs: Value = admin.get("/api/automation/runs?state=DONE").send().await.expect(200).json();
    runs["items"].as_array().unwrap().len()
}

fn event(file: &str) -> Value {
    let path = format!("{}/tests/fixtures/events/{file}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

async fn the_stream_function_uses_all_its_grants_and_no_other(environment: TestEnvironment) {
    let stream = Guarded::start(&environment, "StreamFunction", env!("CARGO_BIN_EXE_lambda_stream")).await;
    rules(&stream.workspace, "lead.created").await;
    let mut event = event("stream");
    let records = event["Records"].as_array_mut().unwrap();
    records.truncate(1);
    for name in ["createdAt", "updatedAt"] {
        records[0]["dynamodb"]["NewImage"][name] = json!({ "S": "2026-11-21T22:04:00Z" });
    }
    records[0]["dynamodb"]["NewImage"]["updatedBy"] = json!({ "S": "Ann" });
    assert_eq!(stream.lambda.invoke(event).await, json!({ "batchItemFailures": [] }));
    assert_eq!(done(&stream.workspace).await, COMMANDS.len());
    stream.assert_exact();
}

async fn the_sweeper_function_uses_all_its_grants_and_no_other(environment: TestEnvironment) {
    let sweeper = Guarded::start(&environment, "SweeperFunction", env!("CARGO_BIN_EXE_lambda_sweeper")).await;
    let hour_ago = Clock::from_fn(|| Timestamp::now() - SignedDuration::from_hours(1));
    let workspace = &sweeper.workspace;
    rules(&workspace.clone().with_clock(hour_ago.clone()), "every 15m").await;
    // An order that was interrupted an hour ago.
    set_cap(workspace, "CA", 100).await;
    stock(workspace, "CA", 40).await;
    let wire = environment.another_wire();
    let cut = workspace.another(&environment, &wire, TEST_RETRIES).with_clock(hour_ago);
    let made = interrupt(&wire, 1, async move { create_order(&cut, &["CA"], Some(40)).await }).await;
    assert!(made.is_none());

    let asked = json!({ "sweeps": 1, "secondsBetween": 0 });
    assert_eq!(sweeper.lambda.invoke(asked).await, json!({ "sweeps": 1 }));
    assert_eq!(done(workspace).await, COMMANDS.len());
    let pending = workspace.app.dynamo.select(&Select::partition("UNSETTLED", 5)).await.unwrap();
    assert!(pending.items.is_empty());
    sweeper.assert_exact();
}

async fn the_inventory_function_uses_all_its_grants_and_no_other(environment: TestEnvironment) {
    let inventory =
        Guarded::start(&environment, "InventoryFunction", env!("CARGO_BIN_EXE_lambda_inventory")).await;
    let batch = event("kafka-msk");
    // A sale of more than the stock, alone in its batch.
    let mut refused = batch.clone();
    let sale = json!({
        "schema": 1, "messageId": "m-99", "sku": "85123A", "kind": "SALE", "quantity": 1000,
        "occurredAt": "2010-12-01T09:00:00Z",
    });
    let records = &mut refused["records"];
    records.as_object_mut().unwrap().remove("inventory-events-1");
    records["inventory-events-0"].as_array_mut().unwrap().truncate(1);
    records["inventory-events-0"][0]["offset"] = json!(99);
    records["inventory-events-0"][0]["value"] = STANDARD.encode(sale.to_string()).into();
    for event in [&batch, &refused, &batch] {
        assert_eq!(inventory.lambda.invoke(event.clone()).await, json!({ "batchItemFailures": [] }));
    }
    inventory.assert_exact();
}

async fn a_removed_grant_is_reported_as_denied(environment: TestEnvironment) {
    let (function, bootstrap) = ("WebFunction", env!("CARGO_BIN_EXE_lambda_web"));
    for (missing, state) in
        [("dynamodb:Query on Table/index/all-newest", "CA"), ("dynamodb:ConditionCheckItem on Table", "NY")]
    {
        let mut grants = Template::read().grants(function);
        grants.retain(|grant| grant.to_string() != missing);
        let web = Guarded::with_grants(&environment, function, bootstrap, grants).await;
        let agent = web.program(Role::Agent).await;
        let (list, cap) = (agent.get("/api/leads").send().await, use_default_cap(&agent, state).await);
        let (without, with) = if missing.contains("index") { (list, cap) } else { (cap, list) };
        without.expect(500);
        with.expect(200);
        assert_eq!(web.guard.denied(), [missing]);
        let grants = web.lambda.output();
        assert!(grants.contains("AccessDeniedException"), "{grants}");
    }
}

async fn every_form_of_a_policy_in_a_template_is_parsed(_: TestEnvironment) {
    let template = Template::of(
        r#"
Parameters: {SignUp: {Default: "open"}, Level: {Default: info}}
Resources:
  Table: {Properties: {GlobalSecondaryIndexes: [{IndexName: a}, {IndexName: b}]}}
  Function:
    Properties:
      Role: !GetAtt Role.Arn
      Environment:
        Variables:
          LEVEL: !Ref Level
          SIGN_UP: !Ref SignUp
          TABLE: !Ref Table
          KEY: !Ref Key
          CODE: !If [Invited, !Ref Code, !Ref AWS::NoValue]
          NOTHING: !If [Invited, !Ref AWS::NoValue, x]
          PLAIN: "true"
  Role:
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - {Effect: Allow, Action: [dynamodb:GetItem, dynamodb:Query], Resource: !GetAtt Table.Arn}
              - {Effect: Allow, Action: dynamodb:Query, Resource: !Sub "${Table.Arn}/index/*"}
              - {Effect: Allow, Action: [dynamodb:GetRecords], Resource: [!GetAtt Table.StreamArn]}
              - {Effect: Allow, Action: logs:PutLogEvents, Resource: "*"}
        - PolicyDocument:
            Statement:
              - Fn::If:
                  - Invited
                  - {Effect: Allow, Action: [secretsmanager:GetSecretValue], Resource: [!Ref Key, !Ref Code]}
                  - !Ref AWS::NoValue
"#,
    );
    let grants: Vec<_> = template.grants("Function").iter().map(Grant::to_string).collect();
    let expected = [
        "dynamodb:GetItem on Table",
        "dynamodb:Query on Table",
        "dynamodb:Query on Table/index/a",
        "dynamodb:Query on Table/index/b",
        "secretsmanager:GetSecretValue on Code",
        "secretsmanager:GetSecretValue on Key",
    ];
    assert_eq!(grants, expected);
    let environment = template.environment("Function", &[("Table", "holdfast"), ("SignUp", "invitation")]);
    let variables: Vec<_> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let expected =
        ["CODE=Code", "KEY=Key", "LEVEL=info", "PLAIN=true", "SIGN_UP=invitation", "TABLE=holdfast"];
    assert_eq!(variables, expected);
}

async fn a_call_needs_the_actions_that_aws_authorizes(_: TestEnvironment) {
    let item = |table: &str| json!({ "TableName": table });
    for (target, body, needed) in [
        ("DynamoDB_20120810.GetItem", item("holdfast"), &["dynamodb:GetItem on Table"][..]),
        ("DynamoDB_20120810.Query", item("holdfast"), &["dynamodb:Query on Table"]),
        (
            "DynamoDB_20120810.Query",
            json!({ "TableName": "holdfast", "IndexName": "all-newest" }),
            &["dynamodb:Query on Table/index/all-newest"],
        ),
        ("DynamoDB_20120810.Scan", item("other"), &["dynamodb:Scan on other"]),
        ("DynamoDB_20120810.ListTables", json!({}), &["dynamodb:ListTables on *"]),
        (
            "DynamoDB_20120810.BatchGetItem",
            json!({ "RequestItems": { "holdfast": {} } }),
            &["dynamodb:BatchGetItem on Table"],
        ),
        (
            "DynamoDB_20120810.TransactWriteItems",
            json!({ "TransactItems": [
                { "Put": item("holdfast") }, { "Update": item("holdfast") }, { "Delete": item("other") },
                { "ConditionCheck": item("holdfast") },
            ] }),
            &[
                "dynamodb:PutItem on Table",
                "dynamodb:UpdateItem on Table",
                "dynamodb:DeleteItem on other",
                "dynamodb:ConditionCheckItem on Table",
            ],
        ),
        (
            "DynamoDB_20120810.TransactGetItems",
            json!({ "TransactItems": [{ "Get": item("holdfast") }] }),
            &["dynamodb:GetItem on Table"],
        ),
        (
            "secretsmanager.GetSecretValue",
            json!({ "SecretId": "CookieKey" }),
            &["secretsmanager:GetSecretValue on CookieKey"],
        ),
    ] {
        let grants: Vec<_> = needs(target, &body, "holdfast").iter().map(Grant::to_string).collect();
        assert_eq!(grants, needed, "{target}");
    }
}
