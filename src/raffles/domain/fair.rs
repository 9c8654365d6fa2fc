//! The draw, which anyone can repeat: the raffle commits to a seed when it is opened, and the seed and the list of
//! sold tickets determine the winner.
//!
//! **The method**, in the order of a check:
//!
//! 1. `seed` is 32 random bytes, and `commitment` = SHA-256(seed). The commitment is published when the raffle is
//!    opened, the seed when it is drawn. Both are written in hexadecimal.
//! 2. The list contains every sold number in decimal, ascending, each followed by one line feed (byte 10). `listHash` =
//!    SHA-256(list). In a shell: `jq -r '.sold[]' proof.json | sha256sum`.
//! 3. `n` is the number of sold tickets, and `k` the number of binary digits of `n - 1` (0 for `n = 1`).
//! 4. For `c` = 0, 1, 2, …: `h` = SHA-256(seed ‖ listHash ‖ c), over 32 + 32 + 4 bytes, with `c` as an unsigned 4-byte
//!    big-endian integer. `x` is the lowest `k` bits of the first 8 bytes of `h`, read as a big-endian integer. The
//!    first `x` that is less than `n` decides; larger ones are discarded, so that every ticket is equally likely.
//! 5. The winner is the number at index `x` of the list, counted from 0.
//!
//! **Test vector**: the seed is the bytes 0 to 31, `000102…1e1f`, and the sold numbers are 2, 3, 5, 7 and 11. Then
//! the commitment is `630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd`, `listHash` is
//! `563d8e0603dcc07d784135d99fd81ff6bf98495e898ec1f52e2e7605320cf6dc`, `k` is 3, `x` is 1 at `c` = 0, and the winner
//! is 3.
//!
//! A proof shows that the seed was fixed before the first ticket was sold, and that the winner was computed, not
//! chosen. It cannot show that the draw was not timed by a person with read access to the table.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Raffle, RaffleId, RaffleStatus, TicketNumber, Title};

/// Parses 32 bytes from hexadecimal.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn to_hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Stores 32 bytes as hexadecimal text.
mod hex {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{from_hex, to_hex};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        from_hex(&text).ok_or_else(|| D::Error::custom("A seed or a SHA-256 has 64 hexadecimal digits."))
    }
}

/// A SHA-256 hash, written in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(#[serde(with = "hex")] [u8; 32]);

