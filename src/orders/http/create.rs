//! The form of a new order. Sending it takes exactly the leads of the preview, or nothing.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::create_form::{OrderMessages, OrderTexts, PreviewInput, confirmed};
use super::parts::{Answer, Choice, GivenRow, LeadLine, counted, given_rows, states};
use crate::base::identity::SignedIn;
use crate::base::values::Email;
use crate::orders::Orders;
use crate::orders::domain::{CustomerName, Given, NewOrder, OrderDetail, Preview};
use crate::orders::error::OrderError;
use crate::shared::forms::Field;
use crate::shared::pairs::Pairs;
use crate::stats::Stats;
use crate::store::idempotency::{self, Done, Idempotency};
use crate::web::access::Access;
use crate::web::error::WebError;
use crate::web::extract::FormData;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, answer, html, see_other, with_toast_there};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/orders/new", Access::Agent, new)
        .post("/orders/preview", Access::Agent, preview)
        .post("/orders", Access::Agent, create)
}

const CHOOSE_STATES: &str = "Choose at least one state to see what it would give.";

async fn new(State(orders): State<Orders>, context: PageContext) -> Answer {
    let state = FormState { context, key: fresh_key(&orders), typed: OrderTexts::default() };
    state
        .show(&orders, StatusCode::OK, OrderMessages::default(), PreviewView::hint(CHOOSE_STATES), None)
        .await
}

/// Returns a key that makes sending the form twice create one order.
fn fresh_key(orders: &Orders) -> String {
    orders.rng.uuid().to_string()
}

/// The form with the typed text, to be shown again.
struct FormState {
    context: PageContext,
    key: String,
    typed: OrderTexts,
}

impl FormState {
    async fn show(
        self,
        orders: &Orders,
        status: StatusCode,
        wrong: OrderMessages,
        preview: PreviewView,
        error: Option<&str>,
    ) -> Answer {
        let form = OrderForm::new(self.key, &self.typed, wrong, Some(&orders.statistics.read().await?));
        let form = OrderForm { error: error.map(str::to_owned), ..form };
        html(status, &NewOrderPage { context: self.context, form, preview })
    }
}

/// Shows which leads the order would get, as far as the fields are filled in. Writes nothing.
async fn preview(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let typed = OrderTexts::of(&form);
    let mut wrong = OrderMessages::default();
    let preview = match typed.states_and_quantity(&mut wrong) {
        Some(asked) => preview_of(&orders, &typed, asked).await?,
        None if typed.states.is_empty() => PreviewView::hint(CHOOSE_STATES),
        None => PreviewView::hint(wrong.states.clone().or(wrong.quantity.clone()).unwrap_or_default()),
    };
    let key = form.get("key").map_or_else(|| fresh_key(&orders), str::to_owned);
    if fragment {
        // The fields on the page stay as they are; only the preview changes.
        let form = OrderForm::new(key, &typed, OrderMessages::default(), None);
        return html(StatusCode::OK, &NewOrderPage { context, form, preview }.as_preview());
    }
    // The states are not an error until the person has chosen some.
    let wrong = if typed.states.is_empty() { OrderMessages { states: None, ..wrong } } else { wrong };
    FormState { context, key, typed }.show(&orders, StatusCode::OK, wrong, preview, None).await
}

async fn preview_of(
    orders: &Orders,
    typed: &OrderTexts,
    asked: PreviewInput,
) -> Result<PreviewView, Problem> {
    let (requested_states, quantity_per_state) = asked;
    // The customer does not affect the preview and may not be typed yet, so placeholders are used.
    let customer_name: CustomerName =
        typed.name.parse().or_else(|_| "Customer".parse()).map_err(placeholder_failed)?;
    let customer_email: Email =
        typed.email.parse().or_else(|_| "customer@example.com".parse()).map_err(placeholder_failed)?;
    let new = NewOrder { customer_name, customer_email, requested_states, quantity_per_state };
    match orders.preview(&new).await {
        Ok(preview) => Ok(PreviewView::of(&preview, typed)),
        Err(OrderError::NothingToGive(given)) => Ok(PreviewView::nothing(&given)),
        Err(error) => Err(error.into()),
    }
}

