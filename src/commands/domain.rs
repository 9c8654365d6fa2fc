//! The commands and their values. Pure.
//!
//! Invariants: a [`Command`] value can always be tried; a command that is written as text and parsed again is the
//! same command.

use std::fmt;
use std::str::FromStr;

use crate::base::values::{Invalid, OrderId, UsState, text_type, text_value};
use crate::inventory::domain::Note;
use crate::inventory::groups::Group;
pub use crate::leads::domain::StatusOrStock;
use crate::orders::domain::{NewOrder, OrderStatus};

/// A valid command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Creates an order with the oldest free leads.
    CreateOrder(NewOrder),
    /// Fulfills an order, regardless of its version.
    FulfillOrder {
        /// The order.
        order_id: OrderId,
    },
    /// Deletes an open order, regardless of its version.
    DeleteOrder {
        /// The order.
        order_id: OrderId,
    },
    /// Lists orders, newest first.
    GetOrders {
        /// Only orders with this status.
        status: Option<OrderStatus>,
        /// The maximum number of orders.
        limit: Limit,
        /// The cursor that the previous page returned.
        cursor: Option<CursorText>,
    },
    /// Lists leads, newest first.
    GetLeads {
        /// Only leads with this status or stock.
        status: Option<StatusOrStock>,
        /// Only leads of this state.
        state: Option<UsState>,
        /// The maximum number of leads.
        limit: Limit,
        /// The cursor that the previous page returned.
        cursor: Option<CursorText>,
    },
    /// Retries dead letters about stock, oldest first.
    RetryDeadLetters {
        /// The dead letters to retry.
        group: Group,
        /// The cursor that the previous command returned.
        cursor: Option<CursorText>,
    },
    /// Dismisses dead letters about stock permanently, oldest first.
    DismissDeadLetters {
        /// The dead letters to dismiss.
        group: Group,
        /// The reason.
        note: Option<Note>,
        /// The cursor that the previous command returned.
        cursor: Option<CursorText>,
    },
    /// Applies an action to an order at most once.
    OneTimeRule {
        /// The order.
        order_id: OrderId,
        /// The action.
        action: OneTimeAction,
    },
}

impl Command {
    /// Returns the command's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateOrder(_) => "create_order",
            Self::FulfillOrder { .. } => "fulfill_order",
            Self::DeleteOrder { .. } => "delete_order",
            Self::GetOrders { .. } => "get_orders",
            Self::GetLeads { .. } => "get_leads",
            Self::RetryDeadLetters { .. } => "retry_dead_letters",
            Self::DismissDeadLetters { .. } => "dismiss_dead_letters",
            Self::OneTimeRule { .. } => "one_time_rule",
        }
    }

    /// Returns the given and default parameters as text.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let some = |name: &'static str, value: Option<String>| value.map(|value| (name, value));
        match self {
            Self::CreateOrder(new) => {
                let states: Vec<_> = new.requested_states.as_slice().iter().map(UsState::as_str).collect();
                let quantity = new.quantity_per_state.map(|quantity| quantity.get().to_string());
                let given = [
                    ("customer_name", new.customer_name.to_string()),
                    ("customer_email", new.customer_email.to_string()),
                    ("requested_states", states.join(",")),
                ];
                given.into_iter().chain(some("quantity_per_state", quantity)).collect()
            }
            Self::FulfillOrder { order_id } | Self::DeleteOrder { order_id } => {
                vec![("order_id", order_id.to_string())]
            }
            Self::GetOrders { status, limit, cursor } => {
                let status = some("status", status.map(|status| status.to_string()));
                let cursor = some("cursor", cursor.as_ref().map(|cursor| cursor.as_str().to_owned()));
                status.into_iter().chain([("limit", limit.get().to_string())]).chain(cursor).collect()
            }
            Self::GetLeads { status, state, limit, cursor } => {
                let status = some("status", status.map(|status| status.to_string()));
                let state = some("state", state.map(|state| state.to_string()));
                let limit = [("limit", limit.get().to_string())];
                let cursor = some("cursor", cursor.as_ref().map(|cursor| cursor.as_str().to_owned()));
                status.into_iter().chain(state).chain(limit).chain(cursor).collect()
            }
            Self::RetryDeadLetters { group, cursor } => of_group(group, None, cursor.as_ref()),
            Self::DismissDeadLetters { group, note, cursor } => {
                of_group(group, note.as_ref(), cursor.as_ref())
            }
            Self::OneTimeRule { order_id, action } => {
                vec![("order_id", order_id.to_string()), ("action", action.to_string())]
            }
        }
    }
}

