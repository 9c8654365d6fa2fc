//! Products, their movements, and their stock at the end of each recent day.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Kind, LowMark, MessageId, ProductName, Reference, Sku, Source, Units};
use crate::base::calendar;
use crate::base::identity::Actor;
use crate::base::values::Version;

/// How many days of closing stock a product keeps, including today.
const DAYS: i64 = 30;

/// The stock at the end of a day in New York on which it moved.
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
    /// The unique sku.
    pub sku: Sku,
    /// The name.
    pub name: ProductName,
    /// The number of pieces, never below zero.
    pub stock: Units,
    /// The number of movements. The first one created the product.
    pub version: Version,
    /// The stock is low at this value or below.
    #[serde(default)]
    pub low_mark: LowMark,
    /// The version of the name and the low-stock mark: 1 at creation, +1 with every change. Movements do not change
    /// it.
    pub details_version: Version,
    /// The time it was created.
    pub created_at: Timestamp,
    /// The time of its last movement.
    pub updated_at: Timestamp,
    /// The closing stock of each day with a movement: the last 30 days, and one day before them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closings: Vec<Closing>,
}

impl Product {
    /// Returns a product before its first movement.
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

    /// Returns whether the stock is at or below the low-stock mark.
    pub fn is_low(&self) -> bool {
        self.stock.get() <= self.low_mark.get()
    }

    /// Returns the product with a new stock and version.
    pub(super) fn moved(&self, stock: Units, version: Version, now: Timestamp) -> Self {
        let today = calendar::day_of(now);
        let mut closings = self.closings.clone();
        match closings.last_mut() {
            // The clocks of two instances can differ slightly. A day never goes back.
            Some(last) if last.day >= today => last.stock = stock,
            _ => closings.push(Closing { day: today, stock }),
        }
        let old = closings.iter().filter(|closing| is_old(closing.day, today)).count();
        // Keep the latest of the old closings: it gives the stock at the start of the period.
        closings.drain(..old.saturating_sub(1));
        Self { stock, version, updated_at: now, closings, ..self.clone() }
    }

    /// Returns the closing stock of each of the last 30 days, oldest first. Days before the product existed have
    /// `None`.
    pub fn last_days(&self, today: Date) -> Vec<(Date, Option<Units>)> {
        let days = (0..DAYS).rev().filter_map(|back| today.checked_sub(jiff::Span::new().days(back)).ok());
        let at = |day: Date| self.closings.iter().rev().find(|closing| closing.day <= day);
        days.map(|day| (day, at(day).map(|closing| closing.stock))).collect()
    }
}

fn is_old(day: Date, today: Date) -> bool {
    today.checked_sub(jiff::Span::new().days(DAYS - 1)).is_ok_and(|first| day < first)
}

/// A change of a product's stock, caused by one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Movement {
    /// The product's version after the movement.
    pub version: Version,
    /// The kind of the message.
    pub kind: Kind,
    /// The quantity of the message.
    pub quantity: Units,
    /// The stock before the movement.
    pub before: Units,
    /// The stock after the movement.
    pub after: Units,
    /// The reference of the message, or the reason for a manual adjustment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reference>,
    /// The id of the message.
    pub message_id: MessageId,
    /// The source of the message.
    pub source: Source,
    /// The time of the change, as the message states it.
    pub occurred_at: Timestamp,
    /// The time it was applied.
    pub at: Timestamp,
    /// The account that sent the message, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_product_keeps_its_closing_stock_for_thirty_days() {
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
        // Without a movement, the stock stays the same.
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
