//! How often a password or an invitation code may be guessed: 10 times for one e-mail address within 15 minutes,
//! whether or not the address has an account, by signing in and signing up together.
//!
//! What always holds: an attempt is counted before its password or code is looked at, by a write that carries the count it
//! saw, so that guesses sent at the same moment are counted one after the other; the right password, or the end of
//! the 15 minutes, forgets them. It keeps the true owner out as well; sessions, tokens and sign-in links go on.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::AccountError;
use crate::app::App;
use crate::dynamo::schema::TTL;
use crate::dynamo::{
    Condition, GuardedWrite, Item, Key, StoreError, WriteError, from_item, to_attribute, to_item,
};
use crate::values::Email;

/// The most attempts within [`WINDOW`].
pub const MOST: u32 = 10;
/// The time from the first attempt until all are forgotten.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(15);

const LABEL: &str = "attempts";
/// How often a count is tried again that others changed meanwhile. Whoever loses this often is not a person typing.
const RACES: usize = 5;

/// The attempts for one address, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attempts {
    count: u32,
    /// The second from which they are forgotten.
    expires_at: i64,
}

impl Attempts {
    /// The attempts with one more now.
    ///
    /// # Errors
    /// The seconds to wait, where there were too many.
    fn one_more(stood: Option<Self>, now: Timestamp) -> Result<Self, i64> {
        match stood.filter(|stood| stood.expires_at > now.as_second()) {
            Some(stood) if stood.count >= MOST => Err(stood.expires_at - now.as_second()),
            Some(stood) => Ok(Self { count: stood.count + 1, ..stood }),
            None => Ok(Self { count: 1, expires_at: (now + WINDOW).as_second() }),
        }
    }

    /// That they still stand so.
    fn unchanged(stood: Option<Self>) -> Result<Condition, StoreError> {
        let Some(Self { count, expires_at }) = stood else { return Ok(Condition::Absent) };
        Ok(Condition::is_number("count", count.into()).and(Condition::Equals(TTL, to_attribute(expires_at)?)))
    }
}

fn key(email: &Email) -> Key {
    Key::new(format!("ATTEMPTS#{}", email.key()), "ATTEMPTS")
}

/// Counts an attempt to sign in or up, before the password or the code is looked at.
///
/// # Errors
/// [`AccountError::TooManyAttempts`] if there were too many.
pub(super) async fn count(app: &App, email: &Email) -> Result<(), AccountError> {
    let now = app.clock.now();
    let mut stood = None;
    for _ in 0..RACES {
        let attempts = Attempts::one_more(stood, now)
            .map_err(|seconds| AccountError::TooManyAttempts { seconds: seconds.unsigned_abs() })?;
        let item: Item = to_item(&key(email), &attempts)?;
        let write = app.dynamo.guarded_write().put(LABEL, item, Attempts::unchanged(stood)?);
        match app.dynamo.write(write).await {
            Ok(()) => return Ok(()),
            Err(WriteError::Refused(refusal)) => {
                stood = refusal.item(LABEL).cloned().map(from_item).transpose()?;
            }
            Err(WriteError::Store(error)) => return Err(error.into()),
        }
    }
    Err(AccountError::TooManyAttempts { seconds: 1 })
}

/// Adds to a write that the attempts are forgotten.
pub(super) fn forget(write: GuardedWrite, email: &Email) -> GuardedWrite {
    write.delete_derived(LABEL, &key(email))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    #[test]
    fn the_eleventh_attempt_within_a_quarter_of_an_hour_waits_for_its_end() {
        let mut stood = None;
        for _ in 0..MOST {
            stood = Some(Attempts::one_more(stood, NOW).unwrap());
        }
        let later = NOW + SignedDuration::from_mins(5);
        assert_eq!(Attempts::one_more(stood, later), Err(600));
        let after = Attempts::one_more(stood, NOW + WINDOW).unwrap();
        assert_eq!(after, Attempts { count: 1, expires_at: (NOW + WINDOW + WINDOW).as_second() });
    }
}
