//! The table: its keys, its indexes and every access pattern of the product, in one place.
//!
//! | what | pk | sk | other attributes |
//! | --- | --- | --- | --- |
//! | lead | `LEAD#<id>` | `LEAD` | the lead's fields, the list attributes, `hold` in a large order, `cause` |
//! | history of a lead | `LEAD#<id>` | `HISTORY#<version, 10 digits>` | version, at, by, action, changes, reason |
//! | e-mail of a lead | `EMAIL#<lower case>` | `EMAIL` | leadId, source |
//! | search word of a lead | `SEARCH#<first character>` | `<word> <lead id>` | leadId, shared, words, status, state |
//! | free lead in the queue of its state | `STATE#<code>` | `FREE#<created, 15 digits of milliseconds>#<lead id>` | the lead's fields |
//! | cap of a state | `STATE#<code>` | `CAP` | cap, own, out, room (what the cap leaves), version, cause |
//! | cap of states without their own | `STATE#DEFAULT` | `CAP` | cap, version |
//! | order | `ORDER#<id>` | `ORDER` | the order's fields, stage, large, out (by state), deadline, lanes, the list attributes once it is visible |
//! | some of an order's leads | `ORDER#<id>` | `LEADS#<number, 5 digits>` | leads (id, state), settled |
//! | history of an order | `ORDER#<id>` | `HISTORY#<version, 10 digits>` | version, at, by, action, reason, released, replacement |
//! | right to reserve leads for an order | `ORDER#<id>` | `LANE#<number>` | none |
//! | large order that is being written | `UNSETTLED` | `ORDER#<id>` | none |
//! | import | `IMPORT#<id>` | `IMPORT` | progress and counts |
//! | part of an import's file | `IMPORT#<id>` | `PART#<number>` | bytes |
//! | rejected row of an import | `IMPORT#<id>` | `REJECT#<row>` | row, reason, fields |
//! | account | `ACCOUNT#<id>` | `ACCOUNT` | name, email, role, password (its hash), epoch, version, createdAt, updatedAt |
//! | sign-in name | `LOGIN#<e-mail, lower case>` | `LOGIN` | accountId |
//! | attempts to sign in or up | `ATTEMPTS#<e-mail, lower case>`, `ATTEMPTS#DEVICE#<account>#<device>`, `ATTEMPTS#SIGNED-IN#<account>`, `ATTEMPTS#NETWORK#<network>` | `ATTEMPTS` | count, expiresAt |
//! | API token, as its owner lists it | `ACCOUNT#<id>` | `TOKEN#<token id>` | id, name, createdAt, hash |
//! | API token, as a request finds it | `TOKEN#<SHA-256>` | `TOKEN` | accountId, name, email, role, token (its name) |
//! | sign-in link | `LINK#<SHA-256>` | `LINK` | accountId, epoch, expiresAt |
//! | ledger of an idempotency key | `LEDGER#<account>#<key>` | `LEDGER` | request hash, answer, expiresAt |
//! | what was counted of a lead or an order | the record's | `COUNTED` | revision (version, step, at), shape, sequence, generation, recount, expiresAt once the record is gone |
//! | dead letter of the stream | `DEADLETTER#<id>` | `DEADLETTER` | key, reason, status, version, the list attributes, record, sequence, before, after, expiresAt once it is closed |
//! | last run of a rule, for the list | `RULE#<rule id>` | `LAST` | rule, run, version, state, at, expiresAt |
//! | what is sold of a raffle, for the list | `RAFFLE#<id>` | `SOLD` | blocks (version and sold of each), asOf, revision |
//! | statistics | `STATS` | `STATS` | total, one number for each status and stock, byState, one number for each stock of each state (`unassignedNY`), `causeNY`, asOf, revision, generation, and while a recount runs, recount and its numbers (`n_total`) |
//! | statistics of a state, by earlier versions | `STATE#<code>` | `COUNTED` | one number for each stock, asOf, cause |
//! | statistics of a day in New York | `DAY#<date>` | `DAY` | leadsCreated, leadsQualified, leadsConverted, ordersCreated, ordersFulfilled, leadsDelivered |
//! | how far a reader has come in a shard of the stream | `STREAM#<consumer>` | `SHARD#<shard id>` | sequence, at |
//! | record of a form's write | `LEDGER#fence#<token of the write>` | `LEDGER` | token, expiresAt |
//! | ledger of a one-time rule | `LEDGER#one-time#<order id>/<action>` | `LEDGER` | request hash, answer; it stays |
//! | rule | `RULES` | `<rule id>` | the rule's fields |
//! | how many rules there are | `RULES#COUNT` | `COUNT` | number |
//! | run of a rule | `RUN#<run id>` | `RUN` | the run's fields, the list attributes, expiresAt; that of a rule that runs once stays |
//! | ledger of a rule's run | `LEDGER#rule:<rule id>#<run id, or once>` | `LEDGER` | request hash, answer, expiresAt; that of a rule that runs once stays |
//! | run of commands from the page | `COMMANDS#<account>` | `<run id>` | at, text, results, expiresAt |
//! | raffle | `RAFFLE#<id>` | `RAFFLE` | the raffle's fields, how it was drawn, the list attributes |
//! | some of a raffle's numbers | `RAFFLE#<id>` | `BLOCK#<number, 2 digits>` | first, size, taken (one bit for each number), sales, version |
//! | seed of a raffle that is not drawn | `RAFFLE#<id>` | `SEED` | seed |
//! | announcement of a draw | `RAFFLE#<id>` | `DRAWING` | until |
//! | sold ticket | `TICKETS#<raffle id>` | `TICKET#<number, 6 digits>` | holder, name, email, boughtAt, version |
//! | what a person has in a raffle | `TICKETS#<raffle id>` | `HOLDER#<account id>` | numbers, version |
//! | history of a raffle | `TICKETS#<raffle id>` | `HISTORY#<time, 15 digits of milliseconds>#<random>` | at, by, action, its ticket |
//! | product | `PRODUCT#<sku>` | `PRODUCT` | the product's fields, the list attributes |
//! | movement of a product | `PRODUCT#<sku>` | `MOVEMENT#<version, 10 digits>` | kind, quantity, before, after, messageId, source |
//! | search word of a product | `FIND#<first character>` | `<word> <sku>` | sku, shared, words |
//! | message that came, for ever | `MESSAGE#<message id>` | `MESSAGE` | fingerprint, sku, the version that it made or where it is parked |
//! | parked message | `PARKED#<id>` | `PARKED` | reason, source, status, version, the list attributes |
//! | bytes of a parked message | `PARKED#<id>` | `BODY#<number>` | bytes |
//! | how far a consumer has come | `CONSUMERS` | `<group>#<topic>#<partition>` | offset, lag, at, expiresAt |
//!
//! | access pattern | call |
//! | --- | --- |
//! | one lead; an account; a token; a sign-in name; a sign-in link; a rule; a run of one; how far a reader has come; a ticket; what a person has in a raffle; a seed, for the draw; a product; a message that came | GetItem, consistent |
//! | a lead with what changed since a version | Query pk = `LEAD#<id>`, sk from `HISTORY#<version + 1>` to `LEAD`, consistent |
//! | history of a lead, newest first | Query pk = `LEAD#<id>`, sk begins with `HISTORY#`, backwards |
//! | leads by newest or score, of a status, of a state, of both | Query one of the first eight indexes, then BatchGetItem, consistent |
//! | a state's cap and its oldest free leads | Query pk = `STATE#<code>`, consistent |
//! | all caps | BatchGetItem of 52, consistent |
//! | an order with its leads | Query pk = `ORDER#<id>`, sk from `LEADS#` to `ORDER`, consistent; then BatchGetItem of the leads |
//! | orders by newest, of a status; fulfilled ones by time | Query `all-newest`, `status-newest` or `status-score` with partitions `ORDERS`, `ORDERS#<status>`; then BatchGetItem |
//! | history of an order, newest first | Query pk = `ORDER#<id>`, sk begins with `HISTORY#`, backwards |
//! | large orders that are being written | Query pk = `UNSETTLED` |
//! | leads by words | Query pk = `SEARCH#<first character>`, sk begins with the longest word; the rest filters; then BatchGetItem |
//! | products by words | Query pk = `FIND#<first character>`, likewise |
//! | tokens of an account | Query pk = `ACCOUNT#<id>`, sk begins with `TOKEN#` |
//! | all rules, for each batch of changes with an event in it | Query pk = `RULES`, consistent |
//! | runs of rules by newest, of a rule, of a state, of both | Query `all-newest`, `state-newest`, `status-newest` or `status-state-newest` with partitions `RUNS`, `RUNS#<rule id>`, `RUNS#<state>`, `RUNS#<rule id>#<state>`; then BatchGetItem |
//! | failed runs whose time has come | Query `status-score`, partition `RUNS#FAILED`, up to now; then BatchGetItem |
//! | the last runs of commands of an account | Query pk = `COMMANDS#<account>`, backwards |
//! | the part of a file that a step of its import reads | BatchGetItem of at most two parts |
//! | the statistics | GetItem, consistent |
//! | up to 31 days of statistics; what was counted of up to 100 records | BatchGetItem, consistent |
//! | rejected rows of an import | Query pk = `IMPORT#<id>`, sk begins with `REJECT#` |
//! | a raffle with all that is sold of it | Query pk = `RAFFLE#<id>`, sk from `BLOCK#` to `RAFFLE`, consistent |
//! | raffles by newest | Query `all-newest`, partition `RAFFLES`; then BatchGetItem of each with what is sold of it and one's holding |
//! | dead letters of a status, newest first | Query `status-newest`, partition `DEADLETTERS#<status>`, backwards; then BatchGetItem |
//! | the last runs of rules | BatchGetItem |
//! | sold tickets of a raffle | Query pk = `TICKETS#<raffle id>`, sk begins with `TICKET#`, consistent |
//! | history of a raffle, newest first | Query pk = `TICKETS#<raffle id>`, sk begins with `HISTORY#`, backwards |
//! | products, low stock first, or by sku | Query `all-score` or `all-newest`, partition `PRODUCTS`; then BatchGetItem |
//! | movements of a product, last first; those of a check | Query pk = `PRODUCT#<sku>`, sk begins with `MOVEMENT#` or between two of them |
//! | parked messages of a status, last first | Query `status-newest`, partition `PARKED#<status>`, backwards; then BatchGetItem |
//! | a parked message with its bytes; how far all consumers have come | Query pk = `PARKED#<id>`; Query pk = `CONSUMERS` |
//!
//! **Indexes.** Each pairs one partition attribute (`listAll`, `listStatus`, `listState`, `listStatusState`, and for
//! newest first `listStock`, `listStockState`) with one sort attribute (`sortNewest`, `sortScore`), so that every combination of filters is a
//! key condition and a page costs what the page holds, never what the table holds. They carry keys only: a change
//! that touches no key costs them nothing, and the page reads the leads themselves, consistently, with versions that
//! can be edited at once. They are general: another feature fills the same attributes with partitions of its own.
//!
//! **Arithmetic.** One index partition takes 1,000 write units a second, so about 1,000 new leads a second reach
//! `listAll`; a search partition takes two units for each word written in a transaction, about 500 leads a second for the
//! commonest first letter. A state's partition takes its queue and its cap: an order of `n` leads writes some `2 + 2n` units
//! there, so one state takes about 50 orders a second, bound by the cap's item, or 400 leads a second, bound by the queue.
//! A raffle's crowd is spread over its blocks: the arithmetic stands with [raffles](crate::raffles).
//! Beyond that DynamoDB throttles, and the guarded write waits under its deadline. The statistics are written by whoever
//! reads the stream and by no request: up to some 90 changes in one transaction, one for each shard at a time, which conflict
//! with each other at the desk's counter and are tried again.
//!
//! **Stream.** The table's stream tells every change of every item with the item as it was and as it is, in order for
//! each item, at least once, for 24 hours. What is counted over many records and what follows from an event is made from
//! it: on AWS by a function that Lambda hands it to, elsewhere by [`StreamReader`](super::StreamReader), which keeps how
//! far it has come in the table itself. [`Change`](super::stream::Change) is what both hand on.

