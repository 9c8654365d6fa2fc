//! A raffle's page for administrators: tickets with their owners, sales, history, and the draw.

use futures_util::future::try_join3;
use jiff::SignedDuration;

use super::parts::{DRAWN, Phase};
use crate::base::text::isolated;
use crate::raffles::Raffles;
use crate::raffles::domain::{Point, RaffleEntry, RaffleEvent, RaffleId, RaffleState, RaffleStatus, Ticket};
use crate::raffles::error::RaffleError;
use crate::shared::charts::{self, Chart, Series};
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::store::idempotency::Done;
use crate::web::lists::Listed;
use crate::web::query::address;

pub(super) fn routes() -> Routes<Raffles> {
    Routes::default().get("/raffles/{id}/tickets", Access::Administrator, show).post(
        "/raffles/{id}/draw",
        Access::Administrator,
        draw,
    )
}

/// The tickets of one page.
const TICKETS: u16 = 50;
/// The history entries of one page.
const HISTORY: u16 = 20;

/// The cursors of the page's two lists.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ManageQuery {
    cursor: String,
    history: String,
}

async fn show(
    State(raffles): State<Raffles>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<RaffleId>,
    Query(query): Query<ManageQuery>,
) -> PageAnswer {
    html(StatusCode::OK, &page(&raffles, context, id, &who, query).await?)
}

