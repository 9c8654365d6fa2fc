//! The time zone in which pages show times: that of the person who sent the request, or the workspace's.
//!
//! The zone belongs to the task and is not an argument, because every page shows times. Files, text mode and days stay
//! in New York: see [`calendar`].

use jiff::tz::TimeZone;

use super::calendar::{self, ZoneName};

tokio::task_local! {
    static CURRENT: TimeZone;
}

/// Runs the work of a request, which shows times in this zone, or in the workspace's if there is none.
pub async fn show_times_in<F: Future>(zone: Option<&ZoneName>, work: F) -> F::Output {
    // An account may have a zone that this version of the database no longer has.
    match zone.and_then(|zone| TimeZone::get(zone.as_str()).ok()) {
        Some(zone) => CURRENT.scope(zone, work).await,
        None => work.await,
    }
}

/// Returns the zone in which the current request shows times. Outside of a request it is the workspace's.
pub fn current() -> TimeZone {
    CURRENT.try_with(Clone::clone).unwrap_or_else(|_| calendar::zone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> ZoneName {
        name.parse().unwrap()
    }

    fn shown() -> Option<String> {
        current().iana_name().map(str::to_owned)
    }

    #[tokio::test]
    async fn each_request_has_its_own_zone() {
        let (paris, chicago) = (zone("Europe/Paris"), zone("america/chicago"));
        show_times_in(Some(&paris), async {
            assert_eq!(shown().as_deref(), Some("Europe/Paris"));
            let inner = show_times_in(Some(&chicago), async { shown() }).await;
            assert_eq!(inner.as_deref(), Some("America/Chicago"));
            tokio::task::yield_now().await;
            assert_eq!(shown().as_deref(), Some("Europe/Paris"));
        })
        .await;
        assert_eq!(show_times_in(None, async { shown() }).await.as_deref(), Some("America/New_York"));
        assert_eq!(shown().as_deref(), Some("America/New_York"), "outside of a request");
    }

    #[tokio::test]
    async fn two_requests_at_once_do_not_share_a_zone() {
        let request = async |name: &str| {
            show_times_in(Some(&zone(name)), async {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                    assert_eq!(shown().as_deref(), Some(name));
                }
            })
            .await;
        };
        tokio::join!(request("Europe/Paris"), request("Asia/Tokyo"), request("America/Denver"));
    }
}
