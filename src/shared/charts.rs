//! Charts, drawn on the server: columns or a line over time, a sparkline, and a bar for a part of a whole.
//!
//! Each type is a part of a page that a template shows with `{{ chart }}`. The invariants:
//!
//! - A drawing stretches to its place, and its text does not: positions are shares of the width and the height, and the
//!   text has the size that the stylesheet gives it. So a chart is readable on a phone.
//! - Each value of a [`Chart`] has a name that people read when they point at it or move the focus to it, without a
//!   script. The same values are in a table behind it, to read in a row and to copy.
//! - A [`Sparkline`] is in a row of a table, so it has one sentence as its name and no table of its own. The page of
//!   the record has the chart. A [`Bar`] repeats a number beside it, so it has no name.
//! - Colors are classes of the stylesheet, because the Content-Security-Policy forbids styles in elements.
//! - All numbers are integers, so no position is infinite or undefined, for any values.

mod bar;
mod chart;
mod scale;
mod sparkline;

pub use bar::Bar;
pub use chart::{Chart, Point, Series};
pub use sparkline::Sparkline;
