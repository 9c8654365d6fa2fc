//! The page with all tokens and components.

use super::tokens::{Color, Pair, Token, Tokens};
use crate::leads::domain::{Status, Stock};
use crate::shared::charts::{Bar, Chart, Point, Series, Sparkline};
use crate::shared::pages::*;

#[derive(Template)]
#[template(path = "styleguide/styleguide.html", config = "templates/askama.toml")]
struct StyleguidePage {
    context: PageContext,
    colors: Vec<Color>,
    pairs: Vec<Pair>,
    scales: Vec<(&'static str, Vec<Token>)>,
    leads: Vec<SampleLead>,
    phases: [SamplePhase; 4],
    /// Bars with their text and whether they are full.
    bars: [(Bar, &'static str, bool); 3],
    sparkline: Sparkline,
    chart: Chart,
}

/// A lead in one of its statuses and stocks, as far as the parts of pages show it.
struct SampleLead {
    status: Status,
    stock: Stock,
    lead_score: u8,
    state: &'static str,
}

/// A phase of a raffle, by the name in the stylesheet and the name for people.
struct SamplePhase(&'static str, &'static str);

impl SamplePhase {
    fn slug(&self) -> &'static str {
        self.0
    }

    fn label(&self) -> &'static str {
        self.1
    }
}

impl StyleguidePage {
    /// Returns the states of rows: the name of each, its class, and its lead.
    fn rows(&self) -> impl Iterator<Item = (&'static str, &'static str, &SampleLead)> {
        let states = [("Normal", ""), ("Hover", "is-hover"), ("Just saved", "fresh")];
        states.into_iter().zip(&self.leads).map(|((name, class), lead)| (name, class, lead))
    }
}

fn leads() -> Vec<SampleLead> {
    let lead = |status, stock, lead_score, state| SampleLead { status, stock, lead_score, state };
    vec![
        lead(Status::Prospect, Stock::Unassigned, 12, ""),
        lead(Status::Qualified, Stock::Assigned, 64, "NY"),
        lead(Status::Converted, Stock::Fulfilled, 92, "CA"),
        lead(Status::Prospect, Stock::Withheld, 0, "TX"),
    ]
}

/// The values of the charts.
const VALUES: [u64; 7] = [3, 5, 4, 8, 2, 6, 7];

fn chart() -> Chart {
    let series = [Series::new("Leads created", "created")];
    let labels = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let points =
        labels.into_iter().zip(VALUES).map(|(label, value)| Point::at(label.to_owned(), &[Some(value)]));
    Chart::columns("Leads of a week", "Day", &series, &points.collect::<Vec<_>>())
}

/// `GET /styleguide`
pub(super) async fn styleguide(context: PageContext) -> PageAnswer {
    let tokens = Tokens::of_stylesheet();
    let page = StyleguidePage {
        context,
        colors: tokens.colors(),
        pairs: tokens.pairs(),
        scales: tokens.scales(),
        leads: leads(),
        bars: [
            (Bar::new(4_u8, 10_u8), "4 of 10", false),
            (Bar::new(10_u8, 10_u8), "10 of 10", true),
            (Bar::new(0_u8, 10_u8), "0 of 10", false),
        ],
        sparkline: Sparkline::new("Stock of 30 days, now 7.".to_owned(), &VALUES.map(Some)),
        chart: chart(),
        phases: [
            SamplePhase("open", "Open"),
            SamplePhase("sold-out", "Sold out"),
            SamplePhase("over", "Over"),
            SamplePhase("drawn", "Drawn"),
        ],
    };
    html(StatusCode::OK, &page)
}
