//! A raffle's tickets with their owners, its sales and its history, for administrators.

use askama::Template;
use jiff::Timestamp;

use super::{Phase, counted};
use crate::raffles::domain::{Point, RaffleEntry, RaffleEvent, RaffleId, RaffleState, RaffleStatus, Ticket};
use crate::raffles::store::{HistoryPage, TicketPage};
use crate::web::pages::{DisplayTime, PageContext};

/// A ticket in the table.
#[derive(Debug, Clone)]
pub struct TicketRow {
    /// The number.
    pub number: u32,
    /// Whose it is.
    pub name: String,
    /// Their address.
    pub email: String,
    /// When it was bought.
    pub bought: DisplayTime,
    /// Tells this sale of the number from an earlier one.
    pub version: u64,
    /// Whether somebody bought it after it had been looked at.
    pub is_overtaken: bool,
}

impl TicketRow {
    /// A ticket.
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

    /// The same, of somebody else than when it was looked at.
    pub fn overtaken(self) -> Self {
        Self { is_overtaken: true, ..self }
    }
}

/// An entry of the history.
#[derive(Debug, Clone)]
pub struct EntryView {
    /// What happened.
    pub what: String,
    /// By whom.
    pub who: String,
    /// When.
    pub when: DisplayTime,
}

impl EntryView {
    fn of(entry: RaffleEntry) -> Self {
        let what = match entry.happening {
            RaffleEvent::Opened => "Opened".to_owned(),
            RaffleEvent::Cancelled { number, name } => format!("Ticket {number} of {name} given back"),
            RaffleEvent::Drawn { number } => format!("Drawn: ticket {number}"),
        };
        Self { what, who: entry.by.to_string(), when: entry.at.into() }
    }
}

/// How the sale went: a line, and the same in numbers.
#[derive(Debug, Clone)]
pub struct Curve {
    /// The points of the line: `0,140 12,90`.
    pub line: String,
    /// The same down to the axis, to be filled.
    pub area: String,
    /// When it begins.
    pub from: DisplayTime,
    /// When it ends.
    pub until: DisplayTime,
    /// Some moments with how many tickets were sold by then.
    pub steps: Vec<(DisplayTime, i64)>,
    /// All of it in a sentence.
    pub words: String,
}

impl Curve {
    /// The width of the drawing.
    pub const WIDTH: i64 = 640;
    /// The height of the drawing.
    pub const HEIGHT: i64 = 160;
    /// What the table holds at the most.
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
        let words = format!(
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
        Some(Self { line, area, from: moment(first.at), until: moment(last.at), steps, words })
    }

    /// The width of the drawing.
    pub fn width(&self) -> i64 {
        Self::WIDTH
    }

    /// The height of the drawing.
    pub fn height(&self) -> i64 {
        Self::HEIGHT
    }
}

/// `GET /raffles/{id}/tickets`
#[derive(Template)]
#[template(path = "raffles/manage.html")]
pub struct ManagePage {
    /// The shell.
    pub context: PageContext,
    /// The raffle.
    pub state: RaffleState,
    /// Its id.
    pub id: RaffleId,
    /// Where it stands.
    pub phase: Phase,
    /// Whether tickets are given back, and the winner drawn.
    pub is_open: bool,
    /// A page of its tickets.
    pub rows: Vec<TicketRow>,
    /// Where this page of tickets begins; nothing for the first.
    pub cursor: String,
    /// The address of the next page of tickets.
    pub next: Option<String>,
    /// What happened, newest first.
    pub history: Vec<EntryView>,
    /// The address of what happened before.
    pub older: Option<String>,
    /// How the sale went.
    pub curve: Option<Curve>,
    /// Whether the winner could not be drawn, for nothing is sold.
    pub nothing_sold: bool,
}

impl ManagePage {
    /// A raffle with a page of its tickets and of its history.
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

    /// The same, for there was nobody to win.
    pub fn refused(self) -> Self {
        Self { nothing_sold: true, ..self }
    }

    /// The same, with another row for its ticket.
    pub fn with(self, row: TicketRow) -> Self {
        let other = |old: TicketRow| if old.number == row.number { row.clone() } else { old };
        Self { rows: self.rows.into_iter().map(other).collect(), ..self }
    }

    /// How many tickets are sold, in words.
    pub fn sold(&self) -> String {
        counted(self.state.sold)
    }

    /// What the draw ends, in words.
    pub fn ends(&self) -> String {
        match self.state.remaining {
            0 => "No ticket can be given back any more.".to_owned(),
            left => format!("It ends the sale: {} left will not be sold.", counted(left)),
        }
    }
}

/// A ticket's row alone.
#[derive(Template)]
#[template(path = "raffles/_row.html")]
pub struct TicketRowPart {
    /// The shell.
    pub context: PageContext,
    /// The raffle.
    pub id: RaffleId,
    /// Whether it can be given back.
    pub is_open: bool,
    /// Where the page of tickets begins.
    pub cursor: String,
    /// The ticket.
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
        assert!(curve.words.starts_with("100 of 100 sold from "), "{}", curve.words);
        // A raffle that was opened just now, and one with many points.
        assert_eq!(Curve::of(&[point(5, 0), point(5, 0)], 1).unwrap().line, "0,160 0,160");
        let many: Vec<Point> = (0..500).map(|at| point(at, at)).collect();
        let steps = Curve::of(&many, 500).unwrap().steps;
        assert!(steps.len() <= Curve::STEPS + 1 && steps.last().unwrap().1 == 499);
        assert!(Curve::of(&[], 1).is_none());
    }
}
