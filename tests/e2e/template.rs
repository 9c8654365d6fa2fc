//! What the template says about costs, new accounts, failures and Kafka, which no deployment can show here.

use std::collections::BTreeSet;

use holdfast::base::telemetry::{ESSENTIAL, Metrics};
use holdfast::web::origin;
use serde_yaml_ng::Value as Yaml;

use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        embedded: a_new_account_can_deploy_and_important_resources_are_retained,
            the_throttling_alarms_watch_the_table_and_every_index,
            records_are_retried_for_as_long_as_the_documentation_says,
            each_stack_reads_kafka_with_its_own_group,
            the_essential_alarms_are_always_on_and_cost_little,
            an_essential_alarm_watches_a_metric_that_is_always_sent,
            cloudfront_sends_the_key_that_the_function_expects,
            parameters_warm_and_cap_the_table_and_its_indexes
    ]
}

/// All functions of the template.
pub const FUNCTIONS: [&str; 4] = ["WebFunction", "StreamFunction", "SweeperFunction", "InventoryFunction"];

fn template() -> Yaml {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml")).unwrap();
    serde_yaml_ng::from_str(&text).unwrap()
}

async fn a_new_account_can_deploy_and_important_resources_are_retained(_: TestEnvironment) {
    let template = template();
    let resources = &template["Resources"];
    for function in FUNCTIONS {
        let reserved = &resources[function]["Properties"]["ReservedConcurrentExecutions"];
        assert!(reserved.is_null(), "{function}: a new account has no concurrency to reserve");
    }
    for kept in ["Table", "DataKey", "StreamFailures", "InventoryFailures"] {
        let policy = |name: &str| resources[kept][name].as_str();
        assert_eq!(policy("DeletionPolicy"), Some("RetainExceptOnCreate"), "{kept}");
        assert_eq!(policy("UpdateReplacePolicy"), Some("Retain"), "{kept}");
    }
}

async fn the_throttling_alarms_watch_the_table_and_every_index(_: TestEnvironment) {
    let template = template();
    for (alarm, metric) in
        [("TableThrottlesAlarm", "WriteThrottleEvents"), ("TableReadThrottlesAlarm", "ReadThrottleEvents")]
    {
        let alarm = &template["Resources"][alarm];
        assert!(alarm["Condition"].is_null(), "the alarm is always on");
        let Yaml::Tagged(expression) = &alarm["Properties"]["Metrics"][0]["Expression"] else {
            panic!("the expression names the table");
        };
        // Without a SCHEMA the query covers the table and each index.
        let expected = format!("SELECT SUM({metric}) FROM \"AWS/DynamoDB\" WHERE TableName = '${{Table}}'");
        assert_eq!(expression.value.as_str(), Some(&*expected));
    }
}

async fn records_are_retried_for_as_long_as_the_documentation_says(_: TestEnvironment) {
    let template = template();
    let resources = &template["Resources"];
    let stream = &resources["StreamFunction"]["Properties"]["Events"]["Changes"]["Properties"];
    for (source, seconds) in [
        (stream, 6 * 3_600),
        (&resources["MskMapping"]["Properties"], 24 * 3_600),
        (&resources["OwnKafkaMapping"]["Properties"], 24 * 3_600),
    ] {
        assert_eq!(source["MaximumRetryAttempts"].as_i64(), Some(-1), "only the age limits retries");
        assert_eq!(source["MaximumRecordAgeInSeconds"].as_i64(), Some(seconds));
    }
    let handbook =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
    assert!(handbook.contains("for six hours") && handbook.contains("for a day"));
}

async fn each_stack_reads_kafka_with_its_own_group(_: TestEnvironment) {
    let template = template();
    for (mapping, config) in [
        ("MskMapping", "AmazonManagedKafkaEventSourceConfig"),
        ("OwnKafkaMapping", "SelfManagedKafkaEventSourceConfig"),
    ] {
        let group = &template["Resources"][mapping]["Properties"][config]["ConsumerGroupId"];
        let text = serde_yaml_ng::to_string(group).unwrap();
        assert!(text.contains("${AWS::StackName}") && text.contains("AWS::StackId"), "{text}");
    }
    let access = &template["Resources"]["OwnKafkaMapping"]["Properties"]["SourceAccessConfigurations"];
    let text = serde_yaml_ng::to_string(access).unwrap();
    for kind in ["SASL_SCRAM_512_AUTH", "SERVER_ROOT_CA_CERTIFICATE", "VPC_SUBNET", "VPC_SECURITY_GROUP"] {
        assert!(text.contains(kind), "{kind}: {text}");
    }
}

