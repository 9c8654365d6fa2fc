//! The caps of all states, each with its own field.

use askama::Template;

use crate::base::values::UsState;
use crate::orders::domain::Caps;
use crate::orders::domain::{DefaultCap, StateCap};
use crate::stats::Stats;
use crate::web::pages::{DisplayTime, PageContext};

/// What a person typed as a cap that was not set, and why it was not.
#[derive(Debug, Clone, Default)]
pub struct CapEdit {
    /// What was typed.
    pub typed: String,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Whether somebody set it meanwhile.
    pub overtaken: bool,
}

/// A state's cap, as pages show it.
#[derive(Debug, Clone)]
pub struct CapRow {
    /// The state's code.
    pub code: &'static str,
    /// The state's name.
    pub name: &'static str,
    /// How many of its leads are free.
    pub in_stock: u64,
    /// How many are out.
    pub out: u32,
    /// The cap.
    pub cap: u32,
    /// Whether it was set for this state.
    pub own: bool,
    /// The version.
    pub version: u64,
    /// What stands in the field.
    pub value: String,
    /// What was not set.
    pub edit: Option<CapEdit>,
    /// Whether it comes back from an edit.
    pub fresh: bool,
}

impl CapRow {
    /// A state's cap.
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

    /// The same, with what was not set.
    pub fn refused(self, edit: CapEdit) -> Self {
        Self { value: edit.typed.clone(), edit: Some(edit), ..self }
    }

    /// The same, just set.
    pub fn saved(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// Whether it is as full as it may be.
    pub fn is_full(&self) -> bool {
        self.out >= self.cap
    }

    /// What is wrong with what was typed.
    pub fn error(&self) -> Option<&String> {
        self.edit.as_ref()?.error.as_ref()
    }

    /// Whether somebody set it meanwhile.
    pub fn is_overtaken(&self) -> bool {
        self.edit.as_ref().is_some_and(|edit| edit.overtaken)
    }

    /// The largest value of the bar.
    pub fn bar_max(&self) -> u32 {
        self.cap.max(self.out).max(1)
    }
}

/// The field of the default cap.
#[derive(Debug, Clone)]
pub struct DefaultEdit {
    /// The cap as it is.
    pub cap: u32,
    /// The version.
    pub version: u64,
    /// What stands in the field.
    pub value: String,
    /// What was not set.
    pub edit: Option<CapEdit>,
}

impl DefaultEdit {
    /// The default cap.
    pub fn of(default: DefaultCap) -> Self {
        let cap = default.cap.get();
        Self { cap, version: default.version.get(), value: cap.to_string(), edit: None }
    }

    /// The same, with what was not set.
    pub fn refused(self, edit: CapEdit) -> Self {
        Self { value: edit.typed.clone(), edit: Some(edit), ..self }
    }

    /// What is wrong with what was typed.
    pub fn error(&self) -> Option<&String> {
        self.edit.as_ref()?.error.as_ref()
    }

    /// Whether somebody set it meanwhile.
    pub fn is_overtaken(&self) -> bool {
        self.edit.as_ref().is_some_and(|edit| edit.overtaken)
    }
}

/// `GET /orders/caps`
#[derive(Template)]
#[template(path = "orders/caps.html")]
pub struct CapsPage {
    /// The shell.
    pub context: PageContext,
    /// The default.
    pub default: DefaultEdit,
    /// All states.
    pub rows: Vec<CapRow>,
    /// The time that the stock stands for.
    pub as_of: Option<DisplayTime>,
    /// How late the stock is, in words.
    pub late: Option<String>,
}

impl CapsPage {
    /// All caps, with what is in stock.
    pub fn new(context: PageContext, caps: &Caps, stats: &Stats) -> Self {
        let mut rows: Vec<CapRow> =
            caps.states.iter().map(|cap| CapRow::of(cap, in_stock(stats, cap.state))).collect();
        rows.sort_by_key(|row| row.name);
        let (as_of, late) = (stats.as_of.map(Into::into), stats.late());
        Self { context, default: DefaultEdit::of(caps.default), rows, as_of, late }
    }

    /// The same, with another row for its state.
    pub fn with(self, row: CapRow) -> Self {
        let other = |old: CapRow| if old.code == row.code { row.clone() } else { old };
        Self { rows: self.rows.into_iter().map(other).collect(), ..self }
    }
}

/// How many leads of a state are free.
pub(in crate::orders) fn in_stock(stats: &Stats, state: UsState) -> u64 {
    stats.by_state.iter().find(|count| count.state == state).map_or(0, |count| count.unassigned)
}

/// A state's row alone.
#[derive(Template)]
#[template(path = "orders/_cap_row.html")]
pub struct CapRowPart {
    /// The shell.
    pub context: PageContext,
    /// The row.
    pub row: CapRow,
}
