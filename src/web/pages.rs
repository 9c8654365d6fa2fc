//! The context of every page (the account, the path, asset URLs), and times for people.

use axum::extract::FromRequestParts;
use http::request::Parts;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::convert::Infallible;

use super::assets;
use super::message::Message;
use super::request::BasePath;
use super::theme::Theme;
use crate::base::identity::SignedIn;
use crate::base::{calendar, display_zone};

/// The data that the layout needs.
#[derive(Debug, Clone, Default)]
pub struct PageContext {
    /// The prefix of every path, or nothing.
    pub base: String,
    /// The path of the page.
    pub path: String,
    /// The signed-in account.
    pub account: Option<SignedIn>,
    /// The message of the form that led to the page.
    pub message: Option<Message>,
    /// The theme.
    pub theme: Theme,
}

impl PageContext {
    /// Creates the context of a request.
    pub fn of(parts: &Parts) -> Self {
        let base = parts.extensions.get::<BasePath>().cloned().unwrap_or_default().0;
        Self {
            base,
            path: parts.uri.path().to_owned(),
            account: parts.extensions.get::<SignedIn>().cloned(),
            message: parts.extensions.get::<Message>().cloned(),
            theme: Theme::of(&parts.headers),
        }
    }

    /// Returns the URL of a page.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Returns the URL of an asset.
    pub fn asset(&self, name: &str) -> String {
        self.url(assets::url(name))
    }
}

impl<S: Sync> FromRequestParts<S> for PageContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// A time on a page: in UTC for machines, and with its zone for people. The zone is that of the person who sent the
/// request, or New York.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayTime {
    /// RFC 3339 in UTC.
    pub iso: String,
    /// The text, for example `Nov 21, 2026, 5:04 PM EST`.
    pub text: String,
}

impl From<Timestamp> for DisplayTime {
    fn from(time: Timestamp) -> Self {
        Self::in_zone(time, display_zone::current())
    }
}

impl DisplayTime {
    /// Returns the time in New York, also for a person in another zone: for a form whose times are New York's.
    pub fn in_new_york(time: Timestamp) -> Self {
        Self::in_zone(time, calendar::zone())
    }

    fn in_zone(time: Timestamp, zone: TimeZone) -> Self {
        let local = time.to_zoned(zone);
        Self { iso: time.to_string(), text: local.strftime("%b %-d, %Y, %-I:%M %p %Z").to_string() }
    }
}

/// A time that is usually of today: only its time of day then, which is short enough for a sentence. A time of another
/// day is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentTime {
    /// RFC 3339 in UTC.
    pub iso: String,
    /// The text, for example `2:45 AM`.
    pub text: String,
    /// The time with its date and zone, for a tooltip.
    pub whole: String,
}

impl RecentTime {
    /// Formats a time as it is read now, in the zone of the request.
    pub fn of(time: Timestamp, now: Timestamp) -> Self {
        let DisplayTime { iso, text: whole } = DisplayTime::from(time);
        let zone = display_zone::current();
        let local = time.to_zoned(zone.clone());
        let text = match local.date() == now.to_zoned(zone).date() {
            true => local.strftime("%-I:%M %p").to_string(),
            false => whole.clone(),
        };
        Self { iso, text, whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_time_of_today_in_the_zone_of_the_request_has_no_date() {
        let time = |iso: &str| iso.parse::<Timestamp>().unwrap();
        let at = time("2026-11-21T07:45:00Z");
        let shown = |now: &str| RecentTime::of(at, time(now)).text;
        assert_eq!(shown("2026-11-22T04:59:00Z"), "2:45 AM");
        assert_eq!(shown("2026-11-22T05:00:00Z"), "Nov 21, 2026, 2:45 AM EST");
        assert_eq!(RecentTime::of(at, at).whole, "Nov 21, 2026, 2:45 AM EST");
        let tokyo = "Asia/Tokyo".parse().unwrap();
        let in_tokyo = display_zone::show_times_in(Some(&tokyo), async { shown("2026-11-21T15:00:00Z") });
        assert_eq!(in_tokyo.await, "Nov 21, 2026, 4:45 PM JST", "the next day there");
    }

    #[test]
    fn times_are_shown_in_new_york_with_the_zone_before_and_after_a_clock_change() {
        let text = |iso: &str| DisplayTime::from(iso.parse::<Timestamp>().unwrap()).text;
        assert_eq!(text("2026-11-01T05:59:00Z"), "Nov 1, 2026, 1:59 AM EDT");
        assert_eq!(text("2026-11-01T06:00:00Z"), "Nov 1, 2026, 1:00 AM EST");
        assert_eq!(text("2026-03-08T07:00:00Z"), "Mar 8, 2026, 3:00 AM EDT");
    }

    #[tokio::test]
    async fn times_are_shown_in_the_zone_of_the_request() {
        let time: Timestamp = "2026-03-29T01:30:00Z".parse().unwrap();
        for (zone, text) in [
            (None, "Mar 28, 2026, 9:30 PM EDT"),
            (Some("Europe/Paris"), "Mar 29, 2026, 3:30 AM CEST"),
            (Some("America/Phoenix"), "Mar 28, 2026, 6:30 PM MST"),
            (Some("Asia/Kolkata"), "Mar 29, 2026, 7:00 AM IST"),
            (Some("America/Sao_Paulo"), "Mar 28, 2026, 10:30 PM -03"),
        ] {
            let zone = zone.map(|name| name.parse().unwrap());
            let show = async { (DisplayTime::from(time), DisplayTime::in_new_york(time)) };
            let (shown, in_new_york) = display_zone::show_times_in(zone.as_ref(), show).await;
            assert_eq!((shown.text.as_str(), shown.iso.as_str()), (text, "2026-03-29T01:30:00Z"));
            assert_eq!(in_new_york.text, "Mar 28, 2026, 9:30 PM EDT");
            assert_eq!(calendar::in_new_york(time), "2026-03-28T21:30:00-04:00", "files stay in New York");
        }
    }
}