fn placeholder_failed(invalid: crate::base::values::Invalid) -> WebError {
    WebError::Internal(format!("the placeholder customer of a preview is invalid: {invalid}"))
}

async fn create(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let typed = OrderTexts::of(&form);
    let key = form.get("key").map_or_else(|| fresh_key(&orders), str::to_owned);
    let state = FormState { context: context.clone(), key, typed };
    let new = match state.typed.order() {
        Ok(new) => new,
        Err(wrong) => return refused(&orders, state, *wrong).await,
    };
    let confirm = confirmed(&form)?;
    let recorded = |detail: &OrderDetail| {
        let path = format!("/orders/{}", detail.order.id);
        answer(StatusCode::CREATED, &detail.order.id, detail.order.version.get(), Some(path))
    };
    let idempotency = state.typed.idempotent_request(&form, &who, orders.clock.now())?;
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &recorded });
    match orders.create(&new, confirm.as_ref(), &who.actor().into(), idempotency.as_ref()).await {
        Ok(Done::Now(detail)) => Ok(created(&context, &recorded(&detail), fragment)),
        Ok(Done::Replayed(answer)) => Ok(created(&context, &answer, fragment)),
        Err(OrderError::PreviewOutdated(preview)) => {
            let same = form.get("previewed") == Some(state.typed.previewed().as_str());
            let notice = if same { LEADS_TAKEN } else { FIELDS_CHANGED };
            let view = PreviewView::of(&preview, &state.typed).outdated(notice);
            state.show(&orders, StatusCode::CONFLICT, OrderMessages::default(), view, None).await
        }
        Err(OrderError::NothingToGive(given)) => {
            let view = PreviewView::nothing(&given);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            state.show(&orders, status, OrderMessages::default(), view, None).await
        }
        Err(OrderError::KeyOfAnotherRequest) => already_sent(&orders, state).await,
        Err(error) => Err(error.into()),
    }
}

const LEADS_TAKEN: &str =
    "Somebody was faster: some of these leads are no longer free. This is what you would get now.";
const FIELDS_CHANGED: &str =
    "You changed the order after you saw what it takes. This is what you would get now.";

fn created(context: &PageContext, answer: &idempotency::Answer, fragment: bool) -> Response {
    let path = answer.location.as_deref().unwrap_or("/orders");
    with_toast_there(see_other(context, path, fragment), Tone::Success, "The order was created.")
}

/// Shows the form again with its errors, and with a preview if the fields allow one.
async fn refused(orders: &Orders, state: FormState, wrong: OrderMessages) -> Answer {
    let view = partial_preview(orders, &state.typed).await?;
    state.show(orders, StatusCode::UNPROCESSABLE_ENTITY, wrong, view, None).await
}

/// Shows the form again if it already created an order with other values, for example after going back in the
/// browser.
async fn already_sent(orders: &Orders, state: FormState) -> Answer {
    let words = "This form already created an order. Send it again to create another one.";
    let view = partial_preview(orders, &state.typed).await?;
    let state = FormState { key: fresh_key(orders), ..state };
    state.show(orders, StatusCode::UNPROCESSABLE_ENTITY, OrderMessages::default(), view, Some(words)).await
}

async fn partial_preview(orders: &Orders, typed: &OrderTexts) -> Result<PreviewView, Problem> {
    match typed.states_and_quantity(&mut OrderMessages::default()) {
        Some(asked) => preview_of(orders, typed, asked).await,
        None => Ok(PreviewView::hint(CHOOSE_STATES)),
    }
}

/// A state that an order can request.
#[derive(Debug, Clone)]
struct StateChoice {
    /// The code.
    code: &'static str,
    /// The name.
    name: &'static str,
    /// Whether it is chosen.
    chosen: bool,
    /// How many of its leads are in stock.
    in_stock: u64,
}

