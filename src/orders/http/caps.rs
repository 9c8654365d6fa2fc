//! The page of all caps. Each row sets the cap of one state.

use crate::base::identity::Actor;
use jiff::Timestamp;

use crate::base::values::{UsState, Version};
use crate::orders::Orders;
use crate::orders::domain::{Cap, Caps, DefaultCap, StateCap};
use crate::orders::error::OrderError;
use crate::shared::charts::Bar;
use crate::shared::forms::RawForm;
use crate::shared::pages::*;
use crate::shared::values::optional;
use crate::stats::Stats;

pub(super) fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/orders/caps", Access::Viewer, show)
        .post("/orders/caps", Access::Agent, set_default)
        .post("/orders/caps/{state}", Access::Agent, set)
}

async fn show(State(orders): State<Orders>, context: PageContext) -> PageAnswer {
    html(StatusCode::OK, &page(&orders, context).await?)
}

async fn page(orders: &Orders, context: PageContext) -> Result<CapsPage, Problem> {
    let (caps, stats) = orders.caps_and_stats().await?;
    Ok(CapsPage::new(context, &caps, &stats, orders.clock.now()))
}

async fn set_default(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let version = form.version()?;
    let typed = form.text("cap");
    let (status, error) = match typed.parse::<Cap>() {
        Err(invalid) => (StatusCode::UNPROCESSABLE_ENTITY, Some(invalid.to_string())),
        Ok(cap) => match orders.set_default_cap(version, cap, &who, None).await {
            Ok(_) => {
                let there = see_other(&context, "/orders/caps", fragment);
                return Ok(with_toast_there(there, Tone::Success, "Default cap saved."));
            }
            Err(OrderError::DefaultCapConflict(_)) => (StatusCode::CONFLICT, None),
            Err(error) => return Err(error.into()),
        },
    };
    let mut page = page(&orders, context).await?;
    page.default.refuse(typed, error);
    html(status, &page)
}

async fn set(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(state): Path<UsState>,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let version = form.version()?;
    let typed = form.get("cap").unwrap_or_default().trim().to_owned();
    // An empty field makes the state follow the default.
    let (status, error) = match optional::<Cap>(&typed) {
        Err(invalid) => (StatusCode::UNPROCESSABLE_ENTITY, Some(invalid.to_string())),
        Ok(cap) => match orders.set_cap(state, version, cap, &who, None).await {
            Ok(cap) if fragment => {
                let stats = orders.statistics.read().await?;
                let row = CapRow { fresh: true, ..CapRow::of(&cap, &stats) };
                let part = html(StatusCode::OK, &CapRowPart { context, row })?;
                return Ok(with_toast(part, Tone::Success, "Saved."));
            }
            Ok(_) => {
                let there = see_other(&context, "/orders/caps", false);
                return Ok(with_toast_there(there, Tone::Success, "Cap saved."));
            }
            Err(OrderError::CapConflict(_)) => (StatusCode::CONFLICT, None),
            Err(error) => return Err(error.into()),
        },
    };
    let mut page = page(&orders, context).await?;
    if let Some(row) = page.rows.iter_mut().find(|row| row.state == state) {
        row.field.refuse(typed, error);
        if fragment {
            let row = row.clone();
            return html(status, &CapRowPart { context: page.context, row });
        }
    }
    html(status, &page)
}

/// The field of a cap.
#[derive(Debug, Clone)]
struct CapField {
    /// The current cap.
    cap: u32,
    version: Version,
    /// The text in the field.
    value: String,
    /// What is wrong with the text.
    error: Option<String>,
    /// Whether another person changed the cap first.
    overtaken: bool,
    /// Who set the current cap, if it is known.
    set_by: Option<Actor>,
}

impl CapField {
    fn new(cap: Cap, version: Version, set_by: Option<&Actor>, value: String) -> Self {
        Self { cap: cap.get(), version, value, error: None, overtaken: false, set_by: set_by.cloned() }
    }

    /// Shows the typed text again. Without an error message, another person changed the cap first.
    fn refuse(&mut self, typed: String, error: Option<String>) {
        self.value = typed;
        self.overtaken = error.is_none();
        self.error = error;
    }

    fn is_refused(&self) -> bool {
        self.overtaken || self.error.is_some()
    }
}

/// The cap of a state.
#[derive(Debug, Clone)]
struct CapRow {
    state: UsState,
    in_stock: u64,
    /// How many of its leads are in open orders.
    out: u32,
    /// Whether the cap was set for this state.
    own: bool,
    field: CapField,
    /// Whether the cap was just set.
    fresh: bool,
}

impl CapRow {
    fn of(cap: &StateCap, stats: &Stats) -> Self {
        let value = if cap.own { cap.cap.get().to_string() } else { String::new() };
        Self {
            state: cap.state,
            in_stock: stats.free_in(cap.state),
            out: cap.out,
            own: cap.own,
            field: CapField::new(cap.cap, cap.version, cap.set_by.as_ref(), value),
            fresh: false,
        }
    }

    fn is_full(&self) -> bool {
        self.out >= self.field.cap
    }

    /// Returns how full the cap is, as a bar.
    fn bar(&self) -> Bar {
        Bar::new(self.out, self.field.cap)
    }
}

/// The page at `GET /orders/caps`.
#[derive(Template)]
#[template(path = "orders/caps.html", config = "templates/askama.toml")]
struct CapsPage {
    context: PageContext,
    default: CapField,
    rows: Vec<CapRow>,
    /// The time for which the stock was counted.
    as_of: Option<RecentTime>,
    /// How late the stock is, as text.
    late: Option<String>,
}

impl CapsPage {
    fn new(context: PageContext, caps: &Caps, stats: &Stats, now: Timestamp) -> Self {
        let mut rows: Vec<CapRow> = caps.states.iter().map(|cap| CapRow::of(cap, stats)).collect();
        rows.sort_by_key(|row| row.state.name());
        let DefaultCap { cap, version, set_by } = &caps.default;
        let default = CapField::new(*cap, *version, set_by.as_ref(), cap.get().to_string());
        Self {
            context,
            default,
            rows,
            as_of: stats.as_of.map(|at| RecentTime::of(at, now)),
            late: stats.late(),
        }
    }
}

/// The row of one state, as a fragment.
#[derive(Template)]
#[template(path = "orders/_cap_row.html", config = "templates/askama.toml")]
struct CapRowPart {
    context: PageContext,
    row: CapRow,
}
