//! What people send with the forms of orders: read as typed, then understood, with all that is wrong in it at once.
//! Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{CustomerName, Fingerprint, NewOrder, OrderStatus, Quantity, RequestedStates};
use super::list::{CustomerWords, ListRequest, OrderFilter};
use super::period::Period;
use crate::base::identity::SignedIn;
use crate::base::values::{Email, Invalid, UsState, Version};
use crate::store::ledger::{IdempotencyKey, IdempotentRequest};
use crate::web::error::WebError;
use crate::web::lists::parameter;

/// The pairs of a form, in the order in which they were sent: a name may come often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// What was sent under a name, for the last time.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// All that was sent under a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// This form as a request that happens once: it names the version that it changes.
    pub fn once(&self, path: &str, who: &SignedIn, now: Timestamp) -> IdempotentRequest {
        let fields = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        IdempotentRequest::of_form(&who.id.to_string(), path, fields, now)
    }

    /// The version of the record that the form shows.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`], or [`WebError::Invalid`] if it is no version.
    pub fn version(&self) -> Result<Version, WebError> {
        let text = self.get("version").ok_or(WebError::VersionMissing)?;
        text.parse().map_err(|invalid| WebError::field("version", &invalid))
    }
}

/// The fields of a new order as they were typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OrderTexts {
    /// The customer's name.
    pub name: String,
    /// The customer's e-mail address.
    pub email: String,
    /// The codes of the states.
    pub states: Vec<String>,
    /// How many of each; empty for as many as the caps leave.
    pub quantity: String,
}

/// What is wrong with each field, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderMessages {
    /// With the customer's name.
    pub name: Option<String>,
    /// With the e-mail address.
    pub email: Option<String>,
    /// With the states.
    pub states: Option<String>,
    /// With the quantity.
    pub quantity: Option<String>,
}

/// What a preview depends on.
pub type Asked = (RequestedStates, Option<Quantity>);

impl OrderTexts {
    /// What was typed.
    pub fn of(form: &Pairs) -> Self {
        let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
        Self {
            name: text("customerName"),
            email: text("customerEmail"),
            states: form.all("requestedStates").map(str::to_owned).collect(),
            quantity: text("quantityPerState"),
        }
    }

    /// The order that the fields say, or what is wrong with each of them.
    ///
    /// # Errors
    /// A message for each field that is wrong.
    pub fn order(&self) -> Result<NewOrder, Box<OrderMessages>> {
        let mut wrong = Box::<OrderMessages>::default();
        let customer_name = read(self.name.parse::<CustomerName>(), &mut wrong.name);
        let customer_email = read(self.email.parse::<Email>(), &mut wrong.email);
        let asked = self.asked(&mut wrong);
        match (customer_name, customer_email, asked) {
            (Some(customer_name), Some(customer_email), Some((requested_states, quantity_per_state))) => {
                Ok(NewOrder { customer_name, customer_email, requested_states, quantity_per_state })
            }
            _ => Err(wrong),
        }
    }

    /// The states and the quantity, whoever the customer is.
    pub fn asked(&self, wrong: &mut OrderMessages) -> Option<Asked> {
        let states: Result<Vec<UsState>, Invalid> = self.states.iter().map(|code| code.parse()).collect();
        let states = read(states.and_then(RequestedStates::try_from), &mut wrong.states);
        let quantity = match self.quantity.trim() {
            "" => Some(None),
            text => read(text.parse().map(Some), &mut wrong.quantity),
        };
        Some((states?, quantity?))
    }

    /// What a preview of these fields is of, as the form sends it back.
    pub fn previewed(&self) -> String {
        format!("{} {}", self.states.join(","), self.quantity.trim())
    }

    /// This form as a request that happens once, if it carries a key. Which preview it confirms is no part of it.
    ///
    /// # Errors
    /// [`WebError::Malformed`] for a key that cannot be one.
    pub fn once(
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

/// The preview that a form confirms, if it does.
///
/// # Errors
/// [`WebError::Malformed`] for what no preview gave.
pub fn confirmed(form: &Pairs) -> Result<Option<Fingerprint>, WebError> {
    let text = form.get("confirm").filter(|text| !text.is_empty());
    text.map(str::parse).transpose().map_err(|invalid: Invalid| WebError::Malformed(invalid.to_string()))
}

fn read<T>(value: Result<T, Invalid>, wrong: &mut Option<String>) -> Option<T> {
    value.map_err(|invalid| *wrong = Some(invalid.to_string())).ok()
}

/// What the list is asked for, as it stands behind the question mark.
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
    /// Orders on one page.
    pub const LIMIT: u16 = 25;

    /// The request that it means.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for the first parameter that is wrong.
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
    fn an_order_is_read_from_its_form() {
        let form = form(
            "customerName=Acme+Roofing&customerEmail=buy%40acme.example&requestedStates=NY&requestedStates=CA&quantityPerState=+5+",
        );
        let order = OrderTexts::of(&form).order().unwrap();
        let codes: Vec<_> = order.requested_states.as_slice().iter().map(UsState::as_str).collect();
        assert_eq!((codes, order.quantity_per_state.map(Quantity::get)), (vec!["NY", "CA"], Some(5)));
        assert_eq!(order.customer_name.as_str(), "Acme Roofing");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
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
    fn the_list_is_asked_for_in_words_that_are_checked() {
        let read = |query: &str| serde_urlencoded::from_str::<OrderQuery>(query).unwrap().request();
        let request = read("status=open&state=&customer=acme&from=2026-03-08&to=2026-03-08&cursor=").unwrap();
        assert_eq!(request.filter.status, Some(OrderStatus::Open));
        assert_eq!(request.filter.customer.unwrap().typed(), "acme");
        for query in ["status=x", "state=zz", "from=soon", "from=2026-03-09&to=2026-03-08"] {
            assert!(matches!(read(query), Err(WebError::Invalid(_))), "{query}");
        }
    }
}
