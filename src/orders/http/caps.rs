//! The page of all caps. Each row sets the cap of one state.

use askama::Template;
use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;

use super::parts::Answer;
use crate::base::values::UsState;
use crate::orders::Orders;
use crate::orders::domain::{Cap, Caps, DefaultCap, StateCap};
use crate::orders::error::OrderError;
use crate::shared::pairs::Pairs;
use crate::stats::Stats;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path};
use crate::web::pages::{DisplayTime, PageContext};
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, see_other, with_toast, with_toast_there};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/orders/caps", Access::Agent, show)
        .post("/orders/caps", Access::Agent, set_default)
        .post("/orders/caps/{state}", Access::Agent, set)
}

async fn show(State(orders): State<Orders>, context: PageContext) -> Answer {
    html(StatusCode::OK, &page(&orders, context).await?)
}

async fn page(orders: &Orders, context: PageContext) -> Result<CapsPage, Problem> {
    let caps = async { Ok::<_, Problem>(orders.caps().await?) };
    let stats = async { Ok::<_, Problem>(orders.statistics.read().await?) };
    let (caps, stats) = try_join(caps, stats).await?;
    Ok(CapsPage::new(context, &caps, &stats))
}

async fn set_default(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let typed = form.get("cap").unwrap_or_default().to_owned();
    let (status, edit) = match typed.parse::<Cap>() {
        Err(invalid) => {
            let error = Some(invalid.to_string());
            (StatusCode::UNPROCESSABLE_ENTITY, CapEdit { typed, error, overtaken: false })
        }
        Ok(cap) => match orders.set_default_cap(version, cap, None).await {
            Ok(_) => {
                let there = see_other(&context, "/orders/caps", fragment);
                return Ok(with_toast_there(there, Tone::Success, "The default cap was set."));
            }
            Err(OrderError::DefaultCapConflict(_)) => {
                (StatusCode::CONFLICT, CapEdit { typed, error: None, overtaken: true })
            }
            Err(error) => return Err(error.into()),
        },
    };
    let page = page(&orders, context).await?;
    let default = page.default.clone().refused(edit);
    html(status, &CapsPage { default, ..page })
}

