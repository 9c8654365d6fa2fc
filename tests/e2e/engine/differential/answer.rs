//! Operations for both engines, and their answers in a form that can be compared.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::batch_get_item::builders::BatchGetItemInputBuilder;
use aws_sdk_dynamodb::operation::batch_write_item::builders::BatchWriteItemInputBuilder;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemInputBuilder;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemInputBuilder;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemInputBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::operation::scan::builders::ScanInputBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsInputBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemInputBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason};
use holdfast::engine::{Engine, EngineError};

type Item = HashMap<String, AttributeValue>;

/// An operation.
#[derive(Debug, Clone)]
pub enum TestOperation {
    Get(GetItemInputBuilder),
    BatchGet(BatchGetItemInputBuilder),
    Put(PutItemInputBuilder),
    Update(UpdateItemInputBuilder),
    Delete(DeleteItemInputBuilder),
    Transact(TransactWriteItemsInputBuilder),
    BatchWrite(BatchWriteItemInputBuilder),
    /// A page of a query, and whether the order of its items is defined.
    Query(QueryInputBuilder, bool),
    /// All pages of a scan: the order of partitions, and so each page, depends on the store.
    Scan(ScanInputBuilder),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Items in a canonical form, with counts and keys as text.
    Done { items: Vec<String>, rest: String, last: Option<Item> },
    /// An error: its code, its cancellation reasons, its item.
    Refused { code: String, reasons: Vec<(String, String)>, item: String, message: Message },
}

/// The message of an error. All messages compare as equal.
#[derive(Debug, Clone)]
pub struct Message(pub String);

impl PartialEq for Message {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The text form of a value, with sets sorted and numbers normalized.
pub fn canonical(value: &AttributeValue) -> String {
    let list = |mut texts: Vec<String>| {
        texts.sort();
        texts.join(",")
    };
    match value {
        AttributeValue::N(text) => format!("N({})", normalized(text)),
        AttributeValue::Ns(texts) => {
            format!("NS({})", list(texts.iter().map(|text| normalized(text)).collect()))
        }
        AttributeValue::Ss(texts) => {
            format!("SS({})", list(texts.iter().map(|text| format!("{text:?}")).collect()))
        }
        AttributeValue::Bs(blobs) => {
            format!("BS({})", list(blobs.iter().map(|blob| format!("{:?}", blob.as_ref())).collect()))
        }
        AttributeValue::L(values) => {
            format!("L({})", values.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        AttributeValue::M(map) => format!("M({})", canonical_item(map)),
        other => format!("{other:?}"),
    }
}

/// The text form of an item.
pub fn canonical_item(item: &Item) -> String {
    let sorted: BTreeMap<_, _> = item.iter().map(|(name, value)| (name, canonical(value))).collect();
    sorted.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("; ")
}

/// A number as sign, digits and exponent. It shares no code with the engine's own numbers.
fn normalized(text: &str) -> String {
    let lower = text.to_lowercase();
    let (mantissa, power) = lower.split_once('e').unwrap_or((&lower, "0"));
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let mantissa = mantissa.trim_start_matches(['+', '-']);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let power: i64 = power.parse::<i64>().expect("DynamoDB gives numbers") - fraction.len() as i64;
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let stripped = significant.trim_end_matches('0');
    if stripped.is_empty() {
        return "0".to_owned();
    }
    format!("{sign}{stripped}e{}", power + (significant.len() - stripped.len()) as i64)
}

fn one(item: Option<Item>) -> Vec<String> {
    item.iter().map(canonical_item).collect()
}

fn done(items: Vec<String>, rest: String) -> Answer {
    Answer::Done { items, rest, last: None }
}

fn many(items: Option<Vec<Item>>, ordered: bool) -> Vec<String> {
    let mut items: Vec<String> = items.unwrap_or_default().iter().map(canonical_item).collect();
    if !ordered {
        items.sort();
    }
    items
}

fn refused(
    code: Option<&str>,
    message: Option<&str>,
    reasons: &[CancellationReason],
    item: Option<&Item>,
) -> Answer {
    let message = Message(message.unwrap_or_default().to_owned());
    let text =
        |item: Option<&Item>| item.filter(|item| !item.is_empty()).map(canonical_item).unwrap_or_default();
    let reasons = reasons.iter().map(|reason| {
        let code = reason.code().unwrap_or("None").to_owned();
        (code, text(reason.item()))
    });
    Answer::Refused {
        code: code.unwrap_or("?").to_owned(),
        reasons: reasons.collect(),
        item: text(item),
        message,
    }
}

type Failed<'a> = (&'a [CancellationReason], Option<&'a Item>);

fn from_sdk<O, E: ProvideErrorMetadata + std::fmt::Debug>(
    answer: Result<O, SdkError<E>>,
    details: impl for<'a> FnOnce(&'a E) -> Failed<'a>,
    ok: impl FnOnce(O) -> Answer,
) -> Result<Answer, String> {
    match answer {
        Ok(output) => Ok(ok(output)),
        Err(error) => {
            let service = error.as_service_error().ok_or_else(|| format!("no answer: {error:?}"))?;
            let (reasons, item) = details(service);
            Ok(refused(service.code(), service.message(), reasons, item))
        }
    }
}

fn from_engine<O>(answer: Result<O, EngineError>, ok: impl FnOnce(O) -> Answer) -> Answer {
    match answer {
        Ok(output) => ok(output),
        Err(error) => {
            refused(Some(error.code.as_str()), Some(&error.message), &error.reasons, error.item.as_ref())
        }
    }
}

fn nothing<E>(_: &E) -> Failed<'_> {
    (&[], None)
}

fn of_batch(responses: Option<HashMap<String, Vec<Item>>>) -> Answer {
    done(many(Some(responses.unwrap_or_default().into_values().flatten().collect()), false), String::new())
}

fn of_page(items: Option<Vec<Item>>, counts: (i32, i32), last: Option<Item>, ordered: bool) -> Answer {
    let last = last.filter(|last| !last.is_empty());
    let place =
        if ordered { last.as_ref().map(canonical_item) } else { last.as_ref().map(|_| "more".to_owned()) };
    Answer::Done {
        items: many(items, ordered),
        rest: format!("{counts:?} {place:?}"),
        last: last.filter(|_| ordered),
    }
}

/// The pages of a scan that were read.
#[derive(Debug, Default)]
struct ScannedPages {
    items: Vec<Item>,
    counts: (i32, i32),
}

impl ScannedPages {
    /// Adds a page and returns the key after which the next one starts.
    fn add(&mut self, page: ScanOutput) -> Option<Item> {
        self.counts = (self.counts.0 + page.count, self.counts.1 + page.scanned_count);
        self.items.extend(page.items.unwrap_or_default());
        page.last_evaluated_key
    }

