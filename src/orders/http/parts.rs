//! What several pages of orders show.

use crate::base::values::{OrderId, UsState};
use crate::leads::domain::{Lead, LeadId};
use crate::orders::domain::{Order, OrderStatus};
use crate::web::pages::DisplayTime;

pub(super) fn states_by_name() -> Vec<UsState> {
    let mut states: Vec<UsState> = UsState::all().collect();
    states.sort_by_key(UsState::name);
    states
}

/// An order, as pages show it.
#[derive(Debug, Clone)]
pub(crate) struct OrderView {
    pub id: OrderId,
    pub customer: String,
    pub email: String,
    /// The state codes, separated by commas.
    pub states: String,
    /// The state codes, shortened for lists.
    pub states_short: String,
    /// The requested number of leads per state, as text.
    pub quantity: String,
    pub leads: u32,
    pub status: OrderStatus,
    pub version: u64,
    pub created: DisplayTime,
    pub created_by: String,
    pub fulfilled: Option<DisplayTime>,
}

impl OrderView {
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
                .map_or_else(|| "Up to the cap".to_owned(), |quantity| quantity.get().to_string()),
            leads: order.lead_count,
            status: order.status,
            version: order.version.get(),
            created: order.created_at.into(),
            created_by: order.created_by.to_string(),
            fulfilled: order.fulfilled_at.map(Into::into),
        }
    }

    pub fn is_open(&self) -> bool {
        self.status == OrderStatus::Open
    }
}

/// A lead of an order or a preview.
#[derive(Debug, Clone)]
pub(super) struct LeadLine {
    pub(super) id: LeadId,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) state: &'static str,
    pub(super) score: u8,
    pub(super) created: DisplayTime,
}

impl LeadLine {
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