async fn set(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Path(state): Path<UsState>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let typed = form.get("cap").unwrap_or_default().trim().to_owned();
    let cap = match typed.as_str() {
        // An empty field makes the state follow the default.
        "" => Ok(None),
        text => text.parse::<Cap>().map(Some),
    };
    let cap = match cap {
        Ok(cap) => cap,
        Err(invalid) => {
            let edit = CapEdit { typed, error: Some(invalid.to_string()), overtaken: false };
            let stored = stored(&orders, state).await?;
            return refused(&orders, context, fragment, StatusCode::UNPROCESSABLE_ENTITY, &stored, edit)
                .await;
        }
    };
    match orders.set_cap(state, version, cap, None).await {
        Ok(cap) if fragment => {
            let row = CapRow::of(&cap, in_stock(&orders.statistics.read().await?, state)).saved();
            let part = html(StatusCode::OK, &CapRowPart { context, row })?;
            Ok(with_toast(part, Tone::Success, "Saved."))
        }
        Ok(_) => {
            let there = see_other(&context, "/orders/caps", false);
            Ok(with_toast_there(there, Tone::Success, "The cap was set."))
        }
        Err(OrderError::CapConflict(fresh)) => {
            let edit = CapEdit { typed, error: None, overtaken: true };
            refused(&orders, context, fragment, StatusCode::CONFLICT, &fresh, edit).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn stored(orders: &Orders, state: UsState) -> Result<StateCap, Problem> {
    let states = orders.caps().await?.states;
    let cap = states.into_iter().find(|cap| cap.state == state);
    cap.ok_or_else(|| crate::web::error::WebError::NotFound.into())
}

/// Shows the row again, or the page with it, with the typed text and the error.
async fn refused(
    orders: &Orders,
    context: PageContext,
    fragment: bool,
    status: StatusCode,
    cap: &StateCap,
    edit: CapEdit,
) -> Answer {
    if fragment {
        let row = CapRow::of(cap, in_stock(&orders.statistics.read().await?, cap.state)).refused(edit);
        return html(status, &CapRowPart { context, row });
    }
    let page = page(orders, context).await?;
    let row = page.rows.iter().find(|row| row.code == cap.state.as_str()).cloned();
    match row {
        Some(row) => html(status, &page.with(row.refused(edit))),
        None => html(status, &page),
    }
}

/// A cap that a person typed but that was not set, and the reason.
#[derive(Debug, Clone, Default)]
struct CapEdit {
    /// The text that was typed.
    typed: String,
    /// What is wrong with the text.
    error: Option<String>,
    /// Whether another person changed the cap first.
    overtaken: bool,
}

/// The cap of a state, as pages show it.
#[derive(Debug, Clone)]
struct CapRow {
    /// The state's code.
    code: &'static str,
    /// The state's name.
    name: &'static str,
    /// How many of its leads are in stock.
    in_stock: u64,
    /// How many of its leads are in open orders.
    out: u32,
    /// The cap.
    cap: u32,
    /// Whether it was set for this state.
    own: bool,
    /// The version.
    version: u64,
    /// The text of the field.
    value: String,
    /// The change that was refused.
    edit: Option<CapEdit>,
    /// Whether it was just saved.
    fresh: bool,
}

impl CapRow {
    /// Creates the row of a state.
    fn of(cap: &StateCap, in_stock: u64) -> Self {
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
    fn refused(self, edit: CapEdit) -> Self {
        Self { value: edit.typed.clone(), edit: Some(edit), ..self }
    }

    /// Returns the row, marked as just saved.
    fn saved(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// Returns whether the cap is reached.
    fn is_full(&self) -> bool {
        self.out >= self.cap
    }

    /// Returns what is wrong with the typed text.
    fn error(&self) -> Option<&String> {
        self.edit.as_ref()?.error.as_ref()
    }

    /// Returns whether another person changed the cap first.
    fn is_overtaken(&self) -> bool {
        self.edit.as_ref().is_some_and(|edit| edit.overtaken)
    }

    /// Returns the largest value of the bar.
    fn bar_max(&self) -> u32 {
        self.cap.max(self.out).max(1)
    }
}

/// The field of the default cap.
#[derive(Debug, Clone)]
struct DefaultEdit {
    /// The current default cap.
    cap: u32,
    /// The version.
    version: u64,
    /// The text of the field.
    value: String,
    /// The change that was refused.
    edit: Option<CapEdit>,
}

impl DefaultEdit {
    /// Creates the field of the default cap.
    fn of(default: DefaultCap) -> Self {
        let cap = default.cap.get();
        Self { cap, version: default.version.get(), value: cap.to_string(), edit: None }
    }

    /// Returns the field with a refused change.
    fn refused(self, edit: CapEdit) -> Self {
        Self { value: edit.typed.clone(), edit: Some(edit), ..self }
    }

    /// Returns what is wrong with the typed text.
    fn error(&self) -> Option<&String> {
        self.edit.as_ref()?.error.as_ref()
    }

    /// Returns whether another person changed the default first.
    fn is_overtaken(&self) -> bool {
        self.edit.as_ref().is_some_and(|edit| edit.overtaken)
    }
}

/// The page at `GET /orders/caps`.
#[derive(Template)]
#[template(path = "orders/caps.html")]
struct CapsPage {
    /// The page context.
    context: PageContext,
    /// The default cap.
    default: DefaultEdit,
    /// One row per state.
    rows: Vec<CapRow>,
    /// The time for which the stock was counted.
    as_of: Option<DisplayTime>,
    /// How late the stock is, as text.
    late: Option<String>,
}

impl CapsPage {
    /// Creates the page.
    fn new(context: PageContext, caps: &Caps, stats: &Stats) -> Self {
        let mut rows: Vec<CapRow> =
            caps.states.iter().map(|cap| CapRow::of(cap, in_stock(stats, cap.state))).collect();
        rows.sort_by_key(|row| row.name);
        let (as_of, late) = (stats.as_of.map(Into::into), stats.late());
        Self { context, default: DefaultEdit::of(caps.default), rows, as_of, late }
    }

    /// Returns the page with another row for the same state.
    fn with(self, row: CapRow) -> Self {
        let other = |old: CapRow| if old.code == row.code { row.clone() } else { old };
        Self { rows: self.rows.into_iter().map(other).collect(), ..self }
    }
}

/// Returns how many leads of a state are in stock.
fn in_stock(stats: &Stats, state: UsState) -> u64 {
    stats.by_state.iter().find(|count| count.state == state).map_or(0, |count| count.unassigned)
}

/// The row of one state, as a fragment.
#[derive(Template)]
#[template(path = "orders/_cap_row.html")]
struct CapRowPart {
    /// The page context.
    context: PageContext,
    /// The row.
    row: CapRow,
}
