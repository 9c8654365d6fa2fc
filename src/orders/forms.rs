//! The forms of orders: the text that people type, and how it is parsed. All errors are reported at once.
//! Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{CustomerName, Fingerprint, NewOrder, OrderStatus, Quantity, RequestedStates};
use super::list::{CustomerWords, ListRequest, OrderFilter};
use super::period::Period;
use crate::base::identity::SignedIn;
use crate::base::values::{Email, Invalid, UsState, Version};
use crate::store::idempotency::{IdempotencyKey, IdempotentRequest};
use crate::web::error::WebError;
use crate::web::lists::parameter;

/// The fields of a form, in the order in which they were sent. A name may appear several times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Returns the last value with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// Returns all values with this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// Returns this form as an idempotent request. It needs no key, because it names the version that it
    /// changes.
    pub fn idempotent_request(&self, path: &str, who: &SignedIn, now: Timestamp) -> IdempotentRequest {
        let fields = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        IdempotentRequest::of_form(&who.id.to_string(), path, fields, now)
    }

    /// Returns the version of the record that the form was filled in for.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`], or [`WebError::Invalid`] if the value is not a version.
    pub fn version(&self) -> Result<Version, WebError> {
        let text = self.get("version").ok_or(WebError::VersionMissing)?;
        text.parse().map_err(|invalid| WebError::field("version", &invalid))
    }
}

/// The fields of a new order, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OrderTexts {
    /// The customer's name.
    pub name: String,
    /// The customer's email address.
    pub email: String,
    /// The state codes.
    pub states: Vec<String>,
    /// The number of leads per state. Empty means as many as the caps leave.
    pub quantity: String,
}

/// An error message for each field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderMessages {
    /// The error of the customer's name.
    pub name: Option<String>,
    /// The error of the email address.
    pub email: Option<String>,
    /// The error of the states.
    pub states: Option<String>,
    /// The error of the quantity.
    pub quantity: Option<String>,
}

/// The fields that a preview depends on.
pub type PreviewInput = (RequestedStates, Option<Quantity>);

impl OrderTexts {
    /// Reads the fields of a form.
    pub fn of(form: &Pairs) -> Self {
        let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
        Self {
            name: text("customerName"),
            email: text("customerEmail"),
            states: form.all("requestedStates").map(str::to_owned).collect(),
            quantity: text("quantityPerState"),
        }
    }

    /// Parses the fields into an order.
    ///
    /// # Errors
    /// A message for each invalid field.
    pub fn order(&self) -> Result<NewOrder, Box<OrderMessages>> {
        let mut wrong = Box::<OrderMessages>::default();
        let customer_name = read(self.name.parse::<CustomerName>(), &mut wrong.name);
        let customer_email = read(self.email.parse::<Email>(), &mut wrong.email);
        let asked = self.states_and_quantity(&mut wrong);
        match (customer_name, customer_email, asked) {
            (Some(customer_name), Some(customer_email), Some((requested_states, quantity_per_state))) => {
                Ok(NewOrder { customer_name, customer_email, requested_states, quantity_per_state })
            }
            _ => Err(wrong),
        }
    }

    /// Parses the states and the quantity, without the customer.
    pub fn states_and_quantity(&self, wrong: &mut OrderMessages) -> Option<PreviewInput> {
        let states: Result<Vec<UsState>, Invalid> = self.states.iter().map(|code| code.parse()).collect();
        let states = read(states.and_then(RequestedStates::try_from), &mut wrong.states);
        let quantity = match self.quantity.trim() {
            "" => Some(None),
            text => read(text.parse().map(Some), &mut wrong.quantity),
        };
        Some((states?, quantity?))
    }

    /// Identifies the fields that a preview is based on. The form sends this text back.
    pub fn previewed(&self) -> String {
        format!("{} {}", self.states.join(","), self.quantity.trim())
    }

    /// Returns this form as an idempotent request if it has a key. The confirmed preview is not part of it.
    ///
    /// # Errors
    /// [`WebError::Malformed`] if the key is invalid.
    pub fn idempotent_request(
        &self,
        form: &Pairs,
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<IdempotentRequest>, WebError> {
        let Some(key) = form.get("key") else { return Ok(None) };
        let key: IdempotencyKey =
            key.parse().map_err(|invalid: Invalid| WebError::Malformed(invalid.to_string()))?;
        let fields = serde_json::to_vec(self).map_err(|error| WebError::Internal(error.to_string()))?;
        Ok(Some(IdempotentRequest::new(&who.id.to_string(), key, &[b"POST", b"/orders", &fields], now)))
    }
}

/// Returns the preview that a form confirms, if any.
///
/// # Errors
/// [`WebError::Malformed`] if the value is not the fingerprint of a preview.
pub fn confirmed(form: &Pairs) -> Result<Option<Fingerprint>, WebError> {
    let text = form.get("confirm").filter(|text| !text.is_empty());
    text.map(str::parse).transpose().map_err(|invalid: Invalid| WebError::Malformed(invalid.to_string()))
}

fn read<T>(value: Result<T, Invalid>, wrong: &mut Option<String>) -> Option<T> {
    value.map_err(|invalid| *wrong = Some(invalid.to_string())).ok()
}

/// The query parameters of the list page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OrderQuery {
    status: Option<String>,
    state: Option<String>,
    customer: Option<String>,
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
}

impl OrderQuery {
    /// The number of orders on one page.
    pub const LIMIT: u16 = 25;

    /// Converts the parameters into a request for a page.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for the first invalid parameter.
    pub fn request(self) -> Result<ListRequest, WebError> {
        let filter = OrderFilter {
            status: parameter("status", self.status, str::parse::<OrderStatus>)?,
            state: parameter("state", self.state, str::parse)?,
            customer: parameter("customer", self.customer, CustomerWords::parse)?.flatten(),
            created: Period::read(self.from, self.to)?,
        };
        let cursor = self.cursor.filter(|cursor| !cursor.is_empty());
        Ok(ListRequest { filter, limit: Self::LIMIT, cursor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(query: &str) -> Pairs {
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

    #[test]
    fn list_parameters_are_validated() {
        let read = |query: &str| serde_urlencoded::from_str::<OrderQuery>(query).unwrap().request();
        let request = read("status=open&state=&customer=acme&from=2026-03-08&to=2026-03-08&cursor=").unwrap();
        assert_eq!(request.filter.status, Some(OrderStatus::Open));
        assert_eq!(request.filter.customer.unwrap().typed(), "acme");
        for query in ["status=x", "state=zz", "from=soon", "from=2026-03-09&to=2026-03-08"] {
            assert!(matches!(read(query), Err(WebError::Invalid(_))), "{query}");
        }
    }
}
