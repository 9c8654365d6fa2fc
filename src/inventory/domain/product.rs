//! Products, their movements, and how their stock stood at the ends of the last days.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Kind, LowMark, MessageId, ProductName, Reference, Sku, Source, Units};
use crate::base::calendar;
use crate::base::identity::Actor;
use crate::base::values::Version;

/// The days of which a product keeps how it stood, today included.
const DAYS: i64 = 30;

/// How a stock stood at the end of a day in New York on which it moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The day.
    pub day: Date,
    /// The stock.
    pub stock: Units,
}

/// A product with its stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// What it is known by.
    pub sku: Sku,
    /// What it is called.
    pub name: ProductName,
    /// How many pieces there are. Never less than none.
    pub stock: Units,
    /// How many movements there were; the first made the product.
    pub version: Version,
    /// At or under it the stock is low.
    #[serde(default)]
    pub low_mark: LowMark,
    /// The version of name and low-stock mark: 1 at creation, one more with every change. Movements leave it.
    pub details_version: Version,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it moved last.
    pub updated_at: Timestamp,
    /// How it stood at the ends of the days on which it moved: of the last 30 days, and one before them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closings: Vec<Closing>,
}

impl Product {
    /// A product before its first movement.
    pub(super) fn before_first(sku: &Sku, name: Option<&ProductName>, now: Timestamp) -> Self {
        Self {
            sku: sku.clone(),
            name: name.cloned().unwrap_or_else(|| sku.into()),
            stock: Units::default(),
            version: Version::FIRST,
            low_mark: LowMark::default(),
            details_version: Version::FIRST,
            created_at: now,
            updated_at: now,
            closings: Vec::new(),
        }
    }

    /// Whether there are as few as the mark says, or fewer.
    pub fn is_low(&self) -> bool {
        self.stock.get() <= self.low_mark.get()
    }

    /// With another stock, at a version.
    pub(super) fn moved(&self, stock: Units, version: Version, now: Timestamp) -> Self {
        let today = calendar::day_of(now);
        let mut closings = self.closings.clone();
        match closings.last_mut() {
            // Clocks of two instances may differ by a little: a day never goes back.
            Some(last) if last.day >= today => last.stock = stock,
            _ => closings.push(Closing { day: today, stock }),
        }
        let old = closings.iter().filter(|closing| is_old(closing.day, today)).count();
        // The last of the old ones says where the first day begins.
        closings.drain(..old.saturating_sub(1));
        Self { stock, version, updated_at: now, closings, ..self.clone() }
    }

    /// How the stock stood at the end of each of the last 30 days, oldest first; nothing before there was a product.
    pub fn last_days(&self, today: Date) -> Vec<(Date, Option<Units>)> {
        let days = (0..DAYS).rev().filter_map(|back| today.checked_sub(jiff::Span::new().days(back)).ok());
        let at = |day: Date| self.closings.iter().rev().find(|closing| closing.day <= day);
        days.map(|day| (day, at(day).map(|closing| closing.stock))).collect()
    }
}

fn is_old(day: Date, today: Date) -> bool {
    today.checked_sub(jiff::Span::new().days(DAYS - 1)).is_ok_and(|first| day < first)
}

/// One change of a product's stock, by one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Movement {
    /// The product's version that it made.
    pub version: Version,
    /// What the message did.
    pub kind: Kind,
    /// With how many pieces.
    pub quantity: Units,
    /// The stock before.
    pub before: Units,
    /// The stock after.
    pub after: Units,
    /// What the message refers to, or why a person adjusted the stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reference>,
    /// The message.
    pub message_id: MessageId,
    /// Where it came from.
    pub source: Source,
    /// When that was, as the message says.
    pub occurred_at: Timestamp,
    /// When it was applied.
    pub at: Timestamp,
    /// Who did it, where a person or a program did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_product_remembers_how_it_stood_on_the_last_thirty_days() {
        let begin: Timestamp = "2026-10-01T16:00:00Z".parse().unwrap();
        let units = |number: u64| Units::try_from(number).unwrap();
        let mut product = Product::before_first(&"A".parse().unwrap(), None, begin);
        for day in 0..80 {
            let now = begin + SignedDuration::from_hours(24 * day);
            product = product.moved(units(day.unsigned_abs() + 5), product.version.next(), now);
        }
        assert!(product.closings.len() <= 31, "{}", product.closings.len());
        let today = calendar::day_of(begin + SignedDuration::from_hours(24 * 79));
        let days = product.last_days(today);
        assert_eq!(days.len(), 30);
        assert_eq!(days[29], (today, Some(units(84))));
        assert_eq!(days[0].1, Some(units(55)));
        // Without a movement a stock stays as it was.
        let later = today.checked_add(jiff::Span::new().days(3)).unwrap();
        assert_eq!(product.last_days(later)[29].1, Some(units(84)));
        assert_eq!(
            product.last_days(later.checked_add(jiff::Span::new().days(300)).unwrap())[0].1,
            Some(units(84))
        );
    }

    #[test]
    fn a_stock_at_its_mark_is_low() {
        let mut product = Product::before_first(&"A".parse().unwrap(), None, Timestamp::UNIX_EPOCH);
        assert!(product.is_low(), "nothing is left");
        product.low_mark = LowMark::try_from(5).unwrap();
        for (stock, low) in [(4, true), (5, true), (6, false)] {
            product.stock = Units::try_from(stock).unwrap();
            assert_eq!(product.is_low(), low, "{stock}");
        }
    }
}
