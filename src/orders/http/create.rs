//! The form of a new order. Sending it takes exactly the leads of the preview, or nothing.

use http::header::RETRY_AFTER;

use super::create_form::{OrderMessages, OrderTexts, PreviewInput, confirmed};
use super::parts::{LeadLine, states_by_name};
use crate::base::telemetry::metrics;
use crate::base::values::{Email, Invalid, UsState};
use crate::orders::domain::{CustomerName, Given, NewOrder, OrderDetail, Preview};
use crate::orders::error::OrderError;
use crate::orders::{FreeLeads, Orders};
use crate::shared::forms::{Field, RawForm};
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::store::idempotency::{Answer, Idempotency};
use crate::web::problem::OUTCOME_UNKNOWN;
use crate::web::respond::answer;

pub(super) fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/orders/new", Access::Agent, new)
        .post("/orders/preview", Access::Agent, preview)
        .post("/orders", Access::Agent, create)
}

const CHOOSE_STATES: &str = "Choose at least one state to see a preview.";

async fn new(State(orders): State<Orders>, context: PageContext) -> PageAnswer {
    let state = FormState { context, key: fresh_key(&orders), typed: OrderTexts::default() };
    state.show(&orders, StatusCode::OK, OrderMessages::default(), PreviewView::hint(CHOOSE_STATES)).await
}

/// Returns a key that makes sending the form twice create one order.
fn fresh_key(orders: &Orders) -> String {
    orders.rng.uuid().to_string()
}

fn key_of(form: &RawForm, orders: &Orders) -> String {
    form.get("key").map_or_else(|| fresh_key(orders), str::to_owned)
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
    ) -> PageAnswer {
        let free = orders.stock_counts.free_leads().await?;
        let form = OrderForm::new(self.key, &self.typed, wrong, Some(&free));
        html(status, &NewOrderPage::new(self.context, form, preview))
    }

    /// Shows the form again, and first why there is no order.
    async fn refuse(
        self,
        orders: &Orders,
        status: StatusCode,
        refusal: Refusal,
        preview: PreviewView,
    ) -> PageAnswer {
        // The stock is left out if the store does not answer: it must not hide why there is no order.
        let free = orders.stock_counts.free_leads().await.ok();
        let form = OrderForm::new(self.key, &self.typed, OrderMessages::default(), free.as_ref());
        let page = NewOrderPage { refusal: Some(refusal), ..NewOrderPage::new(self.context, form, preview) };
        html(status, &page)
    }

    /// Shows the form again after a failure that a retry may overcome. The same form creates one order at most.
    async fn busy(self, orders: &Orders, form: &RawForm, problem: Problem) -> PageAnswer {
        metrics::problem(problem.name());
        let is_unknown = problem.name() == OUTCOME_UNKNOWN;
        let what = if is_unknown { NOT_CONFIRMED } else { NOT_CREATED };
        let why = if is_unknown { SEND_AGAIN } else { problem.detail() };
        let refusal = Refusal { what, why: why.to_owned() };
        let preview = PreviewView {
            confirm: form.text("confirm"),
            previewed: form.text("previewed"),
            ..PreviewView::hint("The leads are checked again when you send the order.")
        };
        let mut page = self.refuse(orders, problem.status(), refusal, preview).await?;
        page.headers_mut().insert(RETRY_AFTER, problem.seconds().unwrap_or(2).into());
        Ok(page)
    }
}

const NOT_CREATED: &str = "No order was created";
const NOT_CONFIRMED: &str = "We couldn't confirm your order";
const SEND_AGAIN: &str = "Send it again; it won't be created twice.";

/// Why there is no order, in words that come first on the page.
#[derive(Debug, Clone)]
struct Refusal {
    /// What happened, also as the page's title.
    what: &'static str,
    why: String,
}

impl Refusal {
    fn because(why: &str) -> Self {
        Self { what: NOT_CREATED, why: why.to_owned() }
    }
}

