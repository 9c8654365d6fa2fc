//! The client request tokens of transactions, kept for ten minutes.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

const TOKEN_AGE: SignedDuration = SignedDuration::from_mins(10);

/// The maximum number of tokens: about 100 MB. Beyond it, the oldest tokens are dropped early.
const MAX_TOKENS: usize = 1_000_000;

/// Half of a SHA-256, which is enough to distinguish the requests of one process in ten minutes.
pub type Fingerprint = [u8; 16];

/// The successful transactions of the last ten minutes that had a token.
#[derive(Default)]
pub struct Tokens {
    known: HashMap<Fingerprint, TokenRecord>,
    order: VecDeque<(Timestamp, Fingerprint)>,
}

pub struct TokenRecord {
    pub(super) fingerprint: Fingerprint,
    pub(super) at: Timestamp,
    /// The read units for reading the items again, by table number.
    pub(super) reads: Box<[(u16, f32)]>,
}

/// Returns whether a token that was used at `at` has expired.
fn is_over(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) >= TOKEN_AGE
}

impl Tokens {
    pub(super) fn get(&self, token: &Fingerprint, now: Timestamp) -> Option<&TokenRecord> {
        self.known.get(token).filter(|known| !is_over(known.at, now))
    }

    fn evict(&mut self, now: Timestamp) {
        while self.order.len() > MAX_TOKENS || self.order.front().is_some_and(|(at, _)| is_over(*at, now)) {
            let Some((at, token)) = self.order.pop_front() else { break };
            if self.known.get(&token).is_some_and(|known| known.at == at) {
                self.known.remove(&token);
            }
        }
    }

    /// Saves a transaction and drops those older than ten minutes.
    pub fn save(&mut self, token: Fingerprint, record: TokenRecord) {
        self.evict(record.at);
        self.order.push_back((record.at, token));
        self.known.insert(token, record);
    }

    /// Removes a transaction that was not stored.
    pub fn remove(&mut self, token: &Fingerprint) {
        self.known.remove(token);
    }
}