async fn an_essential_alarm_watches_a_metric_that_is_always_sent(_: TestEnvironment) {
    let template = template();
    let resources = template["Resources"].as_mapping().unwrap();
    let essential = resources.iter().filter(|(_, one)| {
        let metric = &one["Properties"];
        one["Type"].as_str() == Some("AWS::CloudWatch::Alarm")
            && one["Condition"].is_null()
            && metric["Namespace"].as_str() == Some("Holdfast")
    });
    let mut watched = 0;
    for (name, alarm) in essential {
        let metric = alarm["Properties"]["MetricName"].as_str().unwrap();
        watched += 1;
        assert!(
            ESSENTIAL.contains(&metric),
            "{name:?} watches {metric}, which is sent with detailed metrics only"
        );
    }
    assert!(watched > 0, "no alarm watches a metric of ours");
}

/// Resources with a fixed monthly price depend on a parameter, except the alarms that need action.
async fn the_essential_alarms_are_always_on_and_cost_little(_: TestEnvironment) {
    let template = template();
    let resources = template["Resources"].as_mapping().unwrap();
    let alarms = resources.iter().filter(|(_, one)| one["Type"].as_str() == Some("AWS::CloudWatch::Alarm"));
    let (always, sometimes): (Vec<_>, Vec<_>) = alarms.partition(|(_, alarm)| alarm["Condition"].is_null());
    let name = |(name, _): &(&Yaml, &Yaml)| name.as_str().unwrap().to_owned();
    let names: BTreeSet<_> = always.iter().map(name).collect();
    let essential = [
        "ApiFailuresAlarm",
        "DeadLettersAlarm",
        "StreamBehindAlarm",
        "StreamFailuresAlarm",
        "SweeperSilentAlarm",
        "TableReadThrottlesAlarm",
        "TableThrottlesAlarm",
        "WebErrorsAlarm",
        "WebFailuresAlarm",
        "WorkerErrorsAlarm",
    ];
    assert_eq!(names, essential.map(str::to_owned).into());
    let conditions: BTreeSet<_> =
        sometimes.iter().map(|(_, alarm)| alarm["Condition"].as_str().unwrap()).collect();
    assert_eq!(conditions, ["ReadsKafka", "WatchesAll"].into());
    // Each metric of an alarm costs $0.10 a month: at most 13 without requests and without a topic.
    let metrics = |alarm: &Yaml| match &alarm["Properties"]["Metrics"] {
        Yaml::Sequence(metrics) => metrics.iter().filter(|one| one["MetricStat"].is_mapping()).count().max(1),
        _ => 1,
    };
    let counted: usize = always.iter().map(|(_, alarm)| metrics(alarm)).sum();
    assert!(counted <= 13, "{counted} metrics");
    assert_eq!(template["Resources"]["Dashboard"]["Condition"].as_str(), Some("WatchesAll"));
    assert_eq!(template["Parameters"]["Monitoring"]["Default"].as_str(), Some("essential"));
    for value in template["Parameters"]["Monitoring"]["AllowedValues"].as_sequence().unwrap() {
        assert!(value.as_str().unwrap().parse::<Metrics>().is_ok(), "{value:?}");
    }
}

async fn cloudfront_sends_the_key_that_the_function_expects(_: TestEnvironment) {
    let template = template();
    let resources = &template["Resources"];
    let origin = &resources["Distribution"]["Properties"]["DistributionConfig"]["Origins"][0];
    let header = &origin["OriginCustomHeaders"][0];
    let name = header["HeaderName"].as_str().unwrap();
    assert_eq!(name.to_ascii_lowercase(), origin::HEADER);
    let value = serde_yaml_ng::to_string(&header["HeaderValue"]).unwrap();
    assert!(value.contains("{{resolve:secretsmanager:${OriginKey}:SecretString"), "{value}");
    let generated = &resources["OriginKey"]["Properties"]["GenerateSecretString"];
    let key = "x".repeat(generated["PasswordLength"].as_u64().unwrap().try_into().unwrap());
    assert!(key.parse::<origin::OriginKey>().is_ok());
    assert_eq!(generated["ExcludePunctuation"].as_bool(), Some(true));
}

async fn parameters_warm_and_cap_the_table_and_its_indexes(_: TestEnvironment) {
    let template = template();
    let table = &template["Resources"]["Table"]["Properties"];
    let says = |value: &Yaml, parts: [&str; 2]| {
        let text = serde_yaml_ng::to_string(value).unwrap();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    says(&table["OnDemandThroughput"], ["MaxReadUnits", "MaxWriteUnits"]);
    says(&table["WarmThroughput"], ["WarmReadUnits", "WarmWriteUnits"]);
    for index in table["GlobalSecondaryIndexes"].as_sequence().unwrap() {
        assert_eq!(index["WarmThroughput"], table["WarmThroughput"]);
    }
    for parameter in ["MaxReadUnits", "MaxWriteUnits", "WarmReadUnits", "WarmWriteUnits"] {
        assert_eq!(template["Parameters"][parameter]["Default"].as_i64(), Some(0), "{parameter}");
    }
}