fn of_group(group: &Group, note: Option<&Note>, cursor: Option<&CursorText>) -> Vec<(&'static str, String)> {
    let given = [
        ("reason", group.reason.map(|reason| reason.to_string())),
        ("sku", group.sku.as_ref().map(ToString::to_string)),
        ("note", note.map(ToString::to_string)),
        ("cursor", cursor.map(|cursor| cursor.as_str().to_owned())),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Formats the command as a line of text.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        for (name, value) in self.parameters() {
            write!(f, " {name}={}", Quoted(&value))?;
        }
        Ok(())
    }
}

/// A value in a line of text: bare if it parses as the same value, otherwise in quotation marks.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = !self.0.is_empty() && self.0.chars().all(|c| !c.is_whitespace() && c != '"');
        if bare {
            return f.write_str(self.0);
        }
        write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// The maximum number of items in a list: 1 to 100, 25 by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// Returns the limit as a number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(25)
    }
}

impl FromStr for Limit {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let limit = text.trim().parse::<u16>().ok().filter(|limit| (1..=100).contains(limit));
        limit.map(Self).ok_or_else(|| Invalid::new("A limit must be a whole number from 1 to 100."))
    }
}

text_type!(
    /// The cursor of a list, as the previous page returned it: at most 2,000 visible ASCII characters.
    CursorText,
    |text| {
        let text = text.trim();
        let fits = (1..=2_000).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| text.to_owned())
    },
    "Use the next value of the previous page as cursor."
);

/// A one-time action on an order: a rule that runs it has its effect once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OneTimeAction {
    /// Fulfills the order.
    FulfillOrder,
    /// Deletes the order.
    DeleteOrder,
}

impl OneTimeAction {
    /// Returns the name, for example `fulfill_order`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::FulfillOrder => "fulfill_order",
            Self::DeleteOrder => "delete_order",
        }
    }
}

/// Reads the name of the action, or its first word alone.
impl FromStr for OneTimeAction {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.trim().to_ascii_lowercase().as_str() {
            "fulfill_order" | "fulfill" => Ok(Self::FulfillOrder),
            "delete_order" | "delete" => Ok(Self::DeleteOrder),
            _ => Err(Invalid::new("The action must be fulfill_order or delete_order.")),
        }
    }
}

text_value!(OneTimeAction);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leads::domain::{Status, Stock};

    #[test]
    fn a_lead_status_is_a_pipeline_status_or_a_stock() {
        assert_eq!("Qualified".parse(), Ok(StatusOrStock::Status(Status::Qualified)));
        assert_eq!(" unassigned ".parse(), Ok(StatusOrStock::Stock(Stock::Unassigned)));
        let mut names: Vec<_> = StatusOrStock::all().map(|one| one.as_str()).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "each name has one meaning");
        let words = "open".parse::<StatusOrStock>().unwrap_err().to_string();
        assert!(words.contains("prospect, qualified, converted, unassigned, assigned, fulfilled"), "{words}");
    }

    #[test]
    fn invalid_limits_and_actions_are_refused() {
        for text in ["0", "101", "-1", "1.5", "ten", "", "1000000000"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
        assert_eq!("100".parse::<Limit>().unwrap().get(), 100);
        for (text, action) in [
            ("fulfill", OneTimeAction::FulfillOrder),
            ("FULFILL_ORDER", OneTimeAction::FulfillOrder),
            ("delete", OneTimeAction::DeleteOrder),
            ("delete_order", OneTimeAction::DeleteOrder),
        ] {
            assert_eq!(text.parse(), Ok(action));
        }
        assert!("release".parse::<OneTimeAction>().is_err());
    }

    #[test]
    fn a_value_is_quoted_if_necessary() {
        for (value, written) in [
            ("CA,NY", "CA,NY"),
            ("Acme Roofing", "\"Acme Roofing\""),
            ("", "\"\""),
            ("\"Al\" \\ Sons", "\"\\\"Al\\\" \\\\ Sons\""),
            ("a\\b", "a\\b"),
            ("#1", "#1"),
        ] {
            assert_eq!(Quoted(value).to_string(), written);
        }
    }
}
