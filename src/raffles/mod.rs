//! Raffles: numbered tickets that a crowd buys at once, and one winner whom anyone can check.
//!
//! Invariants: each number is sold to one person at a time; nobody has more than the limit, whatever tabs, scripts and
//! retries do; a purchase gives all the tickets that it asks for or none, and says truly why; a raffle has one winner,
//! whose ticket was sold when it was drawn; until then nothing that anybody can see tells the seed.
//!
//! **How a crowd buys.** A raffle's numbers lie in up to 32 [blocks](domain::Block), four numbers or more in each. A block's
//! item says which of its numbers are sold. One purchase is one transaction: it changes a block (on the condition that it is as it
//! was read), the person's holding (the same), puts a ticket for each number, and the ledger's entry. A purchase
//! begins at a random block, so that two of a crowd seldom meet. Whoever meets another reads the raffle again, one
//! query, and goes on: each time somebody was faster, somebody has bought, so a crowd ends in sales and in a true
//! "sold out". *Sold out* and *only so many left* are said only after two reads in a row have found the same blocks: then
//! there was a moment between them at which it was true.
//!
//! **Arithmetic.** A transaction pays two write units for each item of up to 1 KB. A purchase of one ticket pays 2 in the
//! raffle's partition (a block; that of a raffle of 100,000 tickets has 391 bytes of bits) and 4 in its tickets'
//! partition (holding, ticket); the ledger's 2 and the index are elsewhere. One partition takes 1,000 units a second, so
//! units allow 250 tickets a second of one raffle. Two transactions that meet at an item conflict. With some 20 ms a
//! transaction and 25 blocks (100 tickets), 100 purchases a second keep each block busy for 8 % of the time, so about
//! one purchase in twelve meets another and is tried again, which takes 8 more a second. One counter for all would be busy
//! for 200 % of the time: it ends at 50 a second. A page that looks reads one query of 3 to 20 KB (1 to 5 read units).
//!
//! **The draw** is one transaction: the raffle becomes CLOSED with its winner on the condition that it is OPEN and that every block is as
//! it was read, and each block gets another version, so that a purchase under way is either in the list or refused. Where
//! a crowd overtakes the draw, it announces itself, and purchases wait for it for a moment.

mod api;
pub mod buy;
mod cancel;
pub mod domain;
mod draw;
mod error;
pub mod export;
mod forms;
mod items;
mod pages;
mod routes;
mod service;
pub mod sold;
pub mod store;
mod views;

pub use error::RaffleError;
pub use pages::home;
pub use routes::routes;
pub use service::Raffles;