mod create_table;

pub use create_table::{create_table, expiry, table};

/// The partition key's attribute.
pub const PK: &str = "pk";
/// The sort key's attribute.
pub const SK: &str = "sk";
/// The attribute that holds the second after which DynamoDB may drop an item.
pub const TTL: &str = "expiresAt";

/// A global secondary index: keys only, both attributes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// Its partition attribute.
    pub partition: &'static str,
    /// Its sort attribute.
    pub sort: &'static str,
}

const fn index(name: &'static str, partition: &'static str, sort: &'static str) -> Index {
    Index { name, partition, sort }
}

/// Everything, newest first.
pub const ALL_NEWEST: Index = index("all-newest", "listAll", "sortNewest");
/// Everything by score.
pub const ALL_SCORE: Index = index("all-score", "listAll", "sortScore");
/// Of one status, newest first.
pub const STATUS_NEWEST: Index = index("status-newest", "listStatus", "sortNewest");
/// Of one status by score.
pub const STATUS_SCORE: Index = index("status-score", "listStatus", "sortScore");
/// Of one state, newest first.
pub const STATE_NEWEST: Index = index("state-newest", "listState", "sortNewest");
/// Of one state by score.
pub const STATE_SCORE: Index = index("state-score", "listState", "sortScore");
/// Of one status and state, newest first.
pub const STATUS_STATE_NEWEST: Index = index("status-state-newest", "listStatusState", "sortNewest");
/// Of one status and state by score.
pub const STATUS_STATE_SCORE: Index = index("status-state-score", "listStatusState", "sortScore");

/// Of one stock, newest first.
pub const STOCK_NEWEST: Index = index("stock-newest", "listStock", "sortNewest");
/// Of one stock and state, newest first; backwards, the queue in which leads are given.
pub const STOCK_STATE_NEWEST: Index = index("stock-state-newest", "listStockState", "sortNewest");

/// All indexes of the table.
pub const INDEXES: [Index; 10] = [
    ALL_NEWEST,
    ALL_SCORE,
    STATUS_NEWEST,
    STATUS_SCORE,
    STATE_NEWEST,
    STATE_SCORE,
    STATUS_STATE_NEWEST,
    STATUS_STATE_SCORE,
    STOCK_NEWEST,
    STOCK_STATE_NEWEST,
];
