//! Reads the forms of leads: first as typed, then as values, with all errors at once. Pure.
//!
//! Invariants: a form can be shown again exactly as it was typed. A change contains only the fields whose value differs
//! from what the person saw, so two people who edit different fields never overwrite each other.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::domain::{Lead, LeadChange, LeadField, NewLead, Rule};
use super::list::ListRequest;
use super::search::SearchQuery;
use super::{Filter, Sort};
use crate::base::identity::SignedIn;
use crate::base::values::{Invalid, UsState, Version};
use crate::store::idempotency::IdempotentRequest;
use crate::web::error::WebError;

/// One value for each field that people edit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerField<T> {
    /// For the name.
    pub name: T,
    /// For the email address.
    pub email: T,
    /// For the state.
    pub state: T,
    /// For the lead score.
    pub lead_score: T,
    /// For the status.
    pub status: T,
}

/// The fields as the text of form inputs: no state is empty text, and a status is for example `PROSPECT`.
pub type Texts = PerField<String>;
/// The error message of each field.
pub type Messages = PerField<Option<String>>;

impl<T> PerField<T> {
    /// Calls `make` for each field.
    pub fn from_fn(mut make: impl FnMut(LeadField) -> T) -> Self {
        Self {
            name: make(LeadField::Name),
            email: make(LeadField::Email),
            state: make(LeadField::State),
            lead_score: make(LeadField::LeadScore),
            status: make(LeadField::Status),
        }
    }

    /// Returns the value for a field, or `None` for the stock, which people do not edit.
    pub fn get(&self, field: LeadField) -> Option<&T> {
        match field {
            LeadField::Name => Some(&self.name),
            LeadField::Email => Some(&self.email),
            LeadField::State => Some(&self.state),
            LeadField::LeadScore => Some(&self.lead_score),
            LeadField::Status => Some(&self.status),
            LeadField::Stock => None,
        }
    }

    /// Iterates over the fields and their values in the order in which pages show them.
    pub fn iter(&self) -> impl Iterator<Item = (LeadField, &T)> {
        LeadField::EDITABLE.into_iter().filter_map(|field| Some((field, self.get(field)?)))
    }
}

impl Texts {
    /// Returns a lead's fields as text.
    pub fn of(lead: &Lead) -> Self {
        Self::from_fn(|field| text_of(&lead.value(field)))
    }

    fn overlaid(&self, change: &LeadChange) -> Self {
        let text = |new: Option<String>, old: &String| new.unwrap_or_else(|| old.clone());
        Self {
            name: text(change.name.as_ref().map(ToString::to_string), &self.name),
            email: text(change.email.as_ref().map(ToString::to_string), &self.email),
            state: text(change.state.as_ref().map(state_text), &self.state),
            lead_score: text(change.lead_score.as_ref().map(ToString::to_string), &self.lead_score),
            status: text(change.status.as_ref().map(ToString::to_string), &self.status),
        }
    }
}

/// Converts a field's value from the history to text. Null becomes empty text.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The name-value pairs of a form. The last value of a repeated name wins, and unknown names are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct RawForm(BTreeMap<String, String>);

impl RawForm {
    /// Returns the value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns this form as an idempotent request.
    pub fn once(&self, path: &str, who: &SignedIn, now: Timestamp) -> IdempotentRequest {
        let fields = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        IdempotentRequest::of_form(&who.id.to_string(), path, fields, now)
    }

    /// Returns this form as an idempotent request, if it has a key. The typed text is part of the request, because a
    /// page that a browser restored sends an old key.
    pub fn once_by_key(&self, path: &str, who: &SignedIn, now: Timestamp) -> Option<IdempotentRequest> {
        self.get("key").filter(|key| !key.is_empty()).map(|_| self.once(path, who, now))
    }

    /// Returns the typed text of a new lead's fields.
    pub fn typed(&self) -> Texts {
        Texts::from_fn(|field| self.get(field.as_str()).unwrap_or_default().to_owned())
    }

