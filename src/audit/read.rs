//! Reads pages of the audit log.
//!
//! A page starts below an id, its cursor. A round reads the rest of that id's day, and the next round continues below
//! the horizon of the round, or at the end of the day before.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil::Date};

use super::error::AuditError;
use super::filter::AuditFilter;
use super::merge::{Merged, PageBuilder, Slice, merge};
use crate::accounts::agents::AccountReference;
use crate::audit::Audit;
use crate::shared::audit_log::{AuditEntry, AuditId, KEPT, PARTITIONS, partition};
use crate::shared::cursors::{cursor_after, start_after};
use crate::store::schema::SK;
use crate::store::{Item, Key, Select, StoreError, from_item};

/// The name of the list in cursors.
pub(super) const LIST: &str = "audit";
/// The most rounds of a page.
pub const ROUNDS: u32 = 7;
/// The most entries of a page.
pub const MOST: u16 = 50;
/// The number of entries that one call reads for a filter that may match few of them.
const READ_FOR_FILTER: u32 = 100;
/// Clocks of processes differ. Entries of the next minute are shown too.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

/// A page of the audit log.
#[derive(Debug)]
pub struct AuditPage {
    /// The entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// The cursor of the next page.
    pub next: Option<String>,
    /// The time down to which entries were read, if the page has fewer entries than it may have and older ones may
    /// match.
    pub searched_to: Option<Timestamp>,
}

/// What a page covers: ids below `before`, and times from `oldest` on.
struct Range {
    before: AuditId,
    oldest: Timestamp,
}

impl Range {
    fn of(filter: &AuditFilter, cursor: Option<AuditId>, now: Timestamp) -> Self {
        let (from, end) = filter.bounds();
        let newest = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        let start = AuditId::first_at(end.unwrap_or(newest).min(newest));
        let expired = now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        let oldest = from.unwrap_or(expired).max(expired);
        Self { before: cursor.map_or(start, |cursor| cursor.min(start)), oldest }
    }

    /// Whether older entries cannot match.
    fn is_done(&self) -> bool {
        self.before <= AuditId::first_at(self.oldest)
    }
}

