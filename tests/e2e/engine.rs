//! The embedded engine compared with DynamoDB Local: the same random operations get the same answers.

mod differential;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodbstreams::Client as StreamsClient;

use crate::support::case::scaled;
use crate::support::connector::Wire;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![dynamodb: random_operations_get_the_same_answers_as_from_dynamodb_local]
}

async fn random_operations_get_the_same_answers_as_from_dynamodb_local(environment: TestEnvironment) {
    // A separate wire: the application never sends a Scan, but these operations do.
    let wire = Wire::new();
    let client = Client::from_conf(environment.engine().sdk_config(&wire).build());
    let streams = StreamsClient::from_conf(environment.engine().streams_config(&wire).build());
    for _ in 0..scaled(2, 20) {
        let seed = match std::env::var("HOLDFAST_TESTS_SEED") {
            Ok(seed) => seed.parse().expect("HOLDFAST_TESTS_SEED is the number of a failed run"),
            Err(_) => getrandom::u64().unwrap(),
        };
        let steps = scaled(200, 500);
        let compared = differential::compare(client.clone(), streams.clone(), seed, steps).await;
        let report = compared.unwrap_or_else(|difference| panic!("{difference}"));
        println!("seed {seed}: {report:?}");
        let answered: usize = report.operations.values().sum();
        assert!(answered >= steps, "{answered} of {steps} operations were compared");
        assert!(report.operations.len() > 8 && report.errors.len() > 2, "{report:?}");
    }
}