    /// Returns the version of the record that the form shows.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`] if there is none, or [`WebError::Invalid`] if it is not a version.
    pub fn version(&self) -> Result<Version, WebError> {
        let text = self.get("version").ok_or(WebError::VersionMissing)?;
        text.parse().map_err(|invalid| WebError::field("version", &invalid))
    }
}

/// Parses the fields of a new lead.
///
/// # Errors
/// A message for each invalid field.
pub fn new_lead(typed: &Texts) -> Result<NewLead, Box<Messages>> {
    let mut errors = Box::<Messages>::default();
    let name = read(&typed.name, &mut errors.name, str::parse);
    let email = read(&typed.email, &mut errors.email, str::parse);
    let state = read(&typed.state, &mut errors.state, parse_state);
    let lead_score = read(&typed.lead_score, &mut errors.lead_score, str::parse);
    let status = read(&typed.status, &mut errors.status, str::parse);
    match (name, email, state, lead_score, status) {
        (Some(name), Some(email), Some(state), Some(lead_score), Some(status)) => {
            Ok(NewLead { name, email, state, lead_score, status })
        }
        _ => Err(errors),
    }
}

/// A submitted edit: the values that the person saw and the values that they typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The version that the person saw.
    pub version: Version,
    /// The values that the person saw.
    pub base: Texts,
    /// The submitted values, as typed.
    pub typed: Texts,
    /// Fields that another person changed too and that need a choice. `typed` has the person's own value.
    pub undecided: Vec<LeadField>,
}

impl Edit {
    /// Reads an edit. The form sends `version`, `base.FIELD` for the value that the person saw, and `FIELD` for the
    /// typed value, which defaults to the base. A field that needs a choice also sends `mine.FIELD`.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`] if there is no version; [`WebError::Malformed`] if a base value is missing.
    pub fn of(form: &RawForm) -> Result<Self, WebError> {
        let version = form.version()?;
        let base_value = |field: LeadField| form.get(&format!("base.{}", field.as_str()));
        if let Some(field) = LeadField::EDITABLE.into_iter().find(|field| base_value(*field).is_none()) {
            let message =
                format!("The form does not say which {} it started with. Open it again.", field.as_str());
            return Err(WebError::Malformed(message));
        }
        let base = Texts::from_fn(|field| base_value(field).unwrap_or_default().to_owned());
        let mut undecided = Vec::new();
        let typed = Texts::from_fn(|field| {
            let mine = form.get(&format!("mine.{}", field.as_str()));
            let sent = form.get(field.as_str());
            if sent.is_none() && mine.is_some() {
                undecided.push(field);
            }
            sent.or(mine).or(base_value(field)).unwrap_or_default().to_owned()
        });
        Ok(Self { version, base, typed, undecided })
    }

    /// Returns the fields whose value differs from what the person saw. White space around a name makes no difference.
    ///
    /// # Errors
    /// A message for each invalid field that the person changed.
    pub fn change(&self) -> Result<LeadChange, Box<Messages>> {
        let (base, typed) = (&self.base, &self.typed);
        let mut errors = Box::<Messages>::default();
        let change = LeadChange {
            name: changed(&base.name, &typed.name, &mut errors.name, str::parse, ToString::to_string),
            email: changed(&base.email, &typed.email, &mut errors.email, str::parse, ToString::to_string),
            state: changed(&base.state, &typed.state, &mut errors.state, parse_state, state_text),
            lead_score: changed(
                &base.lead_score,
                &typed.lead_score,
                &mut errors.lead_score,
                str::parse,
                ToString::to_string,
            ),
            status: changed(&base.status, &typed.status, &mut errors.status, str::parse, ToString::to_string),
        };
        if *errors == Messages::default() { Ok(change) } else { Err(errors) }
    }

    /// Returns the values that the person saw, with `change` applied.
    pub fn with_change(&self, change: &LeadChange) -> Texts {
        self.base.overlaid(change)
    }
}

