//! What several pages of orders show: orders, leads, and how many leads each state gave.

use axum::response::Response;

use crate::base::values::{OrderId, UsState};
use crate::leads::domain::{Lead, LeadId};
use crate::orders::domain::{Given, Order, OrderStatus};
use crate::web::pages::DisplayTime;
use crate::web::problem::Problem;

/// The answer of a page.
pub(super) type Answer = Result<Response, Problem>;

/// One value that a field offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// The value that forms send.
    pub(super) value: &'static str,
    /// The text shown to people.
    pub(super) label: &'static str,
}

pub(super) fn states() -> Vec<Choice> {
    let choice = |state: UsState| Choice { value: state.as_str(), label: state.name() };
    let mut states: Vec<Choice> = UsState::all().map(choice).collect();
    states.sort_by_key(|choice| choice.label);
    states
}

/// Formats a count with its noun: `1 lead`, `2 leads`.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// An order, as pages show it.
#[derive(Debug, Clone)]
pub struct OrderView {
    /// The id.
    pub id: OrderId,
    /// The customer's name.
    pub customer: String,
    /// The customer's email address.
    pub email: String,
    /// The state codes, separated by commas.
    pub states: String,
    /// The state codes, shortened for lists.
    pub states_short: String,
    /// The requested number of leads per state, as text.
    pub quantity: String,
    /// The number of leads.
    pub leads: u32,
    /// The status.
    pub status: OrderStatus,
    /// The version.
    pub version: u64,
    /// When it was created.
    pub created: DisplayTime,
    /// Who created it.
    pub created_by: String,
    /// When it was fulfilled.
    pub fulfilled: Option<DisplayTime>,
}

impl OrderView {
    /// Creates the view of an order.
    pub fn of(order: &Order) -> Self {
        const SHORT: usize = 4;
        let codes: Vec<&str> = order.requested_states.as_slice().iter().map(UsState::as_str).collect();
        let states_short = match codes.len().saturating_sub(SHORT) {
            0 => codes.join(", "),
            more => format!("{} and {more} more", codes[..SHORT].join(", ")),
        };
        Self {
            id: order.id,
            customer: order.customer_name.to_string(),
            email: order.customer_email.to_string(),
            states: codes.join(", "),
            states_short,
            quantity: order
                .quantity_per_state
                .map_or_else(|| "as many as the caps left".to_owned(), |quantity| quantity.get().to_string()),
            leads: order.lead_count,
            status: order.status,
            version: order.version.get(),
            created: order.created_at.into(),
            created_by: order.created_by.to_string(),
            fulfilled: order.fulfilled_at.map(Into::into),
        }
    }

    /// Returns whether the order is open.
    pub fn is_open(&self) -> bool {
        self.status == OrderStatus::Open
    }
}

/// A lead of an order or a preview.
#[derive(Debug, Clone)]
pub(super) struct LeadLine {
    /// The id.
    pub(super) id: LeadId,
    /// The name.
    pub(super) name: String,
    /// The email address.
    pub(super) email: String,
    /// The state's code.
    pub(super) state: &'static str,
    /// The score.
    pub(super) score: u8,
    /// When it was created.
    pub(super) created: DisplayTime,
}

impl LeadLine {
    /// Creates the view of a lead.
    pub(super) fn of(lead: &Lead) -> Self {
        Self {
            id: lead.id,
            name: lead.name.to_string(),
            email: lead.email.to_string(),
            state: lead.state.map_or("–", |state| state.as_str()),
            score: lead.lead_score.get(),
            created: lead.created_at.into(),
        }
    }
}

/// How many leads a state gives, and why.
#[derive(Debug, Clone)]
pub(super) struct GivenRow {
    /// The state's code.
    pub(super) code: &'static str,
    /// The state's name.
    pub(super) name: &'static str,
    /// How many leads were requested, as text.
    pub(super) asked: String,
    /// How many leads were free: `12`, or `35+` if there were more.
    pub(super) in_stock: String,
    /// The cap.
    pub(super) cap: u32,
    /// How many leads were in other open orders.
    pub(super) already_out: u32,
    /// How many leads the state gives.
    pub(super) given: u32,
    /// Why it gives that many.
    pub(super) why: &'static str,
}

impl GivenRow {
    /// Creates the row of one state.
    pub(super) fn of(given: &Given) -> Self {
        let remaining = given.cap.get().saturating_sub(given.already_out);
        let asked = given.asked.map(|asked| asked.get());
        let why = if asked == Some(given.given) {
            "as asked"
        } else if remaining == 0 {
            "the cap is reached"
        } else if given.in_stock == 0 {
            "none in stock"
        } else if u64::from(given.given) >= given.in_stock && !given.more_in_stock {
            "all there are"
        } else {
            "what the cap leaves"
        };
        Self {
            code: given.state.as_str(),
            name: given.state.name(),
            asked: asked.map_or_else(|| "any".to_owned(), |asked| asked.to_string()),
            in_stock: given.in_stock_words(),
            cap: given.cap.get(),
            already_out: given.already_out,
            given: given.given,
            why,
        }
    }
}

pub(super) fn given_rows(given: &[Given]) -> Vec<GivenRow> {
    given.iter().map(GivenRow::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_why_a_state_gives_that_many_leads() {
        for (asked, in_stock, cap, out, given, why) in [
            (Some(5), 20, 10, 0, 5, "as asked"),
            (Some(5), 3, 10, 0, 3, "all there are"),
            (Some(5), 20, 10, 8, 2, "what the cap leaves"),
            (Some(5), 20, 10, 12, 0, "the cap is reached"),
            (Some(5), 0, 10, 0, 0, "none in stock"),
            (None, 20, 10, 4, 6, "what the cap leaves"),
            (None, 4, 10, 4, 4, "all there are"),
        ] {
            let row = serde_json::json!({
                "state": "NY", "asked": asked, "inStock": in_stock, "cap": cap, "alreadyOut": out, "given": given,
            });
            let row: Given = serde_json::from_value(row).unwrap();
            assert_eq!(GivenRow::of(&row).why, why, "{row:?}");
        }
    }
}