impl Digest {
    fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The secret seed of a draw: 32 random bytes. Only [`reveal`](Self::reveal) shows it, and only drawn raffles call
/// that.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(#[serde(with = "hex")] [u8; 32]);

impl Seed {
    /// Makes a seed of random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// Returns the hash that is published before the draw.
    pub fn commitment(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// Returns the seed in hexadecimal. Call this only for a drawn raffle.
    pub fn reveal(&self) -> String {
        to_hex(&self.0)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// Hashes a list of sold numbers, which must ascend.
fn hash_of_list(sold: &[TicketNumber]) -> Digest {
    let list: String = sold.iter().map(|number| format!("{number}\n")).collect();
    Digest::of(list.as_bytes())
}

/// Returns the winning number and the hash of the list. `sold` must ascend. Returns `None` if nothing is sold.
pub fn draw(seed: &Seed, sold: &[TicketNumber]) -> Option<(TicketNumber, Digest)> {
    let list_hash = hash_of_list(sold);
    let last = u64::try_from(sold.len()).ok()?.checked_sub(1)?;
    let kept = u64::MAX.checked_shr(last.leading_zeros()).unwrap_or(0);
    for counter in 0..=u32::MAX {
        let hash =
            Sha256::new().chain_update(seed.0).chain_update(list_hash.0).chain_update(counter.to_be_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let x = hash.iter().take(8).fold(0, |x, byte| x << 8 | u64::from(*byte)) & kept;
        if x <= last {
            return Some((*sold.get(usize::try_from(x).ok()?)?, list_hash));
        }
    }
    None
}

/// The published data of a draw. Before the draw, this is only the commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The method to check it with: [`Proof::METHOD`].
    pub method: String,
    /// The id of the raffle.
    pub raffle: RaffleId,
    /// The title.
    pub title: Title,
    /// Whether the winner is drawn.
    pub status: RaffleStatus,
    /// The SHA-256 of the seed.
    pub commitment: Digest,
    /// The time the raffle was opened and the commitment published.
    pub opened_at: Timestamp,
    /// The time of the draw.
    #[serde(default)]
    pub drawn_at: Option<Timestamp>,
    /// The seed.
    #[serde(default)]
    pub seed: Option<Seed>,
    /// The sold numbers, ascending.
    #[serde(default)]
    pub sold: Option<Vec<TicketNumber>>,
    /// The SHA-256 of the list of sold numbers.
    #[serde(default)]
    pub list_hash: Option<Digest>,
    /// The winning number.
    #[serde(default)]
    pub winner: Option<TicketNumber>,
}

/// The result of a valid proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The winning number.
    pub winner: TicketNumber,
    /// How many tickets were sold.
    pub sold: usize,
    /// The SHA-256 of the seed. Compare it with the commitment shown on the raffle's page before the draw.
    pub commitment: Digest,
}

/// The reason why a proof is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The proof uses another method.
    #[error("its method is {0}, but only {method} is supported", method = Proof::METHOD)]
    Method(String),
    /// The raffle is not drawn, so there is nothing to check yet.
    #[error("the raffle isn't drawn yet, so only the commitment can be checked")]
    NotDrawn,
    /// A field is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The seed does not match the commitment.
    #[error("the seed does not match the commitment: its SHA-256 is {0}")]
    OtherSeed(Digest),
    /// The sold numbers are not in ascending order.
    #[error("the sold numbers must ascend, but {0} is out of order")]
    Order(TicketNumber),
    /// The list of sold numbers is empty.
    #[error("no ticket is in the list")]
    NothingSold,
    /// The list of sold numbers does not match its hash.
    #[error("the list of sold tickets doesn't match its hash: its SHA-256 is {0}")]
    OtherList(Digest),
    /// The seed and the list give another winner.
    #[error("the seed and the list give ticket {0}, which is not the stated winner")]
    OtherWinner(TicketNumber),
}

impl Proof {
    /// The name of the method. It changes if the method changes.
    pub const METHOD: &str = "holdfast-raffle-1";

    /// Returns the published data of a raffle. `sold` lists its sold numbers.
    pub fn of(raffle: &Raffle, sold: Vec<TicketNumber>) -> Self {
        let drawn = raffle.drawn.as_ref();
        Self {
            method: Self::METHOD.to_owned(),
            raffle: raffle.id,
            title: raffle.title.clone(),
            status: raffle.status,
            commitment: raffle.commitment,
            opened_at: raffle.created_at,
            drawn_at: drawn.map(|drawn| drawn.at),
            seed: drawn.map(|drawn| drawn.seed.clone()),
            sold: drawn.map(|_| sold),
            list_hash: drawn.map(|drawn| drawn.list_hash),
            winner: drawn.map(|drawn| drawn.winner.number),
        }
    }

    /// Checks everything that the proof itself can show.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(&self) -> Result<Verdict, ProofError> {
        if self.method != Self::METHOD {
            return Err(ProofError::Method(self.method.clone()));
        }
        if self.status != RaffleStatus::Closed {
            return Err(ProofError::NotDrawn);
        }
        let seed = self.seed.as_ref().ok_or(ProofError::Missing("seed"))?;
        let sold = self.sold.as_deref().ok_or(ProofError::Missing("sold"))?;
        let list_hash = self.list_hash.ok_or(ProofError::Missing("listHash"))?;
        let winner = self.winner.ok_or(ProofError::Missing("winner"))?;
        if seed.commitment() != self.commitment {
            return Err(ProofError::OtherSeed(seed.commitment()));
        }
        if let Some(pair) = sold.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(ProofError::Order(pair[1]));
        }
        let (drawn, hash) = draw(seed, sold).ok_or(ProofError::NothingSold)?;
        if hash != list_hash {
            return Err(ProofError::OtherList(hash));
        }
        if drawn != winner {
            return Err(ProofError::OtherWinner(drawn));
        }
        Ok(Verdict { winner, sold: sold.len(), commitment: self.commitment })
    }
}

#[cfg(test)]
mod tests;
