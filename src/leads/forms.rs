//! What people send with the forms of leads: read as typed, then understood, with all that is wrong in it at once.
//! Pure.
//!
//! What always holds: a form can be shown again with every character that was typed; a change holds only the fields
//! whose meaning differs from what the person saw, so that two people who edit different fields never overwrite each
//! other.

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
use crate::store::ledger::IdempotentRequest;
use crate::web::error::WebError;

/// One thing for each field that a person edits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerField<T> {
    /// For the name.
    pub name: T,
    /// For the e-mail address.
    pub email: T,
    /// For the state.
    pub state: T,
    /// For the lead score.
    pub lead_score: T,
    /// For the status.
    pub status: T,
}

/// The fields as texts, as inputs hold them: no state is the empty text, a status is `PROSPECT`.
pub type Texts = PerField<String>;
/// What is wrong with each field, in words.
pub type Messages = PerField<Option<String>>;

impl<T> PerField<T> {
    /// One thing made for each field.
    pub fn from_fn(mut make: impl FnMut(LeadField) -> T) -> Self {
        Self {
            name: make(LeadField::Name),
            email: make(LeadField::Email),
            state: make(LeadField::State),
            lead_score: make(LeadField::LeadScore),
            status: make(LeadField::Status),
        }
    }

    /// The thing for a field; none for the stock, which nobody edits.
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

    /// The fields with their things, in the order of the pages.
    pub fn iter(&self) -> impl Iterator<Item = (LeadField, &T)> {
        LeadField::EDITABLE.into_iter().filter_map(|field| Some((field, self.get(field)?)))
    }
}

impl Texts {
    /// A lead's fields.
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

/// A field's value, as the history keeps it, as text; nothing is the empty text.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The pairs of a form. Of a name that comes twice the last counts, and names that nobody asks for are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct RawForm(BTreeMap<String, String>);

impl RawForm {
    /// What was typed under a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// This form as a request that happens once.
    pub fn once(&self, path: &str, who: &SignedIn, now: Timestamp) -> IdempotentRequest {
        let fields = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        IdempotentRequest::of_form(&who.id.to_string(), path, fields, now)
    }

    /// This form as a request that happens once, if it carries a key. What was typed belongs to the key: a page that a
    /// browser brought back has an old one.
    pub fn once_by_key(&self, path: &str, who: &SignedIn, now: Timestamp) -> Option<IdempotentRequest> {
        self.get("key").filter(|key| !key.is_empty()).map(|_| self.once(path, who, now))
    }

    /// What was typed into the fields of a new lead.
    pub fn typed(&self) -> Texts {
        Texts::from_fn(|field| self.get(field.as_str()).unwrap_or_default().to_owned())
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

/// The new lead that the fields say, or what is wrong with each of them.
///
/// # Errors
/// A message for each field that is wrong.
pub fn new_lead(typed: &Texts) -> Result<NewLead, Box<Messages>> {
    let mut wrong = Box::<Messages>::default();
    let name = read(&typed.name, &mut wrong.name, str::parse);
    let email = read(&typed.email, &mut wrong.email, str::parse);
    let state = read(&typed.state, &mut wrong.state, parse_state);
    let lead_score = read(&typed.lead_score, &mut wrong.lead_score, str::parse);
    let status = read(&typed.status, &mut wrong.status, str::parse);
    match (name, email, state, lead_score, status) {
        (Some(name), Some(email), Some(state), Some(lead_score), Some(status)) => {
            Ok(NewLead { name, email, state, lead_score, status })
        }
        _ => Err(wrong),
    }
}

/// An edit as it was sent: what the person saw, and what they made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The version that they saw.
    pub version: Version,
    /// The values that they saw.
    pub base: Texts,
    /// The values that they sent, as typed.
    pub typed: Texts,
    /// Fields that somebody else changed too, and for which they did not choose yet. Their own value stands in
    /// `typed`.
    pub undecided: Vec<LeadField>,
}

impl Edit {
    /// Reads an edit: `version`, `base.FIELD` for what was seen, `FIELD` for what was typed (as seen, if it is not
    /// sent). A field whose value is to be chosen sends `mine.FIELD` as well.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`]; [`WebError::Malformed`] if the form does not say what the person saw.
    pub fn of(form: &RawForm) -> Result<Self, WebError> {
        let version = form.version()?;
        let seen = |field: LeadField| form.get(&format!("base.{}", field.as_str()));
        if let Some(field) = LeadField::EDITABLE.into_iter().find(|field| seen(*field).is_none()) {
            let message =
                format!("The form does not say which {} it began with. Open it again.", field.as_str());
            return Err(WebError::Malformed(message));
        }
        let base = Texts::from_fn(|field| seen(field).unwrap_or_default().to_owned());
        let mut undecided = Vec::new();
        let typed = Texts::from_fn(|field| {
            let mine = form.get(&format!("mine.{}", field.as_str()));
            let sent = form.get(field.as_str());
            if sent.is_none() && mine.is_some() {
                undecided.push(field);
            }
            sent.or(mine).or(seen(field)).unwrap_or_default().to_owned()
        });
        Ok(Self { version, base, typed, undecided })
    }

