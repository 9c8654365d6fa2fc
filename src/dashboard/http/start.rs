//! The start page and its data.

use futures_util::future::try_join4;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::base::calendar;
use crate::base::values::UsState;
use crate::dashboard::Dashboard;
use crate::leads::list::ListRequest;
use crate::orders::OrderView;
use crate::orders::domain::{Caps, Order, StateCap};
use crate::orders::list as orders;
use crate::raffles;
use crate::shared::charts::{self, Chart, Point, Series};
use crate::shared::pages::*;
use crate::stats::{Day, Stats};

/// `GET /`: the dashboard for viewers and agents, raffles for participants.
pub(super) async fn start_page(
    State(dashboard): State<Dashboard>,
    context: PageContext,
    who: SignedIn,
) -> PageAnswer {
    match who.is_viewer() {
        true => dashboard.show(context).await,
        false => raffles::home(&dashboard.raffles, context, &who).await,
    }
}

/// The number of days in the chart.
const DAYS: u8 = 14;
/// The number of orders in the list.
const ORDERS: u16 = 6;

impl Dashboard {
    /// Renders the dashboard, or how to start if there are no leads.
    async fn show(&self, context: PageContext) -> PageAnswer {
        let now = self.clock.now();
        let today = calendar::day_of(now);
        let (stats, days, caps, newest) = try_join4(
            async { Ok::<_, Problem>(self.statistics.read().await?) },
            async { Ok(self.statistics.days(today, DAYS).await?) },
            async { Ok(self.orders.caps().await?) },
            self.newest(),
        )
        .await?;
        // If another process reads the stream, the data on the page shows whether it is late.
        let changed = newest.iter().map(|order| order.updated_at).max();
        let stats = stats.known_changed(changed, now);
        if stats.total == 0 && newest.is_empty() && self.has_no_lead().await? {
            return html(StatusCode::OK, &StartPage { context });
        }
        html(StatusCode::OK, &DashboardPage::new(context, now, &stats, &days, &caps, &newest))
    }

    async fn newest(&self) -> Result<Vec<Order>, Problem> {
        let request = orders::ListRequest { limit: ORDERS, ..orders::ListRequest::default() };
        Ok(self.orders.list(&request).await?.items)
    }

    /// Returns whether there are no leads. The statistics alone may be slightly old.
    async fn has_no_lead(&self) -> Result<bool, Problem> {
        let request = ListRequest { limit: 1, ..ListRequest::default() };
        Ok(self.leads.list(&request).await?.leads.is_empty())
    }
}

/// The start page without any leads.
#[derive(Template)]
#[template(path = "dashboard/start.html", config = "templates/askama.toml")]
struct StartPage {
    context: PageContext,
}

/// `GET /` for viewers and agents.
#[derive(Template)]
#[template(path = "dashboard/board.html", config = "templates/askama.toml")]
struct DashboardPage {
    context: PageContext,
    /// The day in New York.
    today: String,
    /// The time of the counts.
    as_of: Option<RecentTime>,
    /// How late the counts are, as text.
    late: Option<String>,
    /// The day's numbers.
    tiles: Vec<Tile>,
    /// Leads by status.
    pipeline: Vec<Bar>,
    /// Leads by stock.
    stock: Vec<Bar>,
    /// The states with the largest stock.
    states: Vec<Bar>,
    /// The fullest caps.
    caps: Vec<Bar>,
    chart: Chart,
    orders: Vec<OrderView>,
}

/// One number of the day.
struct Tile {
    label: &'static str,
    number: u64,
}

/// A number with its bar.
#[derive(Debug, PartialEq, Eq)]
struct Bar {
    label: String,
    text: String,
    bar: charts::Bar,
    kind: &'static str,
    /// The address of a list of the counted records.
    link: Option<String>,
}

/// The maximum number of states in a section.
const MAX_STATES: usize = 10;

impl DashboardPage {
    fn new(
        context: PageContext,
        now: Timestamp,
        stats: &Stats,
        days: &[Day],
        caps: &Caps,
        orders: &[Order],
    ) -> Self {
        Self {
            today: days.last().map(|day| long_date(day.date)).unwrap_or_default(),
            as_of: stats.as_of.map(|at| RecentTime::of(at, now)),
            late: stats.late(),
            tiles: days.last().map(tiles).unwrap_or_default(),
            pipeline: pipeline(stats),
            stock: stock(stats),
            states: states(stats),
            caps: fullest(caps),
            chart: chart(days),
            orders: orders.iter().map(OrderView::of).collect(),
            context,
        }
    }
}