fn cursor(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

async fn page(
    raffles: &Raffles,
    context: PageContext,
    id: RaffleId,
    who: &SignedIn,
    query: ManageQuery,
) -> Result<ManagePage, RaffleError> {
    let ((state, sales), tickets, history) = try_join3(
        raffles.read_with_sales(id, who),
        raffles.tickets(id, TICKETS, cursor(&query.cursor)),
        raffles.history(id, HISTORY, cursor(&query.history)),
    )
    .await?;
    Ok(ManagePage::new(context, state, tickets, history, &sales, query.cursor))
}

/// Draws the winner. The form names no version: a raffle has one draw, so the same form can succeed only once.
async fn draw(
    State(raffles): State<Raffles>,
    target: RenderTarget,
    Path(id): Path<RaffleId>,
    submission: Submission,
) -> PageAnswer {
    let who = &submission.who;
    let words = match raffles.draw(id, who, Some(&submission.idempotency())).await {
        Ok(Done::Now(_)) => "The winner is drawn.",
        // Another administrator has just drawn the winner. There is one winner, so the result is the same.
        Ok(Done::Replayed(_)) | Err(RaffleError::Drawn(_)) => {
            "The winner was already drawn. Here's the result."
        }
        Err(RaffleError::NothingSold) => {
            let page = page(&raffles, target.context, id, who, ManageQuery::default()).await?;
            return html(StatusCode::UNPROCESSABLE_ENTITY, &ManagePage { nothing_sold: true, ..page });
        }
        Err(error) => return Err(error.into()),
    };
    Ok(target.done(&format!("/raffles/{id}"), words))
}

/// Shows the list again after one of its tickets was canceled, or why it was not.
pub(super) async fn canceled(
    raffles: &Raffles,
    target: RenderTarget,
    who: &SignedIn,
    id: RaffleId,
    cursor: &str,
    done: Result<Done<RaffleState>, RaffleError>,
) -> PageAnswer {
    let (tone, words) = match done {
        Ok(Done::Now(_)) => (Tone::Success, "The ticket is back in the pool."),
        Ok(Done::Replayed(_)) | Err(RaffleError::NoSuchTicket(_)) => {
            (Tone::Info, "That ticket was already returned.")
        }
        Err(RaffleError::Drawn(_)) => (Tone::Info, DRAWN),
        Err(RaffleError::TicketConflict(fresh)) => {
            return show_sold_again(raffles, target, who, id, cursor, &fresh).await;
        }
        Err(error) => return Err(error.into()),
    };
    let path = address(&format!("/raffles/{id}/tickets"), [("cursor", cursor)]);
    Ok(with_toast_there(target.redirect(&path), tone, words))
}

/// Shows the row of a ticket that was canceled and sold again, or the page with this row.
async fn show_sold_again(
    raffles: &Raffles,
    RenderTarget { context, fragment }: RenderTarget,
    who: &SignedIn,
    id: RaffleId,
    cursor: &str,
    ticket: &Ticket,
) -> PageAnswer {
    let (row, cursor) = (TicketRow { is_overtaken: true, ..TicketRow::of(ticket) }, cursor.to_owned());
    if fragment {
        let part = TicketRowFragment { context, id, is_open: true, cursor, row };
        return html(StatusCode::CONFLICT, &part);
    }
    let query = ManageQuery { cursor, ..ManageQuery::default() };
    let mut page = page(raffles, context, id, who, query).await?;
    if let Some(old) = page.rows.iter_mut().find(|old| old.number == row.number) {
        *old = row;
    }
    html(StatusCode::CONFLICT, &page)
}

#[derive(Debug, Clone)]
struct TicketRow {
    number: u32,
    /// The owner's name and email address.
    name: String,
    email: String,
    bought: DisplayTime,
    /// Distinguishes this sale of the number from earlier, canceled ones.
    version: u64,
    /// Whether the ticket was sold to another person after the administrator loaded the page.
    is_overtaken: bool,
}

impl TicketRow {
    fn of(ticket: &Ticket) -> Self {
        Self {
            number: ticket.number.get(),
            name: ticket.name.to_string(),
            email: ticket.email.to_string(),
            bought: ticket.bought_at.into(),
            version: ticket.version.get(),
            is_overtaken: false,
        }
    }
}

#[derive(Debug, Clone)]
struct EntryView {
    what: String,
    who: String,
    when: DisplayTime,
}

impl EntryView {
    fn of(entry: RaffleEntry) -> Self {
        let what = match entry.event {
            RaffleEvent::Opened => "Opened".to_owned(),
            RaffleEvent::Canceled { number, name } => {
                format!("Ticket {number} of {} returned", isolated(name.as_str()))
            }
            RaffleEvent::Drawn { number } => format!("Drawn: ticket {number}"),
        };
        Self { what, who: entry.by.to_string(), when: entry.at.into() }
    }
}

/// The most moments in the sales chart.
const MOMENTS: u64 = 24;

/// Draws the sales: the number of tickets sold by moments at equal distances, from the opening until now or the draw.
fn sales_chart(sales: &[Point], tickets: u32) -> Option<Chart> {
    let (first, last) = (sales.first()?, sales.last()?);
    let span = last.at.duration_since(first.at).as_secs().max(0).unsigned_abs();
    // Labels have no seconds, so moments are at least a minute apart.
    let steps = span.div_ceil(60).min(MOMENTS - 1);
    let moment = |step: u64| {
        let after = i64::try_from(span * step / steps.max(1)).unwrap_or_default();
        let at = first.at.saturating_add(SignedDuration::from_secs(after)).unwrap_or(last.at);
        // Nothing was sold between two points, so the last one before the moment counts.
        let sold = match sales.iter().rev().find(|point| point.at <= at) {
            _ if step == steps => last.sold,
            Some(point) => point.sold,
            None => 0,
        };
        charts::Point::at(DisplayTime::from(at).text, &[Some(u64::try_from(sold).unwrap_or_default())])
    };
    let points: Vec<charts::Point> = (0..=steps).map(moment).collect();
    let series = Series::new("Tickets sold", "sold");
    Some(Chart::line("Tickets sold over time", "Until", series, &points, tickets.into()))
}

/// `GET /raffles/{id}/tickets`
#[derive(Template)]
#[template(path = "raffles/manage.html", config = "templates/askama.toml")]
struct ManagePage {
    context: PageContext,
    state: RaffleState,
    id: RaffleId,
    phase: Phase,
    /// Whether tickets can be canceled and the winner drawn.
    is_open: bool,
    rows: Vec<TicketRow>,
    /// The cursor of this page of tickets. Empty for the first page.
    cursor: String,
    /// The address of the next page of tickets.
    next: Option<String>,
    /// What happened, newest first.
    history: Vec<EntryView>,
    /// The address of the next page of history.
    older: Option<String>,
    chart: Option<Chart>,
    /// Whether the draw was refused because no ticket is sold.
    nothing_sold: bool,
}

impl ManagePage {
    fn new(
        context: PageContext,
        state: RaffleState,
        tickets: Listed<Ticket>,
        history: Listed<RaffleEntry>,
        sales: &[Point],
        cursor: String,
    ) -> Self {
        let id = state.id;
        let page_at = |name, cursor: String| address(&format!("/raffles/{id}/tickets"), [(name, cursor)]);
        Self {
            context,
            id,
            phase: Phase::of(&state),
            is_open: state.status == RaffleStatus::Open,
            rows: tickets.items.iter().map(TicketRow::of).collect(),
            cursor,
            next: tickets.next.map(|cursor| page_at("cursor", cursor)),
            history: history.items.into_iter().map(EntryView::of).collect(),
            older: history.next.map(|cursor| page_at("history", cursor)),
            chart: sales_chart(sales, state.tickets),
            nothing_sold: false,
            state,
        }
    }

    fn sold(&self) -> String {
        counted(self.state.sold, "ticket", "tickets")
    }

    /// Describes what the draw ends.
    fn ends(&self) -> String {
        match self.state.remaining {
            0 => "Tickets can no longer be returned.".to_owned(),
            left => format!("Sales end: {} left won't be sold.", counted(left, "ticket", "tickets")),
        }
    }
}

#[derive(Template)]
#[template(path = "raffles/_row.html", config = "templates/askama.toml")]
struct TicketRowFragment {
    context: PageContext,
    id: RaffleId,
    /// Whether the ticket can be canceled.
    is_open: bool,
    /// The cursor of the page of tickets.
    cursor: String,
    row: TicketRow,
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn chart(points: &[(i64, i64)]) -> String {
        let point = |(seconds, sold): &(i64, i64)| Point {
            at: Timestamp::from_second(*seconds).unwrap(),
            sold: *sold,
        };
        let points: Vec<Point> = points.iter().map(point).collect();
        sales_chart(&points, 100).unwrap().to_string()
    }

    #[test]
    fn the_sales_are_drawn_from_the_opening_to_the_end() {
        let html = chart(&[(0, 0), (60, 0), (120, 50), (240, 100)]);
        let names = [
            "Dec 31, 1969, 7:00 PM EST: 0 sold",
            "Dec 31, 1969, 7:01 PM EST: 0 sold",
            "Dec 31, 1969, 7:02 PM EST: 50 sold",
            "Dec 31, 1969, 7:03 PM EST: 50 sold",
            "Dec 31, 1969, 7:04 PM EST: 100 sold",
        ];
        for name in names {
            assert!(html.contains(name), "{name} is not in {html}");
        }
        assert_eq!(html.matches("tabindex").count(), names.len());
    }

    #[test]
    fn a_new_raffle_and_one_with_many_points_have_a_chart() {
        assert_eq!(chart(&[(5, 0), (5, 0)]).matches("tabindex").count(), 1);
        let many: Vec<(i64, i64)> = (0..500).map(|at| (at * 60, at - 1)).collect();
        let html = chart(&many);
        assert_eq!(html.matches("tabindex").count(), 24);
        assert!(html.contains(": 498 sold"), "the last number is exact: {html}");
        assert!(sales_chart(&[], 1).is_none());
    }
}
