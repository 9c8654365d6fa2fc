//! The client request tokens of transactions, which are remembered for ten minutes.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

/// How long a token is remembered.
const TOKEN_AGE: SignedDuration = SignedDuration::from_mins(10);

/// The most tokens that are remembered: about 100 MB. Beyond it, the oldest are forgotten before their time.
const MAX_TOKENS: usize = 1_000_000;

/// Half of a SHA-256: enough to distinguish what one process sees in ten minutes.
pub type Fingerprint = [u8; 16];

/// The transactions of the last ten minutes that had a token and happened.
#[derive(Default)]
pub struct Tokens {
    known: HashMap<Fingerprint, Remembered>,
    order: VecDeque<(Timestamp, Fingerprint)>,
}

/// What is remembered of a transaction.
pub struct Remembered {
    pub(super) fingerprint: Fingerprint,
    pub(super) at: Timestamp,
    /// What reading the items again costs, by the table's number.
    pub(super) reads: Box<[(u16, f32)]>,
}

/// Whether a token that was used then is new again.
fn is_over(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) >= TOKEN_AGE
}

impl Tokens {
    /// What is remembered of the transaction with this token.
    pub(super) fn get(&self, token: &Fingerprint, now: Timestamp) -> Option<&Remembered> {
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

    /// Remembers a transaction, and forgets those that are older than ten minutes.
    pub fn remember(&mut self, token: Fingerprint, remembered: Remembered) {
        self.evict(remembered.at);
        self.order.push_back((remembered.at, token));
        self.known.insert(token, remembered);
    }

    /// Forgets a transaction that did not reach the disk after all.
    pub fn forget(&mut self, token: &Fingerprint) {
        self.known.remove(token);
    }
}
