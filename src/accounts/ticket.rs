//! Proves between two forms that a person passed the first step of signing in.
//!
//! A ticket is signed like a cookie and travels in a hidden field. It lasts a few minutes, and ends when the account's
//! sessions end.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::keys::{CookieKey, KeyRing};
use crate::base::identity::AccountId;

/// How long a ticket lasts.
const LASTS: SignedDuration = SignedDuration::from_mins(10);

/// The name under which a ticket is signed, which no cookie has.
const NAME: &str = "sign-in ticket";

/// The account whose person passed the first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) account: AccountId,
    pub(super) epoch: u64,
    expires_at: Timestamp,
}

impl Ticket {
    pub(super) fn new(account: AccountId, epoch: u64, now: Timestamp) -> Self {
        Self { account, epoch, expires_at: now.saturating_add(LASTS).unwrap_or(Timestamp::MAX) }
    }

    /// Returns the signed text: `<account>.<epoch>.<end in seconds>.<signature>`.
    pub(super) fn sign(&self, key: &CookieKey) -> String {
        let Self { account, epoch, expires_at } = self;
        key.sign(NAME, &format!("{account}.{epoch}.{}", expires_at.as_second()))
    }

    /// Reads a signed text, if one of the keys signed it and it has not expired.
    pub(super) fn open(signed: &str, keys: &KeyRing, now: Timestamp) -> Option<Self> {
        let known = [Some(keys.current()), keys.previous()].into_iter().flatten();
        let value = known.into_iter().find_map(|key| key.verify(NAME, signed))?;
        let mut parts = value.split('.');
        let account = AccountId::from_str(parts.next()?).ok()?;
        let epoch = parts.next()?.parse().ok()?;
        let expires_at = Timestamp::from_second(parts.next()?.parse().ok()?).ok()?;
        (now < expires_at && parts.next().is_none()).then_some(Self { account, epoch, expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn ring(byte: u8) -> KeyRing {
        KeyRing::of(CookieKey::new([byte; 64]), None)
    }

    #[test]
    fn a_ticket_is_read_by_its_key_until_it_expires() {
        let ticket = Ticket::new(AccountId::new(NOW, &[1; 10]), 3, NOW);
        let signed = ticket.sign(ring(1).current());
        let second = SignedDuration::from_secs(1);
        assert_eq!(Ticket::open(&signed, &ring(1), NOW + LASTS - second), Some(ticket));
        assert_eq!(Ticket::open(&signed, &ring(1), NOW + LASTS), None);
        assert_eq!(Ticket::open(&signed, &ring(2), NOW), None);
        assert_eq!(Ticket::open(&signed.replacen(".3.", ".4.", 1), &ring(1), NOW), None);
        assert_eq!(Ticket::open("", &ring(1), NOW), None);
    }

    #[test]
    fn a_cookie_is_no_ticket() {
        let ticket = Ticket::new(AccountId::new(NOW, &[1; 10]), 3, NOW);
        let value = ticket.sign(ring(1).current());
        let (content, _) = value.rsplit_once('.').unwrap();
        let cookie = ring(1).current().sign("holdfast", content);
        assert_eq!(Ticket::open(&cookie, &ring(1), NOW), None);
    }
}