impl Audit {
    /// Returns a page of entries, newest first, with at most [`ROUNDS`] times 16 calls.
    ///
    /// # Errors
    /// [`AuditError::Cursor`] for a cursor of another list.
    pub async fn list(
        &self,
        filter: &AuditFilter,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<AuditPage, AuditError> {
        let limit = limit.min(MOST);
        let read = match filter.is_sparse() {
            true => READ_FOR_FILTER,
            // Twice the expected share of a partition, so that one round usually fills the page.
            false => u32::from(limit) * 2 / PARTITIONS + 5,
        };
        self.page(filter, limit.into(), read, cursor).await
    }

    /// Returns a page of at most `limit` entries. Each call reads at most `read` of them.
    pub(super) async fn page(
        &self,
        filter: &AuditFilter,
        limit: usize,
        read: u32,
        cursor: Option<&str>,
    ) -> Result<AuditPage, AuditError> {
        let start = start_after::<AuditId>(LIST, cursor)?;
        let filter = self.with_account(filter).await?;
        let mut range = Range::of(&filter, start, self.clock.now());
        let mut page = PageBuilder::new(limit);
        for _ in 0..ROUNDS {
            if range.is_done() || page.is_full() {
                break;
            }
            let day = day_below(range.before);
            let Merged { entries, horizon } = merge(self.read_day(day, range.before, read).await?);
            let admitted =
                entries.into_iter().filter(|entry| entry.at >= range.oldest && filter.admits(entry));
            range.before =
                page.add(admitted).or(horizon).unwrap_or_else(|| AuditId::first_at(start_of_day(day)));
        }
        let next = Some(range.before).filter(|_| !range.is_done());
        let searched_to = next.filter(|_| !page.is_full()).map(AuditId::time);
        let next = next.map(|id| cursor_after(LIST, id));
        Ok(AuditPage { entries: page.into_entries(), next, searched_to })
    }

    /// Looks up the account of an email address, with any role and status: people who left are looked up too.
    async fn with_account(&self, filter: &AuditFilter) -> Result<AuditFilter, StoreError> {
        let mut filter = filter.clone();
        if let Some(person) = filter.person.take() {
            filter.person = Some(match person.email() {
                Some(email) => {
                    let account = self.accounts.id_of(&AccountReference::Email(email)).await?;
                    person.with_account(account)
                }
                None => person,
            });
        }
        Ok(filter)
    }

    /// Reads the newest entries below an id of each partition of a day.
    async fn read_day(&self, day: Date, before: AuditId, read: u32) -> Result<Vec<Slice>, StoreError> {
        let limit = i32::try_from(read).unwrap_or(i32::MAX);
        let before = before.to_string();
        let reads: Vec<_> = (0..PARTITIONS)
            .map(|number| self.read_partition(partition(day, number), &before, limit))
            .collect();
        let concurrency = reads.len();
        stream::iter(reads).buffered(concurrency).try_collect().await
    }

    async fn read_partition(&self, pk: String, before: &str, limit: i32) -> Result<Slice, StoreError> {
        let key = Key::new(pk.clone(), before);
        let page = self.dynamo.select(&Select::partition(pk, limit).backwards().after(before, &key)).await?;
        let end = page.last.as_ref().and_then(id_of);
        Ok(Slice { entries: page.items.into_iter().filter_map(readable).collect(), end })
    }
}

/// Returns the entry of an item. An entry of a later version of the program, with a kind that this one does not know, is
/// logged and left out, so that the others can be read.
fn readable(item: Item) -> Option<AuditEntry> {
    from_item(item).inspect_err(|error| tracing::error!(%error, "an audit entry cannot be read")).ok()
}

fn id_of(key: &Item) -> Option<AuditId> {
    key.get(SK)?.as_s().ok()?.parse().ok()
}

fn start_of_day(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MIN, |midnight| midnight.timestamp())
}

/// Returns the day in UTC that has the newest ids below this one.
fn day_below(before: AuditId) -> Date {
    let day = before.time().to_zoned(TimeZone::UTC).date();
    match before <= AuditId::first_at(start_of_day(day)) {
        true => day.yesterday().unwrap_or(day),
        false => day,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_ends_where_the_day_before_begins() {
        let midnight = time("2026-11-29T00:00:00Z");
        assert_eq!(day_below(AuditId::first_at(midnight)).to_string(), "2026-11-28");
        assert_eq!(day_below(AuditId::new(midnight, &[1; 10])).to_string(), "2026-11-29");
        assert_eq!(day_below(AuditId::first_at(time("2026-11-29T12:00:00Z"))).to_string(), "2026-11-29");
    }

    #[test]
    fn a_range_begins_at_the_cursor_or_the_end_of_the_days_and_ends_where_entries_expire() {
        let now = time("2026-11-29T12:00:00Z");
        let filter = |from: &str, to: &str| {
            AuditFilter::read(None, None, Some(from.to_owned()), Some(to.to_owned())).unwrap()
        };
        let all = Range::of(&filter("", ""), None, now);
        assert_eq!(all.before.time(), time("2026-11-29T12:01:00Z"));
        assert_eq!((all.oldest, all.is_done()), (time("2025-10-25T12:00:00Z"), false));
        let days = Range::of(&filter("2026-11-01", "2026-11-02"), None, now);
        assert_eq!(
            (days.before.time(), days.oldest),
            (time("2026-11-03T05:00:00Z"), time("2026-11-01T04:00:00Z"))
        );
        // A cursor of other days neither widens the days nor reads past them.
        let late = AuditId::first_at(time("2026-11-20T00:00:00Z"));
        assert_eq!(Range::of(&filter("2026-11-01", "2026-11-02"), Some(late), now).before, days.before);
        let early = AuditId::first_at(time("2026-10-20T00:00:00Z"));
        assert!(Range::of(&filter("2026-11-01", "2026-11-02"), Some(early), now).is_done());
    }
}
