//! The form of a new order and its preview.

use askama::Template;

use super::{GivenRow, LeadLine, counted, given_rows, states};
use crate::leads::views::Field;
use crate::orders::domain::Given;
use crate::orders::domain::Preview;
use crate::orders::forms::{OrderMessages, OrderTexts};
use crate::stats::Stats;
use crate::web::pages::PageContext;

/// A state that an order can request.
#[derive(Debug, Clone)]
pub struct StateChoice {
    /// The code.
    pub code: &'static str,
    /// The name.
    pub name: &'static str,
    /// Whether it is chosen.
    pub chosen: bool,
    /// How many of its leads are in stock.
    pub in_stock: u64,
}

/// The form of a new order.
#[derive(Debug, Clone)]
pub struct OrderForm {
    /// The key that makes sending the form twice create one order.
    pub key: String,
    /// The customer's name.
    pub name: Field,
    /// The customer's email address.
    pub email: Field,
    /// The number of leads per state.
    pub quantity: Field,
    /// The states.
    pub states: Vec<StateChoice>,
    /// How late the stock is, as text.
    pub late: Option<String>,
    /// The error of the states.
    pub states_error: Option<String>,
    /// The error of the whole form.
    pub error: Option<String>,
}

impl OrderForm {
    /// Creates the form with the typed text and its errors.
    pub fn new(key: String, typed: &OrderTexts, wrong: OrderMessages, stats: Option<&Stats>) -> Self {
        let counts = stats.map_or(&[][..], |stats| &stats.by_state);
        let field = |value: &String, error| Field { value: value.clone(), base: String::new(), error };
        let state = |choice: super::Choice| StateChoice {
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
    pub fn focus(&self) -> &'static str {
        let fields = [("name", &self.name), ("email", &self.email), ("quantity", &self.quantity)];
        fields.into_iter().find(|(_, field)| field.error.is_some()).map_or("name", |(name, _)| name)
    }
}

/// The preview of an order.
#[derive(Debug, Clone, Default)]
pub struct PreviewView {
    /// Why there is no preview.
    pub hint: Option<String>,
    /// What changed since the last preview, for a person who lost a race.
    pub notice: Option<&'static str>,
    /// Whether no state gives a lead.
    pub nothing: bool,
    /// How many leads each state gives.
    pub given: Vec<GivenRow>,
    /// The leads, or as many of them as a page shows.
    pub leads: Vec<LeadLine>,
    /// The number of leads and states, as text.
    pub total: String,
    /// The number of leads that are not listed.
    pub unlisted: usize,
    /// The fingerprint that confirms exactly these leads.
    pub confirm: String,
    /// The fields that the preview is based on.
    pub previewed: String,
}

impl PreviewView {
    /// Creates an empty preview with a hint.
    pub fn hint(words: impl Into<String>) -> Self {
        Self { hint: Some(words.into()), ..Self::default() }
    }

    /// Creates the preview of these fields.
    pub fn of(preview: &Preview, typed: &OrderTexts) -> Self {
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
    pub fn nothing(given: &[Given]) -> Self {
        Self { nothing: true, given: given_rows(given), ..Self::default() }
    }

    /// Returns the preview with a notice that it replaces an outdated one.
    pub fn outdated(self, notice: &'static str) -> Self {
        Self { notice: Some(notice), ..self }
    }

    /// Returns whether the preview can be confirmed.
    pub fn is_confirmable(&self) -> bool {
        !self.confirm.is_empty()
    }
}

/// The page at `GET /orders/new`.
#[derive(Template)]
#[template(path = "orders/new.html", blocks = ["preview"])]
pub struct NewOrderPage {
    /// The page context.
    pub context: PageContext,
    /// The fields.
    pub form: OrderForm,
    /// The preview of the fields.
    pub preview: PreviewView,
}
