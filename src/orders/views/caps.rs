//! The page of all caps, with one field per state.

use askama::Template;

use crate::base::values::UsState;
use crate::orders::domain::Caps;
use crate::orders::domain::{DefaultCap, StateCap};
use crate::stats::Stats;
use crate::web::pages::{DisplayTime, PageContext};

/// A cap that a person typed but that was not set, and the reason.
#[derive(Debug, Clone, Default)]
pub struct CapEdit {
    /// The text that was typed.
    pub typed: String,
    /// What is wrong with the text.
    pub error: Option<String>,
    /// Whether another person changed the cap first.
    pub overtaken: bool,
}

/// The cap of a state, as pages show it.
#[derive(Debug, Clone)]
pub struct CapRow {
    /// The state's code.
    pub code: &'static str,
    /// The state's name.
    pub name: &'static str,
    /// How many of its leads are in stock.
    pub in_stock: u64,
    /// How many of its leads are in open orders.
    pub out: u32,
    /// The cap.
    pub cap: u32,
    /// Whether it was set for this state.
    pub own: bool,
    /// The version.
    pub version: u64,
    /// The text of the field.
    pub value: String,
    /// The change that was refused.
    pub edit: Option<CapEdit>,
    /// Whether it was just saved.
    pub fresh: bool,
}

impl CapRow {
    /// Creates the row of a state.
    pub fn of(cap: &StateCap, in_stock: u64) -> Self {
        let number = cap.cap.get();
        Self {
            code: cap.state.as_str(),
            name: cap.state.name(),
            in_stock,
            out: cap.out,
            cap: number,
            own: cap.own,
            version: cap.version.get(),
            value: if cap.own { number.to_string() } else { String::new() },
            edit: None,
            fresh: false,
        }
    }

    /// Returns the row with a refused change.
    pub fn refused(self, edit: CapEdit) -> Self {
        Self { value: edit.typed.clone(), edit: Some(edit), ..self }
    }

    /// Returns the row, marked as just saved.
    pub fn saved(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// Returns whether the cap is reached.
    pub fn is_full(&self) -> bool {
        self.out >= self.cap
    }

    /// Returns what is wrong with the typed text.
    pub fn error(&self) -> Option<&String> {
        self.edit.as_ref()?.error.as_ref()
    }

    /// Returns whether another person changed the cap first.
    pub fn is_overtaken(&self) -> bool {
        self.edit.as_ref().is_some_and(|edit| edit.overtaken)
    }

    /// Returns the largest value of the bar.
    pub fn bar_max(&self) -> u32 {
        self.cap.max(self.out).max(1)
    }
}

/// The field of the default cap.
#[derive(Debug, Clone)]
pub struct DefaultEdit {
    /// The current default cap.
    pub cap: u32,
    /// The version.
    pub version: u64,
    /// The text of the field.
    pub value: String,
    /// The change that was refused.
    pub edit: Option<CapEdit>,
}

impl DefaultEdit {
    /// Creates the field of the default cap.
    pub fn of(default: DefaultCap) -> Self {
        let cap = default.cap.get();
        Self { cap, version: default.version.get(), value: cap.to_string(), edit: None }
    }

    /// Returns the field with a refused change.
    pub fn refused(self, edit: CapEdit) -> Self {
        Self { value: edit.typed.clone(), edit: Some(edit), ..self }
    }

    /// Returns what is wrong with the typed text.
    pub fn error(&self) -> Option<&String> {
        self.edit.as_ref()?.error.as_ref()
    }

    /// Returns whether another person changed the default first.
    pub fn is_overtaken(&self) -> bool {
        self.edit.as_ref().is_some_and(|edit| edit.overtaken)
    }
}

/// The page at `GET /orders/caps`.
#[derive(Template)]
#[template(path = "orders/caps.html")]
pub struct CapsPage {
    /// The page context.
    pub context: PageContext,
    /// The default cap.
    pub default: DefaultEdit,
    /// One row per state.
    pub rows: Vec<CapRow>,
    /// The time for which the stock was counted.
    pub as_of: Option<DisplayTime>,
    /// How late the stock is, as text.
    pub late: Option<String>,
}

impl CapsPage {
    /// Creates the page.
    pub fn new(context: PageContext, caps: &Caps, stats: &Stats) -> Self {
        let mut rows: Vec<CapRow> =
            caps.states.iter().map(|cap| CapRow::of(cap, in_stock(stats, cap.state))).collect();
        rows.sort_by_key(|row| row.name);
        let (as_of, late) = (stats.as_of.map(Into::into), stats.late());
        Self { context, default: DefaultEdit::of(caps.default), rows, as_of, late }
    }

    /// Returns the page with another row for the same state.
    pub fn with(self, row: CapRow) -> Self {
        let other = |old: CapRow| if old.code == row.code { row.clone() } else { old };
        Self { rows: self.rows.into_iter().map(other).collect(), ..self }
    }
}

/// Returns how many leads of a state are in stock.
pub(in crate::orders) fn in_stock(stats: &Stats, state: UsState) -> u64 {
    stats.by_state.iter().find(|count| count.state == state).map_or(0, |count| count.unassigned)
}

/// The row of one state, as a fragment.
#[derive(Template)]
#[template(path = "orders/_cap_row.html")]
pub struct CapRowPart {
    /// The page context.
    pub context: PageContext,
    /// The row.
    pub row: CapRow,
}
