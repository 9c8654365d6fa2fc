//! The table: its keys, its indexes and every access pattern of the product.
//!
//! | item | pk | sk | other attributes |
//! | --- | --- | --- | --- |
//! | lead | `LEAD#<id>` | `LEAD` | the lead's fields, the list attributes, `wordIndex` (3, or 2 or none for words of earlier versions), `hold` in a large order, `cause` |
//! | history of a lead | `LEAD#<id>` | `HISTORY#<version, 10 digits>` | version, at, by, action, changes, reason |
//! | email of a lead | `EMAIL#<lowercase>` | `EMAIL` | leadId, source |
//! | search word of a lead | `WORD#<first two characters>` | `<word> <lead id>` | leadId, shared, words, state |
//! | search word of a lead, by version 0.1 | `SEARCH#<first character>` | `<word> <lead id>` | leadId, shared, words, status, state |
//! | that no words of version 0.1 are left | `SEARCHINDEX` | `LEADS` | index |
//! | lead in the list of its owner | `OWNER#<account id>` | `<lead id>` | leadId |
//! | custom fields of a lead | `LEAD#<lead id>` | `FIELDS` | version, list; ttl while the lead is in the trash |
//! | note on a lead | `LEAD#<lead id>` | `NOTE#<note id>` | Note |
//! | deleted lead | `LEAD#<lead id>` | `TRASH` | Lead as it was deleted; the list of deleted leads; ttl |
//! | lead that was merged into another one | `LEAD#<lead id>` | `MERGED` | into |
//! | saved mapping of an import | `MAPPING#<fingerprint of the headers>` | `MAPPING` | mapping, savedBy |
//! | outcomes of the rows of an import's step | `IMPORT#<import id>` | `ROWS#<first row>` | rows; ttl |
//! | free lead in the queue of its state | `STATE#<code>` | `FREE#<created, 15 digits of milliseconds>#<lead id>` | the lead's fields |
//! | cap of a state | `STATE#<code>` | `CAP` | cap, own, out, room (what remains under the cap), version, setBy, cause |
//! | default cap, for states without their own | `STATE#DEFAULT` | `CAP` | cap, version, setBy |
//! | order | `ORDER#<id>` | `ORDER` | the order's fields, stage, large, out (by state), deadline, lanes, the list attributes once it is visible |
//! | a part of an order's leads | `ORDER#<id>` | `LEADS#<number, 5 digits>` | leads (id, state), settled |
//! | history of an order | `ORDER#<id>` | `HISTORY#<version, 10 digits>` | version, at, by, action, reason, released, replacement |
//! | lease of a worker that reserves leads for an order | `ORDER#<id>` | `LANE#<number>` | none |
//! | large order that is still being written | `UNSETTLED` | `ORDER#<id>` | none |
//! | import | `IMPORT#<id>` | `IMPORT` | progress and counts |
//! | part of an import's file | `IMPORT#<id>` | `PART#<number>` | bytes |
//! | rejected row of an import | `IMPORT#<id>` | `REJECT#<row>` | row, reason, fields |
//! | account | `ACCOUNT#<id>` | `ACCOUNT` | name, email, role, status, kind, password (its hash), epoch (of sessions), tokenEpoch, link (purpose, expiresAt), linkNumber, timeZone, lastSignInAt, version, createdAt, updatedAt, the list attributes |
//! | history of an account; it stays when the account is deleted | `ACCOUNT#<id>` | `HISTORY#<version, 10 digits>` | version, at, by, detail |
//! | session | `ACCOUNT#<id>` | `SESSION#<SHA-256>` | epoch, createdAt, lastSeenAt, device, address, ended, expiresAt |
//! | deletion of an account that is not done | `ACCOUNT#<id>` | `DELETION` | leadsTo, by, at, seen (the version) |
//! | search word of an account | `PERSON#<first character>` | `<word> <account id>` | accountId, role, status, shared, words |
//! | number of active administrators | `ADMINISTRATORS` | `COUNT` | number |
//! | settings for signing in | `WORKSPACE` | `SECURITY` | requiredFor (roles), version, ending (whose sessions are still to be ended: role, cursor, then) |
//! | account of the first start | `WORKSPACE` | `FIRSTSTART` | accountId |
//! | that all accounts are in the lists | `ACCOUNTINDEX` | `ACCOUNTS` | index |
//! | sign-in name | `LOGIN#<email, lowercase>` | `LOGIN` | accountId |
//! | attempts to sign in or sign up | `ATTEMPTS#<email, lowercase>`, `ATTEMPTS#DEVICE#<account>#<device>`, `ATTEMPTS#SIGNED-IN#<account>`, `ATTEMPTS#CODE#<account>`, `ATTEMPTS#NEW-ADDRESS#<account>`, `ATTEMPTS#NETWORK#<network>` | `ATTEMPTS` | count, refused (whether an attempt was refused), expiresAt |
//! | API token, for its owner's list | `ACCOUNT#<id>` | `TOKEN#<token id>` | id, name, createdAt, hash, prefix, expiresAt |
//! | API token, for authentication | `TOKEN#<SHA-256>` | `TOKEN` | accountId, name, email, role, token (its name), epoch, lastUsedAt, expiresAt |
//! | link to sign in, to join, or to reset a password | `LINK#<SHA-256>` | `LINK` | accountId, purpose, number, epoch, expiresAt |
//! | idempotency record | `LEDGER#<account>#<key>` | `LEDGER` | request hash, answer, expiresAt |
//! | counted state of a lead or an order | that of the record | `COUNTED` | revision (version, step, at), shape, sequence, generation, recount, expiresAt once the record is deleted |
//! | dead letter of the stream | `DEADLETTER#<id>` | `DEADLETTER` | key, reason, status, version, the list attributes, record, sequence, before, after, expiresAt once it is closed |
//! | last run of a rule, for the list | `RULE#<rule id>` | `LAST` | rule, run, version, state, at, expiresAt |
//! | sales of a raffle, for the list | `RAFFLE#<id>` | `SOLD` | blocks (version and sold of each), asOf, revision |
//! | statistics | `STATS` | `STATS` | total, one number for each status and stock, byState, one number for each stock of each state (`unassignedNY`), `causeNY`, asOf, revision, generation, and while a recount runs, recount and its numbers (`n_total`) |
//! | statistics of a state, written by earlier program versions | `STATE#<code>` | `COUNTED` | one number for each stock, asOf, cause |
//! | statistics of a day in New York | `DAY#<date>` | `DAY` | leadsCreated, leadsQualified, leadsConverted, ordersCreated, ordersFulfilled, leadsDelivered |
//! | checkpoint of a reader in a shard of the stream | `STREAM#<consumer>` | `SHARD#<shard id>` | sequence, at |
//! | idempotency record of a form's write | `LEDGER#fence#<token of the write>` | `LEDGER` | token, expiresAt |
//! | idempotency record of a one-time rule | `LEDGER#one-time#<order id>/<action>` | `LEDGER` | request hash, answer; it never expires |
//! | rule | `RULES` | `<rule id>` | the rule's fields |
//! | number of rules | `RULES#COUNT` | `COUNT` | number |
//! | run of a rule | `RUN#<run id>` | `RUN` | the run's fields, the list attributes, expiresAt; the run of a one-time rule never expires |
//! | idempotency record of a rule's run | `LEDGER#rule:<rule id>#<run id, or once>` | `LEDGER` | request hash, answer, expiresAt; that of a one-time rule never expires |
//! | run of commands on the page | `COMMANDS#<account>` | `<run id>` | at, text, results, expiresAt |
//! | raffle | `RAFFLE#<id>` | `RAFFLE` | the raffle's fields, the proof of its draw, the list attributes |
//! | a block of a raffle's ticket numbers | `RAFFLE#<id>` | `BLOCK#<number, 2 digits>` | first, size, taken (one bit for each number), sales, version |
//! | seed of a raffle that is not drawn yet | `RAFFLE#<id>` | `SEED` | seed |
//! | announcement of a draw | `RAFFLE#<id>` | `DRAWING` | until |
//! | sold ticket | `TICKETS#<raffle id>` | `TICKET#<number, 6 digits>` | holder, name, email, boughtAt, version |
//! | a person's tickets in a raffle | `TICKETS#<raffle id>` | `HOLDER#<account id>` | numbers, version |
//! | history of a raffle | `TICKETS#<raffle id>` | `HISTORY#<time, 15 digits of milliseconds>#<random>` | at, by, action, its ticket |
//! | product | `PRODUCT#<sku>` | `PRODUCT` | the product's fields, the list attributes |
//! | movement of a product | `PRODUCT#<sku>` | `MOVEMENT#<version, 10 digits>` | kind, quantity, before, after, messageId, source |
//! | search word of a product | `FIND#<first character>` | `<word> <sku>` | sku, shared, words |
//! | processed message; it never expires | `MESSAGE#<message id>` | `MESSAGE` | fingerprint, sku, the version that it created, or the id of its dead letter |
//! | dead letter of a message | `PARKED#<id>` | `PARKED` | reason, source, status, version, the list attributes |
//! | bytes of such a dead letter | `PARKED#<id>` | `BODY#<number>` | bytes |
//! | audit entry | `AUDIT#<day in UTC>#<0 to 15, by its id>` | `<entry id>` | at, kind, by, account, address, subject, path, detail, expiresAt |
//! | position of a Kafka consumer | `CONSUMERS` | `<group>#<topic>#<partition>` | offset, lag, at, expiresAt |
//!
//! | access pattern | call |
//! | --- | --- |
//! | one lead; an account; a token; a sign-in name; a sign-in link; a rule; a run of a rule; a checkpoint; a ticket; a person's tickets in a raffle; a seed, for the draw; a product; a processed message | GetItem, consistent |
//! | a lead with its changes since a version | Query pk = `LEAD#<id>`, sk from `HISTORY#<version + 1>` to `LEAD`, consistent |
//! | what is left of a lead that left the trash | Query pk = `LEAD#<id>`, sk begins with `HISTORY#`, then with `NOTE#` |
//! | history of a lead, newest first | Query pk = `LEAD#<id>`, sk begins with `HISTORY#`, backwards |
//! | leads by newest or score; of a status, a state, or both | Query one of the first eight indexes, then BatchGetItem, consistent |
//! | leads of an owner, newest first | Query pk = `OWNER#<account id>`, backwards, consistent; then BatchGetItem, consistent |
//! | a state's cap and its oldest free leads | Query pk = `STATE#<code>`, consistent |
//! | all caps | BatchGetItem of 52, consistent |
//! | an order with its leads | Query pk = `ORDER#<id>`, sk from `LEADS#` to `ORDER`, consistent; then BatchGetItem of the leads |
//! | orders by newest, also of a status; fulfilled orders by time | Query `all-newest`, `status-newest` or `status-score` with partitions `ORDERS`, `ORDERS#<status>`; then BatchGetItem |
//! | history of an order, newest first | Query pk = `ORDER#<id>`, sk begins with `HISTORY#`, backwards |
//! | large orders that are still being written | Query pk = `UNSETTLED` |
//! | search of leads | Query pk = `WORD#<first two characters>`, sk begins with the longest word; the other words are a filter; for a word that begins one of a state, also the lists of up to two states; then BatchGetItem |
//! | search of products | Query pk = `FIND#<first character>`, in the same way |
//! | tokens of an account | Query pk = `ACCOUNT#<id>`, sk begins with `TOKEN#`; then BatchGetItem of the items that authenticate |
//! | a session with its account | BatchGetItem of two, consistent |
//! | sessions of an account; its history, newest first | Query pk = `ACCOUNT#<id>`, sk begins with `SESSION#`, or with `HISTORY#`, backwards |
//! | accounts by name; of a role, a status, or both | Query `all-newest`, `state-newest`, `status-newest` or `status-state-newest` with partitions `ACCOUNTS`, `ACCOUNTS#ROLE#<role>`, `ACCOUNTS#STATUS#<status>`, `ACCOUNTS#BOTH#<role>#<status>`; then BatchGetItem, consistent |
//! | search of accounts | Query pk = `PERSON#<first character>`, in the same way as leads |
//! | all rules, for each batch of changes that contains an event | Query pk = `RULES`, consistent |
//! | runs of rules by newest; of a rule, a state, or both | Query `all-newest`, `state-newest`, `status-newest` or `status-state-newest` with partitions `RUNS`, `RUNS#<rule id>`, `RUNS#<state>`, `RUNS#<rule id>#<state>`; then BatchGetItem |
//! | failed runs that are due for a retry | Query `status-score`, partition `RUNS#FAILED`, up to now; then BatchGetItem |
//! | the last runs of commands of an account | Query pk = `COMMANDS#<account>`, backwards |
//! | the part of an import's file that one step reads | BatchGetItem of at most two parts |
//! | the statistics | GetItem, consistent |
//! | up to 31 days of statistics; the counted state of up to 100 records | BatchGetItem, consistent |
//! | rejected rows of an import | Query pk = `IMPORT#<id>`, sk begins with `REJECT#` |
//! | a raffle with its sales | Query pk = `RAFFLE#<id>`, sk from `BLOCK#` to `RAFFLE`, consistent |
//! | raffles by newest | Query `all-newest`, partition `RAFFLES`; then BatchGetItem of each raffle with its sales and the person's tickets |
//! | dead letters of a status, newest first | Query `status-newest`, partition `DEADLETTERS#<status>`, backwards; then BatchGetItem |
//! | the last runs of rules | BatchGetItem |
//! | sold tickets of a raffle | Query pk = `TICKETS#<raffle id>`, sk begins with `TICKET#`, consistent |
//! | history of a raffle, newest first | Query pk = `TICKETS#<raffle id>`, sk begins with `HISTORY#`, backwards |
//! | products, low stock first, or by sku | Query `all-score` or `all-newest`, partition `PRODUCTS`; then BatchGetItem |
//! | movements of a product, newest first; those of a check | Query pk = `PRODUCT#<sku>`, sk begins with `MOVEMENT#` or between two of them |
//! | dead letters of messages of a status, newest first | Query `status-newest`, partition `PARKED#<status>`, backwards; then BatchGetItem |
//! | audit entries, newest first | for each day, back from the cursor: Query of its 16 partitions, backwards, consistent; at most 7 rounds a page |
//! | such a dead letter with its bytes; the positions of all Kafka consumers | Query pk = `PARKED#<id>`; Query pk = `CONSUMERS` |
//!
//! **Indexes.** Each pairs one partition attribute (`listAll`, `listStatus`, `listState`, `listStatusState`, and for
//! newest first also `listStock`, `listStockState`) with one sort attribute (`sortNewest`, `sortScore`). Every
//! combination of filters is therefore a key condition, and a page costs what the page holds, never what the table
//! holds. The indexes project only keys. A change that touches no key costs them nothing, and a page reads the leads
//! themselves, consistently, with versions that can be edited at once. Other features use the same attributes with
//! partitions of their own.
//!
//! **Capacity.** One index partition takes 1,000 write units per second, so `listAll` takes about 1,000 new leads per
//! second. A search partition takes two units for each word in a transaction and holds the words with the same first
//! two characters. The most common ones take less than one unit for each new lead on average, so search takes more than
//! 1,000 leads per second. The list of one owner takes about 500. A state's partition holds its queue and its cap, and
//! an order of `n` leads writes about `2 + 2n` units there. One state therefore takes about 50 orders per second,
//! limited by the cap's item, or 400 leads per second, limited by the queue. The load of a raffle is spread over its
//! blocks; see [raffles](crate::raffles) for the numbers. Above these rates DynamoDB throttles, and the guarded write
//! waits within its deadline. Only the stream's consumer writes the statistics, never a request. One transaction counts
//! up to about 90 changes, one transaction at a time for each shard. Transactions of different shards conflict on the
//! workspace's counter and are retried.
//!
//! **Stream.** The table's stream carries every change of every item, with the item before and after the change.
//! Changes of one item arrive in order and at least once, and stay available for 24 hours. Counts over many records
//! and actions that follow from events are derived from the stream. On AWS, Lambda invokes a function with it;
//! elsewhere [`StreamReader`](super::StreamReader) reads it and stores its position in the table. Both pass on
//! [`Change`](super::stream::Change)s.

