//! The form of a new order: the text that people type, and how it is parsed. All errors are reported at once.
//! Pure.

use jiff::Timestamp;
use serde::Serialize;

use crate::base::identity::SignedIn;
use crate::base::values::{Email, Invalid};
use crate::orders::domain::{CustomerName, Fingerprint, NewOrder, Quantity, RequestedStates};
use crate::shared::forms::{RawForm, checked, keyed_request};
use crate::shared::values::optional;
use crate::store::idempotency::IdempotentRequest;
use crate::web::error::WebError;

/// The fields of a new order, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct OrderTexts {
    pub(super) name: String,
    pub(super) email: String,
    /// The state codes.
    pub(super) states: Vec<String>,
    /// The number of leads per state. Empty means as many as the caps leave.
    pub(super) quantity: String,
}

/// An error message for each field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OrderMessages {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) states: Option<String>,
    pub(super) quantity: Option<String>,
}

/// The fields that a preview depends on.
pub(super) type PreviewInput = (RequestedStates, Option<Quantity>);

impl OrderTexts {
    pub(super) fn of(form: &RawForm) -> Self {
        Self {
            name: form.text("customerName"),
            email: form.text("customerEmail"),
            states: form.all("requestedStates").map(str::to_owned).collect(),
            quantity: form.text("quantityPerState"),
        }
    }

    /// Parses the fields into an order, or returns a message for each invalid field.
    pub(super) fn order(&self) -> Result<NewOrder, Box<OrderMessages>> {
        let mut wrong = Box::<OrderMessages>::default();
        let customer_name = checked(self.name.parse::<CustomerName>(), &mut wrong.name);
        let customer_email = checked(self.email.parse::<Email>(), &mut wrong.email);
        let asked = self.states_and_quantity(&mut wrong);
        match (customer_name, customer_email, asked) {
            (Some(customer_name), Some(customer_email), Some((requested_states, quantity_per_state))) => {
                Ok(NewOrder { customer_name, customer_email, requested_states, quantity_per_state })
            }
            _ => Err(wrong),
        }
    }

    /// Parses the states and the quantity, without the customer.
    pub(super) fn states_and_quantity(&self, wrong: &mut OrderMessages) -> Option<PreviewInput> {
        let codes = self.states.iter().map(String::as_str);
        let states = checked(RequestedStates::parse(codes), &mut wrong.states);
        let quantity = checked(optional(self.quantity.trim()), &mut wrong.quantity);
        Some((states?, quantity?))
    }

    /// Identifies the fields that a preview is based on. The form sends this text back.
    pub(super) fn previewed(&self) -> String {
        format!("{} {}", self.states.join(","), self.quantity.trim())
    }

    /// Returns this form as an idempotent request if it has a key. The confirmed preview is not part of it.
    pub(super) fn idempotent_request(
        &self,
        key: &str,
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<IdempotentRequest>, WebError> {
        let fields = serde_json::to_vec(self).map_err(|error| WebError::Internal(error.to_string()))?;
        keyed_request(key, &[b"POST", b"/orders", &fields], who, now)
    }
}

/// Returns the preview that a form confirms, if any.
pub(super) fn confirmed(form: &RawForm) -> Result<Option<Fingerprint>, WebError> {
    let text = form.get("confirm").unwrap_or_default();
    optional(text).map_err(|invalid: Invalid| WebError::Malformed(invalid.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::values::UsState;

    fn form(query: &str) -> RawForm {
        serde_urlencoded::from_str(query).unwrap()
    }

    #[test]
    fn an_order_is_parsed_from_its_form() {
        let form = form(
            "customerName=Acme+Roofing&customerEmail=buy%40acme.example&requestedStates=NY&requestedStates=CA&quantityPerState=+5+",
        );
        let order = OrderTexts::of(&form).order().unwrap();
        let codes: Vec<_> = order.requested_states.as_slice().iter().map(UsState::as_str).collect();
        assert_eq!((codes, order.quantity_per_state.map(Quantity::get)), (vec!["NY", "CA"], Some(5)));
        assert_eq!(order.customer_name.as_str(), "Acme Roofing");
    }

    #[test]
    fn all_invalid_fields_are_reported_at_once() {
        let typed =
            OrderTexts::of(&form("customerName=&customerEmail=x&requestedStates=ZZ&quantityPerState=0"));
        let wrong = typed.order().unwrap_err();
        for message in [&wrong.name, &wrong.email, &wrong.states, &wrong.quantity] {
            assert!(message.as_ref().is_some_and(|words| words.ends_with('.')), "{wrong:?}");
        }
        let none = OrderTexts::of(&form("customerName=A&customerEmail=a%40b.example")).order().unwrap_err();
        assert!(none.states.is_some() && none.quantity.is_none());
    }
}
