//! A raffle's page for administrators: tickets with their owners, sales, history, and the draw.

use futures_util::future::try_join3;

use super::parts::{Phase, counted};
use crate::base::values::Version;
use crate::raffles::Raffles;
use crate::raffles::domain::{
    Point, RaffleEntry, RaffleEvent, RaffleId, RaffleState, RaffleStatus, Ticket, TicketNumber,
};
use crate::raffles::error::RaffleError;
use crate::shared::pages::*;
use crate::web::lists::Listed;

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

async fn draw(
    State(raffles): State<Raffles>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(id): Path<RaffleId>,
) -> PageAnswer {
    let words = match raffles.draw(id, &who, None).await {
        Ok(_) => "The winner is drawn.",
        // Another administrator has just drawn the winner. There is one winner, so the result is the same.
        Err(RaffleError::Drawn(_)) => "The winner was already drawn. Here's the result.",
        Err(RaffleError::NothingSold) => {
            let page = page(&raffles, context, id, &who, ManageQuery::default()).await?;
            return html(StatusCode::UNPROCESSABLE_ENTITY, &ManagePage { nothing_sold: true, ..page });
        }
        Err(error) => return Err(error.into()),
    };
    let redirect = see_other(&context, &format!("/raffles/{id}"), fragment);
    Ok(with_toast_there(redirect, Tone::Success, words))
}

/// Cancels a ticket in the list, of any owner, at the version that the list shows.
pub(super) async fn cancel(
    raffles: &Raffles,
    context: PageContext,
    fragment: bool,
    who: &SignedIn,
    (id, number): (RaffleId, TicketNumber),
    version: Option<Version>,
    cursor: &str,
) -> PageAnswer {
    let (tone, words) = match raffles.cancel(id, number, version, who, None).await {
        Ok(_) => (Tone::Success, "The ticket is back in the pool."),
        Err(RaffleError::NoSuchTicket(_)) => (Tone::Info, "That ticket was already given back."),
        Err(RaffleError::Drawn(_)) => {
            (Tone::Info, "The winner is drawn. Tickets can no longer be given back.")
        }
        Err(RaffleError::TicketConflict(fresh)) => {
            let row = TicketRow { is_overtaken: true, ..TicketRow::of(&fresh) };
            if fragment {
                let part = TicketRowFragment { context, id, is_open: true, cursor: cursor.to_owned(), row };
                return html(StatusCode::CONFLICT, &part);
            }
            let query = ManageQuery { cursor: cursor.to_owned(), ..ManageQuery::default() };
            let mut page = page(raffles, context, id, who, query).await?;
            if let Some(old) = page.rows.iter_mut().find(|old| old.number == row.number) {
                *old = row;
            }
            return html(StatusCode::CONFLICT, &page);
        }
        Err(error) => return Err(error.into()),
    };
    let query = serde_urlencoded::to_string([("cursor", cursor)]).unwrap_or_default();
    let path = match cursor {
        "" => format!("/raffles/{id}/tickets"),
        _ => format!("/raffles/{id}/tickets?{query}"),
    };
    Ok(with_toast_there(see_other(&context, &path, fragment), tone, words))
}

/// A row of the ticket table.
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

/// An entry of the history.
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
            RaffleEvent::Cancelled { number, name } => format!("Ticket {number} of {name} given back"),
            RaffleEvent::Drawn { number } => format!("Drawn: ticket {number}"),
        };
        Self { what, who: entry.by.to_string(), when: entry.at.into() }
    }
}

/// The sales chart: a line, and the same data as a table.
#[derive(Debug, Clone)]
struct Curve {
    /// The points of the line: `0,140 12,90`.
    line: String,
    /// The polygon between the line and the axis.
    area: String,
    from: DisplayTime,
    until: DisplayTime,
    /// Some moments, with the number of tickets sold by then.
    steps: Vec<(DisplayTime, i64)>,
    /// A summary in one sentence.
    summary: String,
}

impl Curve {
    const WIDTH: i64 = 640;
    const HEIGHT: i64 = 160;
    /// The most steps in the table.
    const STEPS: usize = 24;

    fn of(points: &[Point], tickets: u32) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let span = (last.at.as_second() - first.at.as_second()).max(1);
        let top = i64::from(tickets.max(1));
        let place = |point: &Point| {
            let x = (point.at.as_second() - first.at.as_second()) * Self::WIDTH / span;
            let y = Self::HEIGHT - point.sold.clamp(0, top) * Self::HEIGHT / top;
            format!("{x},{y}")
        };
        let line = points.iter().map(place).collect::<Vec<_>>().join(" ");
        let area = format!("0,{height} {line} {},{height}", Self::WIDTH, height = Self::HEIGHT);
        let (from, until) = (DisplayTime::from(first.at), DisplayTime::from(last.at));
        let summary = format!("{} of {tickets} sold from {} until {}.", last.sold, from.text, until.text);
        let every = points.len().div_ceil(Self::STEPS).max(1);
        let mut steps: Vec<&Point> = points.iter().step_by(every).collect();
        if steps.last().is_none_or(|step| *step != last) {
            steps.push(last);
        }
        let steps = steps.into_iter().map(|point| (point.at.into(), point.sold)).collect();
        Some(Self { line, area, from, until, steps, summary })
    }
}

/// `GET /raffles/{id}/tickets`
#[derive(Template)]
#[template(path = "raffles/manage.html")]
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
    curve: Option<Curve>,
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
        let address = |name: &str, cursor: String| {
            let query = serde_urlencoded::to_string([(name, cursor)]).ok()?;
            Some(format!("/raffles/{id}/tickets?{query}"))
        };
        Self {
            context,
            id,
            phase: Phase::of(&state),
            is_open: state.status == RaffleStatus::Open,
            rows: tickets.items.iter().map(TicketRow::of).collect(),
            cursor,
            next: tickets.next.and_then(|cursor| address("cursor", cursor)),
            history: history.items.into_iter().map(EntryView::of).collect(),
            older: history.next.and_then(|cursor| address("history", cursor)),
            curve: Curve::of(sales, state.tickets),
            nothing_sold: false,
            state,
        }
    }

    fn sold(&self) -> String {
        counted(self.state.sold)
    }

    /// Describes what the draw ends.
    fn ends(&self) -> String {
        match self.state.remaining {
            0 => "Tickets can no longer be given back.".to_owned(),
            left => format!("The sale ends: {} left won't be sold.", counted(left)),
        }
    }
}

/// A single row of the ticket table.
#[derive(Template)]
#[template(path = "raffles/_row.html")]
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

    #[test]
    fn a_curve_is_drawn_from_the_opening_to_the_end() {
        let point = |seconds, sold| Point { at: Timestamp::from_second(seconds).unwrap(), sold };
        let curve = Curve::of(&[point(0, 0), point(60, 50), point(120, 100)], 100).unwrap();
        assert_eq!(curve.line, "0,160 320,80 640,0");
        assert_eq!(curve.area, "0,160 0,160 320,80 640,0 640,160");
        assert!(curve.summary.starts_with("100 of 100 sold from "), "{}", curve.summary);
        // Edge cases: a raffle opened just now, and one with many points.
        assert_eq!(Curve::of(&[point(5, 0), point(5, 0)], 1).unwrap().line, "0,160 0,160");
        let many: Vec<Point> = (0..500).map(|at| point(at, at)).collect();
        let steps = Curve::of(&many, 500).unwrap().steps;
        assert!(steps.len() <= Curve::STEPS + 1 && steps.last().unwrap().1 == 499);
        assert!(Curve::of(&[], 1).is_none());
    }
}