    fn answer(self) -> Answer {
        of_page(Some(self.items), self.counts, None, false)
    }
}

async fn scan_dynamodb(scan: &ScanInputBuilder, client: &Client) -> Result<Answer, String> {
    let (mut pages, mut start) = (ScannedPages::default(), None);
    loop {
        let page = scan.clone().set_exclusive_start_key(start).send_with(client).await;
        let Ok(page) = page else {
            return from_sdk(page, nothing, |_| done(vec![], String::new()));
        };
        start = pages.add(page).filter(|last| !last.is_empty());
        if start.is_none() {
            return Ok(pages.answer());
        }
    }
}

fn scan_engine(scan: &ScanInputBuilder, engine: &Engine) -> Result<Answer, String> {
    let (mut pages, mut start) = (ScannedPages::default(), None);
    loop {
        let input = scan.clone().set_exclusive_start_key(start).build().map_err(|error| error.to_string())?;
        let page = engine.scan(&input);
        let Ok(page) = page else {
            return Ok(from_engine(page, |_| done(vec![], String::new())));
        };
        start = pages.add(page);
        if start.is_none() {
            return Ok(pages.answer());
        }
    }
}

/// The details of errors of this type: the item at which the condition failed.
macro_rules! details_of {
    ($error:ident) => {{
        fn details(error: &$error) -> Failed<'_> {
            match error {
                $error::ConditionalCheckFailedException(failed) => (&[], failed.item()),
                _ => (&[], None),
            }
        }
        details
    }};
}