/// The form of a new order.
#[derive(Debug, Clone)]
struct OrderForm {
    /// The key that makes sending the form twice create one order.
    key: String,
    /// The customer's name.
    name: Field,
    /// The customer's email address.
    email: Field,
    /// The number of leads per state.
    quantity: Field,
    /// The states.
    states: Vec<StateChoice>,
    /// How late the stock is, as text.
    late: Option<String>,
    /// The error of the states.
    states_error: Option<String>,
    /// The error of the whole form.
    error: Option<String>,
}

impl OrderForm {
    /// Creates the form with the typed text and its errors.
    fn new(key: String, typed: &OrderTexts, wrong: OrderMessages, stats: Option<&Stats>) -> Self {
        let counts = stats.map_or(&[][..], |stats| &stats.by_state);
        let field = |value: &String, error| Field { value: value.clone(), base: String::new(), error };
        let state = |choice: Choice| StateChoice {
            code: choice.value,
            name: choice.label,
            chosen: typed.states.iter().any(|code| code == choice.value),
            in_stock: counts
                .iter()
                .find(|count| count.state.as_str() == choice.value)
                .map_or(0, |count| count.unassigned),
        };
        Self {
            key,
            name: field(&typed.name, wrong.name),
            email: field(&typed.email, wrong.email),
            quantity: field(&typed.quantity, wrong.quantity),
            states: states().into_iter().map(state).collect(),
            late: stats.and_then(Stats::late),
            states_error: wrong.states,
            error: None,
        }
    }

    /// Returns the field to focus: the first invalid one, or the name.
    fn focus(&self) -> &'static str {
        let fields = [("name", &self.name), ("email", &self.email), ("quantity", &self.quantity)];
        fields.into_iter().find(|(_, field)| field.error.is_some()).map_or("name", |(name, _)| name)
    }
}

/// The preview of an order.
#[derive(Debug, Clone, Default)]
struct PreviewView {
    /// Why there is no preview.
    hint: Option<String>,
    /// What changed since the last preview, for a person who lost a race.
    notice: Option<&'static str>,
    /// Whether no state gives a lead.
    nothing: bool,
    /// How many leads each state gives.
    given: Vec<GivenRow>,
    /// The leads, or as many of them as a page shows.
    leads: Vec<LeadLine>,
    /// The number of leads and states, as text.
    total: String,
    /// The number of leads that are not listed.
    unlisted: usize,
    /// The fingerprint that confirms exactly these leads.
    confirm: String,
    /// The fields that the preview is based on.
    previewed: String,
}

impl PreviewView {
    /// Creates an empty preview with a hint.
    fn hint(words: impl Into<String>) -> Self {
        Self { hint: Some(words.into()), ..Self::default() }
    }

    /// Creates the preview of these fields.
    fn of(preview: &Preview, typed: &OrderTexts) -> Self {
        let giving = preview.given.iter().filter(|given| given.given > 0).count();
        let leads = counted(preview.lead_count as u64, "lead", "leads");
        Self {
            given: given_rows(&preview.given),
            leads: preview.leads.iter().map(LeadLine::of).collect(),
            total: format!("{leads} from {}", counted(giving as u64, "state", "states")),
            unlisted: preview.lead_count.saturating_sub(preview.leads.len()),
            confirm: preview.fingerprint.to_string(),
            previewed: typed.previewed(),
            ..Self::default()
        }
    }

    /// Creates the preview of an order that gets no leads.
    fn nothing(given: &[Given]) -> Self {
        Self { nothing: true, given: given_rows(given), ..Self::default() }
    }

    /// Returns the preview with a notice that it replaces an outdated one.
    fn outdated(self, notice: &'static str) -> Self {
        Self { notice: Some(notice), ..self }
    }

    /// Returns whether the preview can be confirmed.
    fn is_confirmable(&self) -> bool {
        !self.confirm.is_empty()
    }
}

/// The page at `GET /orders/new`.
#[derive(Template)]
#[template(path = "orders/new.html", blocks = ["preview"])]
struct NewOrderPage {
    /// The page context.
    context: PageContext,
    /// The fields.
    form: OrderForm,
    /// The preview of the fields.
    preview: PreviewView,
}
