//! The form of a new order. What its preview shows is what sending it takes, or nothing is taken.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::Answer;
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::{self, Done, Once};
use crate::error::AppError;
use crate::leads::stats;
use crate::orders::domain::{CustomerName, NewOrder};
use crate::orders::error::OrderError;
use crate::orders::forms::{Asked, OrderMessages, OrderTexts, Pairs, confirmed};
use crate::orders::store::{self, OrderDetail};
use crate::orders::views::{NewOrderPage, OrderForm, PreviewView};
use crate::values::Email;
use crate::web::access::{Access, Routes};
use crate::web::extract::{FormData, WebError};
use crate::web::pages::Shell;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, answer, html, see_other, with_toast_there};

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/orders/new", Access::Agent, new)
        .post("/orders/preview", Access::Agent, preview)
        .post("/orders", Access::Agent, create)
}

const CHOOSE: &str = "Choose at least one state to see what it would give.";

async fn new(State(app): State<App>, shell: Shell) -> Answer {
    let sheet = Sheet { shell, key: fresh_key(&app), typed: OrderTexts::default() };
    sheet.show(&app, StatusCode::OK, OrderMessages::default(), PreviewView::hint(CHOOSE), None).await
}

/// What makes sending the form twice one order.
fn fresh_key(app: &App) -> String {
    app.entropy.uuid().to_string()
}

/// The form as it was typed, to be shown again.
struct Sheet {
    shell: Shell,
    key: String,
    typed: OrderTexts,
}

impl Sheet {
    async fn show(
        self,
        app: &App,
        status: StatusCode,
        wrong: OrderMessages,
        preview: PreviewView,
        error: Option<&str>,
    ) -> Answer {
        let form = OrderForm::new(self.key, &self.typed, wrong, Some(&stats::read(app).await?));
        let form = OrderForm { error: error.map(str::to_owned), ..form };
        html(status, &NewOrderPage { shell: self.shell, form, preview })
    }
}

/// What the fields would give, as far as they are filled in. Writes nothing.
async fn preview(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let typed = OrderTexts::of(&form);
    let mut wrong = OrderMessages::default();
    let preview = match typed.asked(&mut wrong) {
        Some(asked) => look(&app, &typed, asked).await?,
        None if typed.states.is_empty() => PreviewView::hint(CHOOSE),
        None => PreviewView::hint(wrong.states.clone().or(wrong.quantity.clone()).unwrap_or_default()),
    };
    let key = form.get("key").map_or_else(|| fresh_key(&app), str::to_owned);
    if fragment {
        // The fields stay as they are on the page; only the preview beside them is new.
        let form = OrderForm::new(key, &typed, OrderMessages::default(), None);
        return html(StatusCode::OK, &NewOrderPage { shell, form, preview }.as_preview());
    }
    // Who has not got to a field yet is not told that it is wrong.
    let wrong = if typed.states.is_empty() { OrderMessages { states: None, ..wrong } } else { wrong };
    Sheet { shell, key, typed }.show(&app, StatusCode::OK, wrong, preview, None).await
}

async fn look(app: &App, typed: &OrderTexts, asked: Asked) -> Result<PreviewView, AppError> {
    let (requested_states, quantity_per_state) = asked;
    // Who the customer is changes nothing of what there is to give, and may not be typed yet.
    let customer_name: CustomerName = typed.name.parse().or_else(|_| "Customer".parse()).map_err(unnamed)?;
    let customer_email: Email =
        typed.email.parse().or_else(|_| "customer@example.com".parse()).map_err(unnamed)?;
    let new = NewOrder { customer_name, customer_email, requested_states, quantity_per_state };
    match store::preview(app, &new).await {
        Ok(preview) => Ok(PreviewView::of(&preview, typed)),
        Err(OrderError::NothingToGive(given)) => Ok(PreviewView::nothing(&given)),
        Err(error) => Err(error.into()),
    }
}

fn unnamed(invalid: crate::values::Invalid) -> WebError {
    WebError::Internal(format!("a customer to look for could not be named: {invalid}"))
}

async fn create(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let typed = OrderTexts::of(&form);
    let key = form.get("key").map_or_else(|| fresh_key(&app), str::to_owned);
    let sheet = Sheet { shell: shell.clone(), key, typed };
    let new = match sheet.typed.order() {
        Ok(new) => new,
        Err(wrong) => return refused(&app, sheet, *wrong).await,
    };
    let confirm = confirmed(&form)?;
    let recorded = |detail: &OrderDetail| {
        let path = format!("/orders/{}", detail.order.id);
        answer(StatusCode::CREATED, &detail.order.id, detail.order.version.get(), Some(path))
    };
    let once = sheet.typed.once(&form, &who, app.clock.now())?;
    let once = once.map(|request| Once { request, answer: &recorded });
    match store::create(&app, &new, confirm.as_ref(), &who.actor().into(), once.as_ref()).await {
        Ok(Done::Now(detail)) => Ok(created(&shell, &recorded(&detail), fragment)),
        Ok(Done::Before(answer)) => Ok(created(&shell, &answer, fragment)),
        Err(OrderError::PreviewOutdated(preview)) => {
            let same = form.get("previewed") == Some(sheet.typed.previewed().as_str());
            let notice = if same { FASTER } else { OTHER_FIELDS };
            let view = PreviewView::of(&preview, &sheet.typed).outdated(notice);
            sheet.show(&app, StatusCode::CONFLICT, OrderMessages::default(), view, None).await
        }
        Err(OrderError::NothingToGive(given)) => {
            let view = PreviewView::nothing(&given);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            sheet.show(&app, status, OrderMessages::default(), view, None).await
        }
        Err(OrderError::KeyOfAnotherRequest) => sent_before(&app, sheet).await,
        Err(error) => Err(error.into()),
    }
}

const FASTER: &str =
    "Somebody was faster: some of these leads are no longer free. This is what you would get now.";
const OTHER_FIELDS: &str =
    "You changed the order after you saw what it takes. This is what you would get now.";

fn created(shell: &Shell, answer: &ledger::Answer, fragment: bool) -> Response {
    let path = answer.location.as_deref().unwrap_or("/orders");
    with_toast_there(see_other(shell, path, fragment), Tone::Success, "The order was created.")
}

/// The form again, with what is wrong beside its fields, and what it would give as far as that can be said.
async fn refused(app: &App, sheet: Sheet, wrong: OrderMessages) -> Answer {
    let view = as_far_as_typed(app, &sheet.typed).await?;
    sheet.show(app, StatusCode::UNPROCESSABLE_ENTITY, wrong, view, None).await
}

/// The form made an order before and says something else by now, as after going back in the browser.
async fn sent_before(app: &App, sheet: Sheet) -> Answer {
    let words = "This form has made an order already. Send it again to make another one.";
    let view = as_far_as_typed(app, &sheet.typed).await?;
    let sheet = Sheet { key: fresh_key(app), ..sheet };
    sheet.show(app, StatusCode::UNPROCESSABLE_ENTITY, OrderMessages::default(), view, Some(words)).await
}

async fn as_far_as_typed(app: &App, typed: &OrderTexts) -> Result<PreviewView, AppError> {
    match typed.asked(&mut OrderMessages::default()) {
        Some(asked) => look(app, typed, asked).await,
        None => Ok(PreviewView::hint(CHOOSE)),
    }
}