impl TestOperation {
    /// The operation's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Get(_) => "GetItem",
            Self::BatchGet(_) => "BatchGetItem",
            Self::Put(_) => "PutItem",
            Self::Update(_) => "UpdateItem",
            Self::Delete(_) => "DeleteItem",
            Self::Transact(_) => "TransactWriteItems",
            Self::BatchWrite(_) => "BatchWriteItem",
            Self::Query(..) => "Query",
            Self::Scan(_) => "Scan",
        }
    }

    /// The query for the page after this answer.
    pub fn next_page(&self, answer: &Answer) -> Option<Self> {
        match (self, answer) {
            (Self::Query(query, ordered), Answer::Done { last: Some(last), .. }) => {
                Some(Self::Query(query.clone().set_exclusive_start_key(Some(last.clone())), *ordered))
            }
            _ => None,
        }
    }

    /// Sends it to DynamoDB Local.
    pub async fn to_dynamodb(&self, client: &Client) -> Result<Answer, String> {
        match self.clone() {
            Self::Get(get) => {
                from_sdk(get.send_with(client).await, nothing, |output| done(one(output.item), String::new()))
            }
            Self::BatchGet(get) => {
                from_sdk(get.send_with(client).await, nothing, |output| of_batch(output.responses))
            }
            Self::Put(put) => from_sdk(put.send_with(client).await, details_of!(PutItemError), |output| {
                done(one(output.attributes), String::new())
            }),
            Self::Update(update) => {
                from_sdk(update.send_with(client).await, details_of!(UpdateItemError), |output| {
                    done(one(output.attributes), String::new())
                })
            }
            Self::Delete(delete) => {
                from_sdk(delete.send_with(client).await, details_of!(DeleteItemError), |output| {
                    done(one(output.attributes), String::new())
                })
            }
            Self::Transact(transact) => {
                fn details(error: &TransactWriteItemsError) -> Failed<'_> {
                    match error {
                        TransactWriteItemsError::TransactionCanceledException(canceled) => {
                            (canceled.cancellation_reasons(), None)
                        }
                        _ => (&[], None),
                    }
                }
                from_sdk(transact.send_with(client).await, details, |_| done(vec![], String::new()))
            }
            Self::BatchWrite(batch) => {
                from_sdk(batch.send_with(client).await, nothing, |_| done(vec![], String::new()))
            }
            Self::Query(query, ordered) => from_sdk(query.send_with(client).await, nothing, |output| {
                of_page(
                    output.items,
                    (output.count, output.scanned_count),
                    output.last_evaluated_key,
                    ordered,
                )
            }),
            Self::Scan(scan) => scan_dynamodb(&scan, client).await,
        }
    }

    /// Sends it to the engine.
    pub fn to_engine(&self, engine: &Engine) -> Result<Answer, String> {
        let built = |error: aws_sdk_dynamodb::error::BuildError| error.to_string();
        Ok(match self.clone() {
            Self::Get(get) => from_engine(engine.get_item(&get.build().map_err(built)?), |output| {
                done(one(output.item), String::new())
            }),
            Self::BatchGet(get) => {
                from_engine(engine.batch_get_item(&get.build().map_err(built)?), |output| {
                    of_batch(output.responses)
                })
            }
            Self::Put(put) => from_engine(engine.put_item(put.build().map_err(built)?), |output| {
                done(one(output.attributes), String::new())
            }),
            Self::Update(update) => {
                from_engine(engine.update_item(update.build().map_err(built)?), |output| {
                    done(one(output.attributes), String::new())
                })
            }
            Self::Delete(delete) => {
                from_engine(engine.delete_item(delete.build().map_err(built)?), |output| {
                    done(one(output.attributes), String::new())
                })
            }
            Self::Transact(transact) => {
                from_engine(engine.transact_write_items(transact.build().map_err(built)?), |_| {
                    done(vec![], String::new())
                })
            }
            Self::BatchWrite(batch) => {
                from_engine(engine.batch_write_item(batch.build().map_err(built)?), |_| {
                    done(vec![], String::new())
                })
            }
            Self::Query(query, ordered) => {
                from_engine(engine.query(&query.build().map_err(built)?), |output| {
                    of_page(
                        output.items,
                        (output.count, output.scanned_count),
                        output.last_evaluated_key,
                        ordered,
                    )
                })
            }
            Self::Scan(scan) => scan_engine(&scan, engine)?,
        })
    }
}
