//! The form of a new order, with what it would be given.

use askama::Template;

use super::{GivenRow, LeadLine, counted, given_rows, states};
use crate::leads::views::Field;
use crate::orders::domain::Given;
use crate::orders::domain::Preview;
use crate::orders::forms::{OrderMessages, OrderTexts};
use crate::stats::Stats;
use crate::web::pages::PageContext;

/// A state that may be asked for.
#[derive(Debug, Clone)]
pub struct StateChoice {
    /// The code.
    pub code: &'static str,
    /// The name.
    pub name: &'static str,
    /// Whether it is asked for.
    pub chosen: bool,
    /// How many of its leads are free.
    pub in_stock: u64,
}

/// The fields of a new order.
#[derive(Debug, Clone)]
pub struct OrderForm {
    /// What makes sending it twice one order.
    pub key: String,
    /// The customer's name.
    pub name: Field,
    /// The customer's e-mail address.
    pub email: Field,
    /// How many of each state.
    pub quantity: Field,
    /// The states.
    pub states: Vec<StateChoice>,
    /// How late what is in stock is, in words.
    pub late: Option<String>,
    /// What is wrong with the states.
    pub states_error: Option<String>,
    /// What is wrong with all of it.
    pub error: Option<String>,
}

impl OrderForm {
    /// The form as it was typed, with what is wrong.
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

    /// The field to begin in: the first that is wrong, or the first.
    pub fn focus(&self) -> &'static str {
        let fields = [("name", &self.name), ("email", &self.email), ("quantity", &self.quantity)];
        fields.into_iter().find(|(_, field)| field.error.is_some()).map_or("name", |(name, _)| name)
    }
}

/// What an order would be given.
#[derive(Debug, Clone, Default)]
pub struct PreviewView {
    /// Why there is none to show.
    pub hint: Option<String>,
    /// What happened meanwhile, for whoever lost a race.
    pub notice: Option<&'static str>,
    /// Whether no state gives anything.
    pub nothing: bool,
    /// State by state.
    pub given: Vec<GivenRow>,
    /// The leads, or as many of them as a page shows.
    pub leads: Vec<LeadLine>,
    /// How many there are, in words.
    pub total: String,
    /// How many further ones are not listed.
    pub unlisted: usize,
    /// What confirms exactly these leads.
    pub confirm: String,
    /// Which fields it is of.
    pub previewed: String,
}

impl PreviewView {
    /// Nothing to show yet, and why.
    pub fn hint(words: impl Into<String>) -> Self {
        Self { hint: Some(words.into()), ..Self::default() }
    }

    /// A preview of these fields.
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

    /// No state gives anything.
    pub fn nothing(given: &[Given]) -> Self {
        Self { nothing: true, given: given_rows(given), ..Self::default() }
    }

    /// The same, for whoever sent another one.
    pub fn outdated(self, notice: &'static str) -> Self {
        Self { notice: Some(notice), ..self }
    }

    /// Whether there is something to confirm.
    pub fn is_confirmable(&self) -> bool {
        !self.confirm.is_empty()
    }
}

/// `GET /orders/new`
#[derive(Template)]
#[template(path = "orders/new.html", blocks = ["preview"])]
pub struct NewOrderPage {
    /// The shell.
    pub context: PageContext,
    /// The fields.
    pub form: OrderForm,
    /// What they would give.
    pub preview: PreviewView,
}
