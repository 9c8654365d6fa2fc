//! The page of all caps. Each row sets the cap of one state.

use jiff::Timestamp;

use crate::base::identity::Actor;
use crate::base::values::{Invalid, UsState, Version};
use crate::orders::domain::{Cap, Caps, DefaultCap, StateCap};
use crate::orders::error::OrderError;
use crate::orders::{FreeLeads, Orders};
use crate::shared::charts::Bar;
use crate::shared::pages::*;
use crate::shared::values::optional;
use crate::store::idempotency::Done;

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
    let (caps, free) = orders.caps_and_free_leads().await?;
    Ok(CapsPage::new(context, &caps, &free, orders.clock.now()))
}

async fn set_default(
    State(orders): State<Orders>,
    target: RenderTarget,
    submission: Submission,
) -> PageAnswer {
    let (version, typed) = (submission.version()?, submission.form.text("cap"));
    let cap = match typed.parse::<Cap>() {
        Ok(cap) => cap,
        Err(invalid) => return default_refused(&orders, target.context, typed, Some(invalid)).await,
    };
    let idempotency = submission.idempotency();
    match orders.set_default_cap(version, cap, &submission.who, Some(&idempotency)).await {
        Ok(Done::Now(_)) => Ok(target.done("/orders/caps", "Default cap saved.")),
        Ok(Done::Replayed(_)) => Ok(target.done("/orders/caps", ALREADY_SAVED)),
        Err(OrderError::DefaultCapConflict(_)) => default_refused(&orders, target.context, typed, None).await,
        Err(error) => Err(error.into()),
    }
}

/// For a form that was sent before, and whose reply was lost.
const ALREADY_SAVED: &str = "This was already saved. Here are the current caps.";

/// Shows the typed default cap again. Without an error, another person changed the default first.
async fn default_refused(
    orders: &Orders,
    context: PageContext,
    typed: String,
    error: Option<Invalid>,
) -> PageAnswer {
    let status = status_of(error.as_ref());
    let mut page = page(orders, context).await?;
    page.default.refuse(typed, error);
    html(status, &page)
}

/// Returns the status of the answer to a cap that is invalid, or that another person changed first.
fn status_of(error: Option<&Invalid>) -> StatusCode {
    if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::CONFLICT }
}

async fn set(
    State(orders): State<Orders>,
    target: RenderTarget,
    Path(state): Path<UsState>,
    submission: Submission,
) -> PageAnswer {
    let version = submission.version()?;
    let typed = submission.form.get("cap").unwrap_or_default().trim().to_owned();
    // An empty field makes the state follow the default.
    let cap = match optional::<Cap>(&typed) {
        Ok(cap) => cap,
        Err(invalid) => return refused(&orders, target, state, typed, Some(invalid)).await,
    };
    let idempotency = submission.idempotency();
    match orders.set_cap(state, version, cap, &submission.who, Some(&idempotency)).await {
        Ok(done) => saved(&orders, target, state, done).await,
        Err(OrderError::CapConflict(_)) => refused(&orders, target, state, typed, None).await,
        Err(error) => Err(error.into()),
    }
}

/// Shows the cap that was set now or before: its row, or the page of all caps.
async fn saved(orders: &Orders, target: RenderTarget, state: UsState, done: Done<StateCap>) -> PageAnswer {
    let is_replay = matches!(done, Done::Replayed(_));
    if !target.fragment {
        return Ok(target.done("/orders/caps", if is_replay { ALREADY_SAVED } else { "Cap saved." }));
    }
    let row = match done {
        Done::Now(cap) => {
            let free = orders.stock_counts.free_leads().await?;
            CapRow { fresh: true, ..CapRow::of(&cap, &free) }
        }
        Done::Replayed(_) => current_row(orders, state).await?,
    };
    let part = html(StatusCode::OK, &CapRowPart { context: target.context, row })?;
    let words = if is_replay { "This was already saved. Here's the current cap." } else { "Saved." };
    Ok(with_toast(part, Tone::Success, words))
}

/// Returns the row of a state with its current cap. Every state has one.
async fn current_row(orders: &Orders, state: UsState) -> Result<CapRow, Problem> {
    let (caps, free) = orders.caps_and_free_leads().await?;
    let cap = caps.states.iter().find(|cap| cap.state == state).ok_or(WebError::NotFound)?;
    Ok(CapRow::of(cap, &free))
}

/// Shows the typed cap again: its row, or the page of all caps. Without an error, another person changed the cap first.
async fn refused(
    orders: &Orders,
    target: RenderTarget,
    state: UsState,
    typed: String,
    error: Option<Invalid>,
) -> PageAnswer {
    let status = status_of(error.as_ref());
    let mut page = page(orders, target.context).await?;
    if let Some(row) = page.rows.iter_mut().find(|row| row.state == state) {
        row.field.refuse(typed, error);
        if target.fragment {
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

    /// Shows the typed text again. Without an error, another person changed the cap first.
    fn refuse(&mut self, typed: String, error: Option<Invalid>) {
        self.value = typed;
        self.overtaken = error.is_none();
        self.error = error.map(|invalid| invalid.to_string());
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
    fn of(cap: &StateCap, free: &FreeLeads) -> Self {
        let value = if cap.own { cap.cap.get().to_string() } else { String::new() };
        Self {
            state: cap.state,
            in_stock: free.in_state(cap.state),
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
    fn new(context: PageContext, caps: &Caps, free: &FreeLeads, now: Timestamp) -> Self {
        let mut rows: Vec<CapRow> = caps.states.iter().map(|cap| CapRow::of(cap, free)).collect();
        rows.sort_by_key(|row| row.state.name());
        let DefaultCap { cap, version, set_by } = &caps.default;
        let default = CapField::new(*cap, *version, set_by.as_ref(), cap.get().to_string());
        Self {
            context,
            default,
            rows,
            as_of: free.as_of.map(|at| RecentTime::of(at, now)),
            late: free.late.clone(),
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
