//! The form of a new order. What its preview shows is what sending it takes, or nothing is taken.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::Answer;
use crate::base::identity::SignedIn;
use crate::base::values::Email;
use crate::orders::Orders;
use crate::orders::domain::OrderDetail;
use crate::orders::domain::{CustomerName, NewOrder};
use crate::orders::error::OrderError;
use crate::orders::forms::{Asked, OrderMessages, OrderTexts, Pairs, confirmed};
use crate::orders::views::{NewOrderPage, OrderForm, PreviewView};
use crate::store::ledger;
use crate::store::ledger::{Done, Idempotency};
use crate::web::access::Access;
use crate::web::error::WebError;
use crate::web::extract::FormData;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, answer, html, see_other, with_toast_there};
use crate::web::routes::Routes;

/// The routes.
pub fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/orders/new", Access::Agent, new)
        .post("/orders/preview", Access::Agent, preview)
        .post("/orders", Access::Agent, create)
}

const CHOOSE: &str = "Choose at least one state to see what it would give.";

async fn new(State(orders): State<Orders>, context: PageContext) -> Answer {
    let sheet = FormState { context, key: fresh_key(&orders), typed: OrderTexts::default() };
    sheet.show(&orders, StatusCode::OK, OrderMessages::default(), PreviewView::hint(CHOOSE), None).await
}

/// What makes sending the form twice one order.
fn fresh_key(orders: &Orders) -> String {
    orders.rng.uuid().to_string()
}

/// The form as it was typed, to be shown again.
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

/// What the fields would give, as far as they are filled in. Writes nothing.
async fn preview(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let typed = OrderTexts::of(&form);
    let mut wrong = OrderMessages::default();
    let preview = match typed.asked(&mut wrong) {
        Some(asked) => look(&orders, &typed, asked).await?,
        None if typed.states.is_empty() => PreviewView::hint(CHOOSE),
        None => PreviewView::hint(wrong.states.clone().or(wrong.quantity.clone()).unwrap_or_default()),
    };
    let key = form.get("key").map_or_else(|| fresh_key(&orders), str::to_owned);
    if fragment {
        // The fields stay as they are on the page; only the preview beside them is new.
        let form = OrderForm::new(key, &typed, OrderMessages::default(), None);
        return html(StatusCode::OK, &NewOrderPage { context, form, preview }.as_preview());
    }
    // Who has not got to a field yet is not told that it is wrong.
    let wrong = if typed.states.is_empty() { OrderMessages { states: None, ..wrong } } else { wrong };
    FormState { context, key, typed }.show(&orders, StatusCode::OK, wrong, preview, None).await
}

async fn look(orders: &Orders, typed: &OrderTexts, asked: Asked) -> Result<PreviewView, Problem> {
    let (requested_states, quantity_per_state) = asked;
    // Who the customer is changes nothing of what there is to give, and may not be typed yet.
    let customer_name: CustomerName = typed.name.parse().or_else(|_| "Customer".parse()).map_err(unnamed)?;
    let customer_email: Email =
        typed.email.parse().or_else(|_| "customer@example.com".parse()).map_err(unnamed)?;
    let new = NewOrder { customer_name, customer_email, requested_states, quantity_per_state };
    match orders.preview(&new).await {
        Ok(preview) => Ok(PreviewView::of(&preview, typed)),
        Err(OrderError::NothingToGive(given)) => Ok(PreviewView::nothing(&given)),
        Err(error) => Err(error.into()),
    }
}

fn unnamed(invalid: crate::base::values::Invalid) -> WebError {
    WebError::Internal(format!("a customer to look for could not be named: {invalid}"))
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
    let sheet = FormState { context: context.clone(), key, typed };
    let new = match sheet.typed.order() {
        Ok(new) => new,
        Err(wrong) => return refused(&orders, sheet, *wrong).await,
    };
    let confirm = confirmed(&form)?;
    let recorded = |detail: &OrderDetail| {
        let path = format!("/orders/{}", detail.order.id);
        answer(StatusCode::CREATED, &detail.order.id, detail.order.version.get(), Some(path))
    };
    let idempotency = sheet.typed.once(&form, &who, orders.clock.now())?;
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &recorded });
    match orders.create(&new, confirm.as_ref(), &who.actor().into(), idempotency.as_ref()).await {
        Ok(Done::Now(detail)) => Ok(created(&context, &recorded(&detail), fragment)),
        Ok(Done::Replayed(answer)) => Ok(created(&context, &answer, fragment)),
        Err(OrderError::PreviewOutdated(preview)) => {
            let same = form.get("previewed") == Some(sheet.typed.previewed().as_str());
            let notice = if same { FASTER } else { OTHER_FIELDS };
            let view = PreviewView::of(&preview, &sheet.typed).outdated(notice);
            sheet.show(&orders, StatusCode::CONFLICT, OrderMessages::default(), view, None).await
        }
        Err(OrderError::NothingToGive(given)) => {
            let view = PreviewView::nothing(&given);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            sheet.show(&orders, status, OrderMessages::default(), view, None).await
        }
        Err(OrderError::KeyOfAnotherRequest) => sent_before(&orders, sheet).await,
        Err(error) => Err(error.into()),
    }
}

const FASTER: &str =
    "Somebody was faster: some of these leads are no longer free. This is what you would get now.";
const OTHER_FIELDS: &str =
    "You changed the order after you saw what it takes. This is what you would get now.";

fn created(context: &PageContext, answer: &ledger::Answer, fragment: bool) -> Response {
    let path = answer.location.as_deref().unwrap_or("/orders");
    with_toast_there(see_other(context, path, fragment), Tone::Success, "The order was created.")
}

/// The form again, with what is wrong beside its fields, and what it would give as far as that can be said.
async fn refused(orders: &Orders, sheet: FormState, wrong: OrderMessages) -> Answer {
    let view = as_far_as_typed(orders, &sheet.typed).await?;
    sheet.show(orders, StatusCode::UNPROCESSABLE_ENTITY, wrong, view, None).await
}

/// The form made an order before and says something else by now, as after going back in the browser.
async fn sent_before(orders: &Orders, sheet: FormState) -> Answer {
    let words = "This form has made an order already. Send it again to make another one.";
    let view = as_far_as_typed(orders, &sheet.typed).await?;
    let sheet = FormState { key: fresh_key(orders), ..sheet };
    sheet.show(orders, StatusCode::UNPROCESSABLE_ENTITY, OrderMessages::default(), view, Some(words)).await
}

async fn as_far_as_typed(orders: &Orders, typed: &OrderTexts) -> Result<PreviewView, Problem> {
    match typed.asked(&mut OrderMessages::default()) {
        Some(asked) => look(orders, typed, asked).await,
        None => Ok(PreviewView::hint(CHOOSE)),
    }
}
