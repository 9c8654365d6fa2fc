//! A raffle's tickets with their owners, its sales and its history, for administrators.

use askama::Template;
use jiff::Timestamp;

use super::{Phase, counted};
use crate::raffles::domain::{Point, RaffleEntry, RaffleEvent, RaffleId, RaffleState, RaffleStatus, Ticket};
use crate::raffles::store::{HistoryPage, TicketPage};
use crate::web::pages::{DisplayTime, PageContext};

/// A row of the ticket table.
#[derive(Debug, Clone)]
pub struct TicketRow {
    pub number: u32,
    /// The owner's name.
    pub name: String,
    /// The owner's email address.
    pub email: String,
    pub bought: DisplayTime,
    /// Distinguishes this sale of the number from earlier, canceled ones.
    pub version: u64,
    /// Whether the ticket was sold to another person after the administrator loaded the page.
    pub is_overtaken: bool,
}

impl TicketRow {
    pub fn of(ticket: &Ticket) -> Self {
        Self {
            number: ticket.number.get(),
            name: ticket.name.to_string(),
            email: ticket.email.to_string(),
            bought: ticket.bought_at.into(),
            version: ticket.version.get(),
            is_overtaken: false,
        }
    }

    /// Marks the ticket as sold to another person since the page was loaded.
    pub fn overtaken(self) -> Self {
        Self { is_overtaken: true, ..self }
    }
}

/// An entry of the history.
#[derive(Debug, Clone)]
pub struct EntryView {
    pub what: String,
    pub who: String,
    pub when: DisplayTime,
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
pub struct Curve {
    /// The points of the line: `0,140 12,90`.
    pub line: String,
    /// The polygon between the line and the axis.
    pub area: String,
    pub from: DisplayTime,
    pub until: DisplayTime,
    /// Some moments, with the number of tickets sold by then.
    pub steps: Vec<(DisplayTime, i64)>,
    /// A summary in one sentence.
    pub summary: String,
}

impl Curve {
    /// The width of the drawing.
    pub const WIDTH: i64 = 640;
    /// The height of the drawing.
    pub const HEIGHT: i64 = 160;
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
        let moment = |at: Timestamp| DisplayTime::from(at);
        let summary = format!(
            "{} of {tickets} sold from {} until {}.",
            last.sold,
            moment(first.at).text,
            moment(last.at).text
        );
        let every = points.len().div_ceil(Self::STEPS).max(1);
        let mut steps: Vec<&Point> = points.iter().step_by(every).collect();
        if steps.last().is_none_or(|step| *step != last) {
            steps.push(last);
        }
        let steps = steps.into_iter().map(|point| (moment(point.at), point.sold)).collect();
        Some(Self { line, area, from: moment(first.at), until: moment(last.at), steps, summary })
    }

    pub fn width(&self) -> i64 {
        Self::WIDTH
    }

    pub fn height(&self) -> i64 {
        Self::HEIGHT
    }
}

/// `GET /raffles/{id}/tickets`
#[derive(Template)]
#[template(path = "raffles/manage.html")]
pub struct ManagePage {
    pub context: PageContext,
    pub state: RaffleState,
    pub id: RaffleId,
    pub phase: Phase,
    /// Whether tickets can be canceled and the winner drawn.
    pub is_open: bool,
    pub rows: Vec<TicketRow>,
    /// The cursor of this page of tickets. Empty for the first page.
    pub cursor: String,
    /// The address of the next page of tickets.
    pub next: Option<String>,
    /// What happened, newest first.
    pub history: Vec<EntryView>,
    /// The address of the next page of history.
    pub older: Option<String>,
    pub curve: Option<Curve>,
    /// Whether the draw was refused because no ticket is sold.
    pub nothing_sold: bool,
}

impl ManagePage {
    pub fn new(
        context: PageContext,
        state: RaffleState,
        tickets: TicketPage,
        history: HistoryPage,
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
            rows: tickets.tickets.iter().map(TicketRow::of).collect(),
            cursor,
            next: tickets.next.and_then(|cursor| address("cursor", cursor)),
            history: history.entries.into_iter().map(EntryView::of).collect(),
            older: history.next.and_then(|cursor| address("history", cursor)),
            curve: Curve::of(sales, state.tickets),
            nothing_sold: false,
            state,
        }
    }

    /// Marks the draw as refused because no ticket is sold.
    pub fn refused(self) -> Self {
        Self { nothing_sold: true, ..self }
    }

    /// Replaces the row of a ticket.
    pub fn with(self, row: TicketRow) -> Self {
        let other = |old: TicketRow| if old.number == row.number { row.clone() } else { old };
        Self { rows: self.rows.into_iter().map(other).collect(), ..self }
    }

    pub fn sold(&self) -> String {
        counted(self.state.sold)
    }

    /// Describes what the draw ends.
    pub fn ends(&self) -> String {
        match self.state.remaining {
            0 => "No ticket can be given back any more.".to_owned(),
            left => format!("It ends the sale: {} left will not be sold.", counted(left)),
        }
    }
}

/// A single row of the ticket table.
#[derive(Template)]
#[template(path = "raffles/_row.html")]
pub struct TicketRowFragment {
    pub context: PageContext,
    pub id: RaffleId,
    /// Whether the ticket can be canceled.
    pub is_open: bool,
    /// The cursor of the page of tickets.
    pub cursor: String,
    pub row: TicketRow,
}

#[cfg(test)]
mod tests {
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