/// Shows which leads the order would get, as far as the fields are filled in. Writes nothing.
async fn preview(
    State(orders): State<Orders>,
    RenderTarget { context, fragment }: RenderTarget,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let (typed, key) = (OrderTexts::of(&form), key_of(&form, &orders));
    let mut wrong = OrderMessages::default();
    let preview = match typed.states_and_quantity(&mut wrong) {
        Some(asked) => preview_of(&orders, &typed, asked).await?,
        None if typed.states.is_empty() => PreviewView::hint(CHOOSE_STATES),
        None => PreviewView::hint(wrong.states.clone().or(wrong.quantity.clone()).unwrap_or_default()),
    };
    if fragment {
        // The fields on the page stay as they are; only the preview changes.
        let form = OrderForm::new(key, &typed, OrderMessages::default(), None);
        return html(StatusCode::OK, &NewOrderPage::new(context, form, preview).as_preview());
    }
    // The states are not an error until the person has chosen some.
    let wrong = if typed.states.is_empty() { OrderMessages { states: None, ..wrong } } else { wrong };
    let free = orders.stock_counts.free_leads().await?;
    let form = OrderForm::new(key, &typed, wrong, Some(&free));
    let focus_preview = !preview.given.is_empty();
    html(StatusCode::OK, &NewOrderPage { focus_preview, ..NewOrderPage::new(context, form, preview) })
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
        Ok(preview) => Ok(PreviewView::of(preview, typed)),
        Err(OrderError::NothingToGive(given)) => Ok(PreviewView::nothing(given)),
        Err(error) => Err(error.into()),
    }
}

fn placeholder_failed(invalid: Invalid) -> WebError {
    WebError::Internal(format!("the placeholder customer of a preview is invalid: {invalid}"))
}

async fn create(State(orders): State<Orders>, target: RenderTarget, submission: Submission) -> PageAnswer {
    let (form, who) = (&submission.form, &submission.who);
    let (key, typed) = (key_of(form, &orders), OrderTexts::of(form));
    let state = FormState { context: target.context.clone(), key, typed };
    let new = match state.typed.order() {
        Ok(new) => new,
        Err(wrong) => return refused(&orders, state, *wrong).await,
    };
    let confirm = confirmed(form)?;
    let request = state.typed.idempotent_request(&form.text("key"), who, orders.clock.now())?;
    let idempotency = request.map(|request| Idempotency { request, answer: &recorded });
    match orders.create(&new, confirm.as_ref(), &who.actor().into(), idempotency.as_ref()).await {
        Ok(done) => {
            let path = done.answer(recorded).location.unwrap_or_else(|| "/orders".to_owned());
            Ok(target.done(&path, "Order created."))
        }
        Err(error) => not_created(&orders, state, form, error).await,
    }
}

/// Returns the answer for the idempotency record, which leads to the order.
fn recorded(detail: &OrderDetail) -> Answer {
    let path = format!("/orders/{}", detail.order.id);
    answer(StatusCode::CREATED, &detail.order.id, detail.order.version.get(), Some(path))
}

/// Shows the form again with the reason why there is no order, or returns the failure.
async fn not_created(orders: &Orders, state: FormState, form: &RawForm, error: OrderError) -> PageAnswer {
    match error {
        OrderError::PreviewOutdated(preview) => {
            let same = form.get("previewed") == Some(state.typed.previewed().as_str());
            let refusal = Refusal::because(if same { LEADS_TAKEN } else { FIELDS_CHANGED });
            let view = PreviewView { is_renewed: true, ..PreviewView::of(*preview, &state.typed) };
            state.refuse(orders, StatusCode::CONFLICT, refusal, view).await
        }
        OrderError::NothingToGive(given) => {
            let (refusal, view) = (Refusal::because(NO_LEADS), PreviewView::nothing(given));
            state.refuse(orders, StatusCode::UNPROCESSABLE_ENTITY, refusal, view).await
        }
        OrderError::KeyReused(_) => {
            let view = preview_if_any(orders, &state.typed).await?;
            let state = FormState { key: fresh_key(orders), ..state };
            state.refuse(orders, StatusCode::UNPROCESSABLE_ENTITY, Refusal::because(ALREADY_SENT), view).await
        }
        error => match Problem::from(error) {
            problem if problem.status() == StatusCode::SERVICE_UNAVAILABLE => {
                state.busy(orders, form, problem).await
            }
            problem => Err(problem),
        },
    }
}

const LEADS_TAKEN: &str = "Someone just took some of these leads. Here is what's available now.";
const FIELDS_CHANGED: &str = "You changed the order after the preview. Here is what's available now.";
const NO_LEADS: &str = "No leads available in these states.";