    /// The fields whose meaning differs from what was seen; white space around a name is no difference.
    ///
    /// # Errors
    /// A message for each changed field that is wrong.
    pub fn change(&self) -> Result<LeadChange, Box<Messages>> {
        let (base, typed) = (&self.base, &self.typed);
        let mut wrong = Box::<Messages>::default();
        let change = LeadChange {
            name: changed(&base.name, &typed.name, &mut wrong.name, str::parse, ToString::to_string),
            email: changed(&base.email, &typed.email, &mut wrong.email, str::parse, ToString::to_string),
            state: changed(&base.state, &typed.state, &mut wrong.state, parse_state, state_text),
            lead_score: changed(
                &base.lead_score,
                &typed.lead_score,
                &mut wrong.lead_score,
                str::parse,
                ToString::to_string,
            ),
            status: changed(&base.status, &typed.status, &mut wrong.status, str::parse, ToString::to_string),
        };
        if *wrong == Messages::default() { Ok(change) } else { Err(wrong) }
    }

    /// The fields as the person wants them, where `change` is what they changed.
    pub fn wanted(&self, change: &LeadChange) -> Texts {
        self.base.overlaid(change)
    }
}

/// The rule that was broken, beside the field that it is about.
pub fn beside(rule: Rule) -> Messages {
    Messages::from_fn(|field| (field == rule.field()).then(|| rule.words().to_owned()))
}

fn read<T>(
    text: &str,
    wrong: &mut Option<String>,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Option<T> {
    parse(text).map_err(|invalid| *wrong = Some(invalid.to_string())).ok()
}

fn changed<T>(
    base: &str,
    typed: &str,
    wrong: &mut Option<String>,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
    text: impl FnOnce(&T) -> String + Copy,
) -> Option<T> {
    // What stands in the table is not questioned.
    if typed == base {
        return None;
    }
    read(typed, wrong, parse).filter(|value| text(value) != base)
}

fn parse_state(text: &str) -> Result<Option<UsState>, Invalid> {
    if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
}

fn state_text(state: &Option<UsState>) -> String {
    state.map(|state| state.to_string()).unwrap_or_default()
}

/// What the list is asked for, as it stands behind the question mark.
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
    /// Leads on one page.
    pub const LIMIT: u16 = 25;

    /// The request that it means.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for the first parameter that is wrong.
    pub fn request(&self) -> Result<ListRequest, WebError> {
        let wrong = |field: &'static str| move |invalid: Invalid| WebError::field(field, &invalid);
        let status = optional(&self.status, str::parse).map_err(wrong("status"))?;
        let state = optional(&self.state, str::parse).map_err(wrong("state"))?;
        let stock = optional(&self.stock, str::parse).map_err(wrong("stock"))?;
        let filter = Filter::of(status, state, stock).map_err(wrong("stock"))?;
        let query = SearchQuery::parse(&self.q).map_err(wrong("q"))?;
        let sort = optional(&self.sort, str::parse::<Sort>).map_err(wrong("sort"))?.unwrap_or_default();
        // These have an order of their own, which the page shows.
        let has_own_order = query.is_some() || filter.stock.is_some();
        Ok(ListRequest {
            query,
            filter,
            sort: if has_own_order { Sort::Newest } else { sort },
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

    /// A form as a page sends it: Ann as she was seen, and what was typed over her.
    fn edit(typed: &[(&str, &str)]) -> Edit {
        let seen = [
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
        let mut raw = form(&seen);
        raw.0.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Edit::of(&raw).unwrap()
    }

    #[test]
    fn a_form_is_read_from_pairs_with_names_that_nobody_asked_for_among_them() {
        let raw: RawForm = serde_urlencoded::from_str("name=Ann+Lee&x=1&name=Zo%C3%AB&email=").unwrap();
        assert_eq!(raw.get("name"), Some("Zoë"));
        assert_eq!(raw.typed().email, "");
        assert_eq!(raw.typed().state, "");
    }

    #[test]
    fn all_fields_of_a_new_lead_are_judged_at_once_and_stay_as_typed() {
        let raw =
            form(&[("name", " "), ("email", "ann"), ("state", "ZZ"), ("leadScore", "101"), ("status", "?")]);
        let wrong = new_lead(&raw.typed()).unwrap_err();
        assert!(
            wrong.iter().all(|(_, message)| message.as_ref().is_some_and(|m| m.ends_with('.'))),
            "{wrong:?}"
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
    fn a_change_holds_only_the_fields_whose_meaning_differs_from_what_was_seen() {
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
            let wanted = edit.wanted(&change);
            let differing: Vec<_> = wanted
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
    fn all_wrong_fields_of_an_edit_have_their_message_and_the_right_ones_none() {
        let edit = edit(&[("name", ""), ("leadScore", "80.5"), ("state", "CA")]);
        let wrong = edit.change().unwrap_err();
        assert!(wrong.name.is_some() && wrong.lead_score.is_some());
        assert!(wrong.email.is_none() && wrong.state.is_none() && wrong.status.is_none());
        assert_eq!(edit.typed.lead_score, "80.5");
    }

    #[test]
    fn an_edit_says_which_version_and_which_values_it_began_with() {
        assert!(matches!(Edit::of(&form(&[])), Err(WebError::VersionMissing)));
        assert!(matches!(Edit::of(&form(&[("version", "x")])), Err(WebError::Invalid(_))));
        assert!(matches!(Edit::of(&form(&[("version", "3"), ("name", "Ann")])), Err(WebError::Malformed(_))));
    }

    #[test]
    fn a_value_that_is_to_be_chosen_and_is_not_stays_undecided_without_being_lost() {
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
    fn a_list_is_asked_for_in_words_that_are_checked() {
        let read = |query: &str| serde_urlencoded::from_str::<ListQuery>(query).unwrap().request();
        let request = read("q=ann&status=qualified&state=&sort=score&cursor=").unwrap();
        assert_eq!(request.query.unwrap().typed(), "ann");
        assert_eq!((request.filter.status, request.filter.state), (Some(Status::Qualified), None));
        assert_eq!((request.sort, request.cursor), (Sort::Newest, None), "a search has an order of its own");
        assert_eq!(read("status=qualified&sort=score").unwrap().sort, Sort::Score);
        assert_eq!(read("stock=assigned&sort=score").unwrap().sort, Sort::Newest);
        for query in ["status=x", "state=zz", "sort=up", &format!("q={}", "a".repeat(201))] {
            assert!(matches!(read(query), Err(WebError::Invalid(_))), "{query}");
        }
    }
}