/// Returns a broken rule as the error message of its field.
pub fn rule_message(rule: Rule) -> Messages {
    Messages::from_fn(|field| (field == rule.field()).then(|| rule.words().to_owned()))
}

fn read<T>(
    text: &str,
    error: &mut Option<String>,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Option<T> {
    parse(text).map_err(|invalid| *error = Some(invalid.to_string())).ok()
}

fn changed<T>(
    base: &str,
    typed: &str,
    error: &mut Option<String>,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
    text: impl FnOnce(&T) -> String + Copy,
) -> Option<T> {
    // A stored value is not validated again.
    if typed == base {
        return None;
    }
    read(typed, error, parse).filter(|value| text(value) != base)
}

fn parse_state(text: &str) -> Result<Option<UsState>, Invalid> {
    if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
}

fn state_text(state: &Option<UsState>) -> String {
    state.map(|state| state.to_string()).unwrap_or_default()
}

/// The query parameters of the list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    q: String,
    status: String,
    state: String,
    stock: String,
    sort: String,
    cursor: Option<String>,
}

impl ListQuery {
    /// The number of leads on one page.
    pub const LIMIT: u16 = 25;

    /// Parses the parameters.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for the first invalid parameter.
    pub fn request(&self) -> Result<ListRequest, WebError> {
        let at = |field: &'static str| move |invalid: Invalid| WebError::field(field, &invalid);
        let status = optional(&self.status, str::parse).map_err(at("status"))?;
        let state = optional(&self.state, str::parse).map_err(at("state"))?;
        let stock = optional(&self.stock, str::parse).map_err(at("stock"))?;
        let filter = Filter::of(status, state, stock).map_err(at("stock"))?;
        let query = SearchQuery::parse(&self.q).map_err(at("q"))?;
        let sort = optional(&self.sort, str::parse::<Sort>).map_err(at("sort"))?.unwrap_or_default();
        // The page says that these lists have a fixed sort order.
        let has_fixed_order = query.is_some() || filter.stock.is_some();
        Ok(ListRequest {
            query,
            filter,
            sort: if has_fixed_order { Sort::Newest } else { sort },
            limit: Self::LIMIT,
            cursor: self.cursor.clone().filter(|cursor| !cursor.is_empty()),
        })
    }
}

fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, Invalid>) -> Result<Option<T>, Invalid> {
    if text.trim().is_empty() { Ok(None) } else { parse(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leads::domain::Status;

    fn form(pairs: &[(&str, &str)]) -> RawForm {
        RawForm(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// Reads a form as a page sends it: a lead named Ann, changed by `typed`.
    fn edit(typed: &[(&str, &str)]) -> Edit {
        let pairs = [
            ("version", "3"),
            ("base.name", "Ann Lee"),
            ("base.email", "ann@example.com"),
            ("base.state", "NY"),
            ("base.leadScore", "50"),
            ("base.status", "PROSPECT"),
            ("name", "Ann Lee"),
            ("email", "ann@example.com"),
            ("state", "NY"),
            ("leadScore", "50"),
            ("status", "PROSPECT"),
        ];
        let mut raw = form(&pairs);
        raw.0.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Edit::of(&raw).unwrap()
    }

    #[test]
    fn a_form_ignores_unknown_names() {
        let raw: RawForm = serde_urlencoded::from_str("name=Ann+Lee&x=1&name=Zo%C3%AB&email=").unwrap();
        assert_eq!(raw.get("name"), Some("Zoë"));
        assert_eq!(raw.typed().email, "");
        assert_eq!(raw.typed().state, "");
    }

    #[test]
    fn a_new_lead_reports_all_invalid_fields_at_once() {
        let raw =
            form(&[("name", " "), ("email", "ann"), ("state", "ZZ"), ("leadScore", "101"), ("status", "?")]);
        let errors = new_lead(&raw.typed()).unwrap_err();
        assert!(
            errors.iter().all(|(_, message)| message.as_ref().is_some_and(|m| m.ends_with('.'))),
            "{errors:?}"
        );
        assert_eq!(raw.typed().lead_score, "101");
        let raw = form(&[
            ("name", " Ann  Lee "),
            ("email", "ann@example.com"),
            ("state", ""),
            ("leadScore", " 7 "),
            ("status", "PROSPECT"),
        ]);
        let new = new_lead(&raw.typed()).unwrap();
        assert_eq!((new.name.as_str(), new.state, new.lead_score.get()), ("Ann Lee", None, 7));
    }

    #[test]
    fn a_change_contains_only_the_fields_that_differ() {
        for (typed, fields) in [
            (vec![], vec![]),
            (vec![("name", "  Ann   Lee ")], vec![]),
            (vec![("leadScore", "050")], vec![]),
            (vec![("state", "ny")], vec![]),
            (vec![("name", "Ann Li")], vec![LeadField::Name]),
            (vec![("email", "Ann@example.com")], vec![LeadField::Email]),
            (vec![("state", "")], vec![LeadField::State]),
            (
                vec![("leadScore", "51"), ("status", "QUALIFIED")],
                vec![LeadField::LeadScore, LeadField::Status],
            ),
        ] {
            let edit = edit(&typed);
            let change = edit.change().unwrap();
            let edited = edit.with_change(&change);
            let differing: Vec<_> = edited
                .iter()
                .filter(|(field, value)| edit.base.get(*field) != Some(*value))
                .map(|(field, _)| field)
                .collect();
            assert_eq!(differing, fields, "{typed:?}");
            assert_eq!(change.is_empty(), fields.is_empty(), "{typed:?}");
        }
        assert_eq!(edit(&[("state", "")]).change().unwrap().state, Some(None));
    }

    #[test]
    fn an_edit_reports_all_invalid_fields_at_once() {
        let edit = edit(&[("name", ""), ("leadScore", "80.5"), ("state", "CA")]);
        let errors = edit.change().unwrap_err();
        assert!(errors.name.is_some() && errors.lead_score.is_some());
        assert!(errors.email.is_none() && errors.state.is_none() && errors.status.is_none());
        assert_eq!(edit.typed.lead_score, "80.5");
    }

    #[test]
    fn an_edit_needs_a_version_and_base_values() {
        assert!(matches!(Edit::of(&form(&[])), Err(WebError::VersionMissing)));
        assert!(matches!(Edit::of(&form(&[("version", "x")])), Err(WebError::Invalid(_))));
        assert!(matches!(Edit::of(&form(&[("version", "3"), ("name", "Ann")])), Err(WebError::Malformed(_))));
    }

    #[test]
    fn a_field_without_a_choice_keeps_the_typed_value() {
        let mut raw =
            form(&[("version", "4"), ("mine.leadScore", "65"), ("mine.name", "Anna"), ("name", "Ann")]);
        for field in LeadField::EDITABLE {
            raw.0.insert(format!("base.{}", field.as_str()), "50".to_owned());
        }
        let edit = Edit::of(&raw).unwrap();
        assert_eq!(edit.undecided, [LeadField::LeadScore]);
        assert_eq!((edit.typed.lead_score.as_str(), edit.typed.name.as_str()), ("65", "Ann"));
    }

    #[test]
    fn list_parameters_are_validated() {
        let read = |query: &str| serde_urlencoded::from_str::<ListQuery>(query).unwrap().request();
        let request = read("q=ann&status=qualified&state=&sort=score&cursor=").unwrap();
        assert_eq!(request.query.unwrap().typed(), "ann");
        assert_eq!((request.filter.status, request.filter.state), (Some(Status::Qualified), None));
        assert_eq!((request.sort, request.cursor), (Sort::Newest, None), "a search has a fixed sort order");
        assert_eq!(read("status=qualified&sort=score").unwrap().sort, Sort::Score);
        assert_eq!(read("stock=assigned&sort=score").unwrap().sort, Sort::Newest);
        for query in ["status=x", "state=zz", "sort=up", &format!("q={}", "a".repeat(201))] {
            assert!(matches!(read(query), Err(WebError::Invalid(_))), "{query}");
        }
    }
}