mod create_table;

pub use create_table::{create_table, expiry, table};

/// The partition key's attribute.
pub const PK: &str = "pk";
/// The sort key's attribute.
pub const SK: &str = "sk";
/// The attribute with the time, in seconds since the Unix epoch, after which DynamoDB may delete an item.
pub const TTL: &str = "expiresAt";

/// A global secondary index. It projects only keys, and both of its attributes are strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// The index's name.
    pub name: &'static str,
    /// The partition attribute.
    pub partition: &'static str,
    /// The sort attribute.
    pub sort: &'static str,
}

const fn index(name: &'static str, partition: &'static str, sort: &'static str) -> Index {
    Index { name, partition, sort }
}

/// All records, newest first.
pub const ALL_NEWEST: Index = index("all-newest", "listAll", "sortNewest");
/// All records by score.
pub const ALL_SCORE: Index = index("all-score", "listAll", "sortScore");
/// Records of one status, newest first.
pub const STATUS_NEWEST: Index = index("status-newest", "listStatus", "sortNewest");
/// Records of one status by score.
pub const STATUS_SCORE: Index = index("status-score", "listStatus", "sortScore");
/// Records of one state, newest first.
pub const STATE_NEWEST: Index = index("state-newest", "listState", "sortNewest");
/// Records of one state by score.
pub const STATE_SCORE: Index = index("state-score", "listState", "sortScore");
/// Records of one status and state, newest first.
pub const STATUS_STATE_NEWEST: Index = index("status-state-newest", "listStatusState", "sortNewest");
/// Records of one status and state by score.
pub const STATUS_STATE_SCORE: Index = index("status-state-score", "listStatusState", "sortScore");

/// Records of one stock value, newest first.
pub const STOCK_NEWEST: Index = index("stock-newest", "listStock", "sortNewest");
/// Records of one stock value and state, newest first. Read backwards, it is the queue in which leads are assigned.
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