/// For a form that already created an order with other values, for example after going back in the browser.
const ALREADY_SENT: &str = "This form already created an order. Submit it again to create another one.";

/// Shows the form again with its errors, and with a preview if the fields allow one.
async fn refused(orders: &Orders, state: FormState, wrong: OrderMessages) -> PageAnswer {
    let view = preview_if_any(orders, &state.typed).await?;
    state.show(orders, StatusCode::UNPROCESSABLE_ENTITY, wrong, view).await
}

async fn preview_if_any(orders: &Orders, typed: &OrderTexts) -> Result<PreviewView, Problem> {
    match typed.states_and_quantity(&mut OrderMessages::default()) {
        Some(asked) => preview_of(orders, typed, asked).await,
        None => Ok(PreviewView::hint(CHOOSE_STATES)),
    }
}

/// A state that an order can request.
#[derive(Debug, Clone)]
struct StateChoice {
    state: UsState,
    chosen: bool,
    /// The stock, if it is known.
    in_stock: Option<u64>,
}

/// The form of a new order.
#[derive(Debug, Clone)]
struct OrderForm {
    key: String,
    name: Field,
    email: Field,
    quantity: Field,
    states: Vec<StateChoice>,
    /// How late the stock is, as text.
    late: Option<String>,
    states_error: Option<String>,
}

impl OrderForm {
    /// Creates the form with the typed text and its errors. It shows the stock if it is known.
    fn new(key: String, typed: &OrderTexts, wrong: OrderMessages, free: Option<&FreeLeads>) -> Self {
        let field = |value: &String, error| Field { value: value.clone(), base: String::new(), error };
        let choice = |state: UsState| StateChoice {
            state,
            chosen: typed.states.iter().any(|code| code == state.as_str()),
            in_stock: free.map(|free| free.in_state(state)),
        };
        Self {
            key,
            name: field(&typed.name, wrong.name),
            email: field(&typed.email, wrong.email),
            quantity: field(&typed.quantity, wrong.quantity),
            states: states_by_name().into_iter().map(choice).collect(),
            late: free.and_then(|free| free.late.clone()),
            states_error: wrong.states,
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
    /// Whether this preview replaces the one that the person confirmed.
    is_renewed: bool,
    /// Whether no state gives a lead.
    nothing: bool,
    given: Vec<Given>,
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

    fn of(preview: Preview, typed: &OrderTexts) -> Self {
        let giving = preview.given.iter().filter(|given| given.given > 0).count();
        let leads = counted(preview.lead_count, "lead", "leads");
        Self {
            given: preview.given,
            leads: preview.leads.iter().map(LeadLine::of).collect(),
            total: format!("{leads} from {}", counted(giving, "state", "states")),
            unlisted: preview.lead_count.saturating_sub(preview.leads.len()),
            confirm: preview.fingerprint.to_string(),
            previewed: typed.previewed(),
            ..Self::default()
        }
    }

    /// Creates the preview of an order that gets no leads.
    fn nothing(given: Vec<Given>) -> Self {
        Self { nothing: true, given, ..Self::default() }
    }

    /// Returns the preview in a few words.
    fn summary(&self) -> &str {
        match (self.nothing, self.total.as_str()) {
            (true, _) => "No leads available",
            (false, "") => "No preview yet",
            (false, total) => total,
        }
    }

    /// Returns whether the preview can be confirmed.
    fn is_confirmable(&self) -> bool {
        !self.confirm.is_empty()
    }
}

/// The page at `GET /orders/new`.
#[derive(Template)]
#[template(path = "orders/new.html", config = "templates/askama.toml", blocks = ["preview"])]
struct NewOrderPage {
    context: PageContext,
    form: OrderForm,
    preview: PreviewView,
    /// Why the form that was sent created no order.
    refusal: Option<Refusal>,
    /// Whether the preview has the focus, because the person asked for it.
    focus_preview: bool,
}

impl NewOrderPage {
    fn new(context: PageContext, form: OrderForm, preview: PreviewView) -> Self {
        Self { context, form, preview, refusal: None, focus_preview: false }
    }

    /// Returns whether a field has the focus.
    fn focuses_form(&self) -> bool {
        self.refusal.is_none() && !self.focus_preview
    }
}
