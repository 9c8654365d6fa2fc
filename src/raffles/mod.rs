//! Raffles: numbered tickets that many people buy at the same moment, and one winner that anyone can verify.
//!
//! Invariants: each number is sold to one person at a time; no one exceeds the limit, regardless of tabs, scripts and
//! retries; a purchase gets all requested tickets or none, and a refusal states a true reason; a raffle has one
//! winner, whose ticket was sold at the time of the draw; before the draw, nothing visible reveals the seed.
//!
//! **How purchases scale.** A raffle's numbers are split into up to 32 [blocks](domain::Block) of at least four
//! numbers each. A block's item stores which of its numbers are sold. One purchase is one transaction: it updates a
//! block and the person's holding, each on the condition that it has not changed since it was read, and puts a ticket
//! for each number and the ledger's entry. A purchase starts at a random block, so that concurrent purchases seldom
//! conflict. After a conflict, the purchase reads the raffle again in one query and retries. Every conflict means
//! that another purchase has succeeded, so heavy contention ends in sales and in a true "sold out". *Sold out* and
//! *only n tickets left* are reported only after two consecutive reads have found the same blocks: then the statement
//! was true at a moment between the two reads.
//!
//! **Arithmetic.** A transaction costs two write units for each item of up to 1 KB. A purchase of one ticket costs 2
//! units in the raffle's partition (a block; for a raffle of 100,000 tickets its bitmap has 391 bytes) and 4 in the
//! partition of its tickets (holding, ticket); the 2 of the ledger and the index are elsewhere. One partition
//! supports 1,000 units a second, so units allow 250 tickets a second for one raffle. Two transactions on the same
//! item conflict. With about 20 ms a transaction and 25 blocks (100 tickets), 100 purchases a second keep each block
//! busy 8 % of the time. So about one purchase in twelve conflicts and is retried, which adds 8 a second. A single
//! counter would be busy 200 % of the time and could not exceed 50 purchases a second. A page view costs one query of
//! 3 to 20 KB (1 to 5 read units).
//!
//! **Words.** The code and the names in the API *cancel* a ticket. Pages, messages and docs say that a person *returns*
//! it, because *Cancel* on a page leaves a form.
//!
//! **The draw** is one transaction. It sets the raffle to CLOSED with its winner, on the condition that the raffle is
//! OPEN and that no block has changed since it was read. It also gives each block a new version, so that a purchase
//! in progress is either in the list or refused. If purchases overtake the draw, the draw announces itself, and
//! purchases wait for it briefly.

pub mod buy;
mod cancel;
pub mod domain;
mod draw;
mod error;
pub mod export;
mod http;
mod items;
mod routes;
mod service;
pub mod sold;
pub mod store;

pub use self::http::home;
pub use error::RaffleError;
pub use routes::routes;
pub use service::Raffles;
