//! The differential test: the same random operations go to the in-memory engine and to DynamoDB Local, and all
//! answers must be equal: items, pages, error codes, cancellation reasons with old items, and finally the stream.
//!
//! Accepted differences, each with its source:
//! - Texts of messages. DynamoDB Local's texts often differ from DynamoDB's.
//! - The format of numbers. DynamoDB and the engine return `1.50` as `1.5` ("Amazon DynamoDB Developer Guide", data
//!   types: leading and trailing zeros are trimmed); DynamoDB Local returns the text that was written.
//! - The order of a set's elements ("Developer Guide": the order within a set is not preserved).
//! - A transaction whose update does not fit the stored item. DynamoDB cancels it with the reason `ValidationError`
//!   ("API Reference", TransactWriteItems, errors, "Validation Error"); DynamoDB Local answers `ValidationException`.
//! - Two actions of a transaction on one item. DynamoDB refuses the request ("API Reference", TransactWriteItems,
//!   errors: "the same item"); DynamoDB Local sometimes checks the conditions first.
//! - The order of items with the same index key, and of partitions in a Scan. DynamoDB promises none.
//! - The order of stream records of different items. DynamoDB promises the order for each item.
//! - The bytes of an index's page. DynamoDB counts what the index projects ("Developer Guide", Query, capacity
//!   units); DynamoDB Local counts whole items. Large items of this test are in no index that projects less.
//! - The bytes of a page with a filter. DynamoDB reads 1 MB and then applies the filter ("Developer Guide", Query, filter
//!   expressions); DynamoDB Local counts only the items that pass. No filter of this test reads more than 1 MB.
//! - A stream of DynamoDB Local with `{}` for a value, which no SDK can parse (observed, not explained). It is not
//!   compared.
//! - Consumed capacity. DynamoDB Local bills indexes twice inside transactions (issue 13); the engine's unit tests
//!   assert AWS's rule.
//! - Which of two errors a request reports. A malformed request of this test has only one defect, but it may also
//!   repeat a token.

mod answer;
mod expressions;
mod generate;
mod rng;
mod stream;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodbstreams::Client as StreamsClient;
use holdfast::engine::Engine;
use jiff::Timestamp;

use self::answer::{Answer, TestOperation};
use self::generate::Generator;

/// The result of a comparison.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// The number of equal answers for each kind of operation.
    pub operations: BTreeMap<String, usize>,
    /// The number of answers with each error code.
    pub errors: BTreeMap<String, usize>,
    /// The number of times that each accepted difference occurred.
    pub accepted: BTreeMap<&'static str, usize>,
    /// The number of equal stream records.
    pub records: usize,
}

/// Sends `steps` random operations to the engine and to DynamoDB Local, and compares all answers. The same seed
/// sends the same operations. It creates a separate table and deletes it at the end.
///
/// # Errors
/// The first unaccepted difference, with the operation and both answers.
pub async fn compare(
    client: Client,
    streams: StreamsClient,
    seed: u64,
    steps: usize,
) -> Result<Report, String> {
    let engine = Engine::in_memory(|| Timestamp::UNIX_EPOCH);
    let table = format!("differential-{seed}-{}", std::process::id());
    let mut generator = Generator::new(seed, &table);
    let mut report = Report::default();
    let create = generator.create_table();
    create.clone().send_with(&client).await.map_err(|error| format!("CreateTable: {error:?}"))?;
    let input = create.build().map_err(|error| error.to_string())?;
    engine.create_table(input).map_err(|error| error.to_string())?;
    let outcome = run(&client, &engine, &mut generator, steps, &mut report).await;
    let outcome = match outcome {
        Ok(()) => stream::compare(&streams, &engine, &table).await,
        Err(difference) => Err(difference),
    };
    let _ = client.delete_table().table_name(&table).send().await;
    match outcome.map_err(|difference| format!("seed {seed}, {difference}"))? {
        Some(records) => report.records = records,
        None => drop(report.accepted.insert("DynamoDB Local's stream cannot be read", 1)),
    }
    Ok(report)
}

async fn run(
    client: &Client,
    engine: &Engine,
    generator: &mut Generator,
    steps: usize,
    report: &mut Report,
) -> Result<(), String> {
    for step in 0..steps {
        let sent = generator.operation();
        let mut next = Some(sent);
        while let Some(sent) = next {
            let reference = sent.to_dynamodb(client).await?;
            let ours = sent.to_engine(engine)?;
            next = sent.next_page(&ours);
            if let Some(why) =
                check(&sent, &reference, &ours).map_err(|difference| format!("step {step}, {difference}"))?
            {
                *report.accepted.entry(why).or_default() += 1;
            }
            *report.operations.entry(sent.name().to_owned()).or_default() += 1;
            if let Answer::Refused { code, .. } = &ours {
                *report.errors.entry(code.clone()).or_default() += 1;
            }
        }
    }
    Ok(())
}

/// Compares two answers. Returns the accepted difference, if there is one.
fn check(sent: &TestOperation, reference: &Answer, ours: &Answer) -> Result<Option<&'static str>, String> {
    if reference == ours {
        return Ok(None);
    }
    if let (Answer::Refused { code, .. }, Answer::Refused { code: our_code, reasons, message, .. }) =
        (reference, ours)
    {
        if code == "TransactionCanceledException" && message.0.contains("multiple operations on one item") {
            return Ok(Some("two actions on one item"));
        }
        if code == "IdempotentParameterMismatchException" && our_code == "ValidationException" {
            return Ok(Some("a malformed request with a token that was used"));
        }
        let does_not_fit = reasons.iter().any(|(code, _)| code == "ValidationError");
        if code == "ValidationException" && our_code == "TransactionCanceledException" && does_not_fit {
            return Ok(Some("an update that does not fit cancels the transaction"));
        }
    }
    let sent = format!("{sent:?}");
    let given = sent.split(", ").filter(|field| !field.ends_with(": None")).collect::<Vec<_>>().join(", ");
    Err(format!("{given}\nDynamoDB Local: {reference:?}\nthe engine: {ours:?}"))
}