fn long_date(day: Date) -> String {
    day.strftime("%A, %B %-d").to_string()
}

fn tiles(day: &Day) -> Vec<Tile> {
    [
        ("Leads created", day.leads_created),
        ("Qualified", day.leads_qualified),
        ("Converted", day.leads_converted),
        ("Orders created", day.orders_created),
        ("Orders fulfilled", day.orders_fulfilled),
        ("Leads delivered", day.leads_delivered),
    ]
    .map(|(label, number)| Tile { label, number })
    .into()
}

/// Makes a bar for each label, style, number of leads and address of their list.
fn bars(counts: Vec<(&'static str, &'static str, u64, String)>) -> Vec<Bar> {
    let most = counts.iter().map(|(_, _, count, _)| *count).max().unwrap_or_default();
    let bar = |(label, kind, count, link): (&str, &'static str, u64, String)| Bar {
        label: label.to_owned(),
        text: count.to_string(),
        bar: charts::Bar::new(count, most),
        kind,
        link: Some(link),
    };
    counts.into_iter().map(bar).collect()
}

fn pipeline(stats: &Stats) -> Vec<Bar> {
    let counts = stats.by_status.iter().map(|row| {
        (row.status.label(), row.status.slug(), row.count, format!("/leads?status={}", row.status))
    });
    bars(counts.collect())
}

fn stock(stats: &Stats) -> Vec<Bar> {
    let counts = stats
        .by_stock
        .iter()
        .map(|row| (row.stock.label(), row.stock.slug(), row.count, format!("/leads?stock={}", row.stock)));
    bars(counts.collect())
}

fn states(stats: &Stats) -> Vec<Bar> {
    let mut counts: Vec<(UsState, u64)> =
        stats.by_state.iter().map(|row| (row.state, row.unassigned)).filter(|(_, free)| *free > 0).collect();
    counts.sort_by_key(|(state, free)| (std::cmp::Reverse(*free), state.name()));
    let most = counts.into_iter().take(MAX_STATES);
    bars(most.map(|(state, free)| (state.name(), "", free, format!("/leads?state={state}"))).collect())
}

fn fullest(caps: &Caps) -> Vec<Bar> {
    let mut out: Vec<_> = caps.states.iter().filter(|cap| cap.out > 0).collect();
    let fill = |out: u32, cap: u32| u64::from(out) * 1_000 / u64::from(cap.max(1));
    out.sort_by_key(|cap| (std::cmp::Reverse(fill(cap.out, cap.cap.get())), cap.state.name()));
    let bar = |cap: &StateCap| {
        let limit = cap.cap.get();
        Bar {
            label: cap.state.name().to_owned(),
            text: format!("{} of {limit}", cap.out),
            bar: charts::Bar::new(cap.out, limit),
            kind: if cap.out >= limit { "full" } else { "" },
            link: None,
        }
    };
    out.into_iter().take(MAX_STATES).map(bar).collect()
}

/// The chart of the leads created and delivered on each day.
fn chart(days: &[Day]) -> Chart {
    let series = [Series::new("Leads created", "created"), Series::new("Leads delivered", "delivered")];
    let point = |day: &Day| Point::on(day.date, &[Some(day.leads_created), Some(day.leads_delivered)]);
    let points: Vec<Point> = days.iter().map(point).collect();
    Chart::columns("Leads created and delivered on each day", "Day", &series, &points)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str, created: u64, delivered: u64) -> Day {
        Day {
            date: date.parse().unwrap(),
            leads_created: created,
            leads_qualified: 0,
            leads_converted: 0,
            orders_created: 0,
            orders_fulfilled: 0,
            leads_delivered: delivered,
        }
    }

    #[test]
    fn the_chart_names_both_numbers_of_a_day() {
        let html = chart(&[day("2026-11-22", 1_400, 0)]).to_string();
        assert!(html.contains(r#"aria-label="Nov 22: 1,400 created, 0 delivered""#), "{html}");
    }

    #[test]
    fn a_bar_is_proportional_to_the_largest() {
        let link = String::new;
        let bars = bars(vec![("A", "", 40, link()), ("B", "", 10, link()), ("C", "", 0, link())]);
        let drawn: Vec<_> = bars.into_iter().map(|bar| bar.bar).collect();
        assert_eq!(
            drawn,
            [charts::Bar::new(1_u8, 1_u8), charts::Bar::new(1_u8, 4_u8), charts::Bar::new(0_u8, 1_u8)]
        );
    }
}
