//! Which entries a reader of the audit log asks for. Pure, except that an email address is looked up before.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::base::calendar::start_of;
use crate::base::identity::AccountId;
use crate::base::values::{Email, Invalid};
use crate::shared::audit_log::{AuditEntry, AuditKind};
use crate::shared::search::{SearchQuery, fold};
use crate::web::error::WebError;
use crate::web::lists::parameter;

/// A person, as typed: the id of an account, an email address, or part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    typed: String,
    /// The folded words.
    words: Vec<String>,
    /// The account, if the text names one.
    account: Option<AccountId>,
}

impl Person {
    /// Returns the typed text.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// Returns the email address, if the text is one.
    pub fn email(&self) -> Option<Email> {
        self.typed.parse().ok()
    }

    /// Returns the person with the account that the text names.
    #[must_use]
    pub fn with_account(self, account: Option<AccountId>) -> Self {
        Self { account, ..self }
    }

    /// Whether they did what the entry records, or it was done to their account.
    fn is_in(&self, entry: &AuditEntry) -> bool {
        if let Some(account) = self.account {
            let is_path = |path: &String| path.contains(&account.to_string());
            if entry.account == Some(account) || entry.path.as_ref().is_some_and(is_path) {
                return true;
            }
        }
        let has_words = |text: &str| {
            let text = fold(text);
            self.words.iter().all(|word| text.contains(word))
        };
        // The id of an account is in no text.
        let is_id = self.typed.parse::<AccountId>().is_ok();
        !is_id && (has_words(entry.by.as_str()) || (is_about_person(entry.kind) && has_words(&entry.subject)))
    }
}

impl FromStr for Person {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        SearchQuery::check(text)?;
        let typed = text.trim().to_owned();
        let words = typed.split_whitespace().map(fold).collect();
        Ok(Self { words, account: typed.parse().ok(), typed })
    }
}

/// Whether the subject of such an entry is a person of the workspace.
fn is_about_person(kind: AuditKind) -> bool {
    match kind {
        AuditKind::SignedIn
        | AuditKind::SignInFailed
        | AuditKind::SessionsEnded
        | AuditKind::AccountCreated
        | AuditKind::AccountChanged
        | AuditKind::AccountDeleted
        | AuditKind::PasswordChanged
        | AuditKind::TwoFactorChanged
        | AuditKind::LinkChanged
        | AuditKind::TokenCreated
        | AuditKind::TokenRevoked => true,
        AuditKind::SettingChanged
        | AuditKind::CapChanged
        | AuditKind::RuleChanged
        | AuditKind::RaffleClosed
        | AuditKind::Import
        | AuditKind::Export
        | AuditKind::Deletion => false,
    }
}

/// Restrictions on the entries of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only entries of or about this person.
    pub person: Option<Person>,
    /// Only entries of this kind.
    pub kind: Option<AuditKind>,
    /// Only entries from this day in New York on.
    pub from: Option<Date>,
    /// Only entries up to this day in New York.
    pub to: Option<Date>,
}

impl AuditFilter {
    /// Reads a filter from the parameters of an address.
    ///
    /// # Errors
    /// [`WebError::Invalid`] with the name of the parameter that is wrong.
    pub fn read(
        person: Option<String>,
        kind: Option<String>,
        from: Option<String>,
        to: Option<String>,
    ) -> Result<Self, WebError> {
        let person = parameter("person", person, str::parse::<Person>)?;
        let kind = parameter("kind", kind, str::parse)?;
        let (from, to) = (parameter("from", from, day)?, parameter("to", to, day)?);
        if from.zip(to).is_some_and(|(from, to)| to < from) {
            return Err(WebError::field("to", &Invalid::new("The last day can't be before the first.")));
        }
        let person = person.filter(|person| !person.typed.is_empty());
        Ok(Self { person, kind, from, to })
    }

    /// Whether the filter drops entries of its days.
    pub fn is_sparse(&self) -> bool {
        self.person.is_some() || self.kind.is_some()
    }

    /// Whether no restriction is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the first moment of the days, and the moment after them.
    pub fn bounds(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let end = self.to.map(|to| to.tomorrow().map_or(Timestamp::MAX, start_of));
        (self.from.map(start_of), end)
    }

    /// Whether an entry of the days satisfies the other restrictions.
    pub fn admits(&self, entry: &AuditEntry) -> bool {
        self.kind.is_none_or(|kind| kind == entry.kind)
            && self.person.as_ref().is_none_or(|person| person.is_in(entry))
    }
}

fn day(text: &str) -> Result<Date, Invalid> {
    let text = text.trim();
    let invalid = || Invalid::new("Enter a date as year, month, and day, for example 2026-03-08.");
    text.parse::<Date>().ok().filter(|day| day.to_string() == text).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::identity::Actor;
    use crate::base::rng::Rng;
    use crate::shared::audit_log::AuditActor;

    fn entry(by: &str, account: Option<AccountId>, kind: AuditKind, subject: &str) -> AuditEntry {
        let at = "2026-11-29T12:00:00Z".parse().unwrap();
        let actor = AuditActor { by: Actor::new(by), account, address: None };
        AuditEntry::new(&Rng::of_system(), at, &actor, kind, subject, "Done.")
    }

    fn filter(person: &str) -> AuditFilter {
        AuditFilter::read(Some(person.to_owned()), None, None, None).unwrap()
    }

    #[test]
    fn a_person_is_found_by_account_and_by_parts_of_the_name() {
        let id = AccountId::new("2026-01-01T00:00:00Z".parse().unwrap(), &[7; 10]);
        let cap = entry("José Lee (nightly)", Some(id), AuditKind::CapChanged, "Cap of NY");
        for person in ["jose", "LEE jos", "nightly", &id.to_string()] {
            assert!(filter(person).admits(&cap), "{person}");
        }
        let other = AccountId::new("2026-01-01T00:00:00Z".parse().unwrap(), &[8; 10]);
        for person in ["ann", "cap", &other.to_string()] {
            assert!(!filter(person).admits(&cap), "{person}");
        }
        let person = filter("jose@example.com").person.unwrap();
        assert!(person.email().is_some() && !person.is_in(&cap));
        assert!(person.with_account(Some(id)).is_in(&cap));
    }

    #[test]
    fn a_person_is_found_as_the_subject_only_of_entries_about_people() {
        let account = entry("Bob", None, AuditKind::AccountCreated, "Ann Lee <ann@example.com>");
        let lead = entry("Bob", None, AuditKind::Deletion, "Ann Lee");
        assert!(filter("ann@exa").admits(&account) && !filter("ann").admits(&lead));
        let id = AccountId::new("2026-01-01T00:00:00Z".parse().unwrap(), &[7; 10]);
        let of_page = account.at_path(format!("/people/{id}"));
        assert!(filter(&id.to_string()).admits(&of_page));
    }

    #[test]
    fn parameters_are_validated_and_days_are_days_in_new_york() {
        let read = |kind: &str, from: &str, to: &str| {
            AuditFilter::read(None, Some(kind.to_owned()), Some(from.to_owned()), Some(to.to_owned()))
        };
        let (from, end) = read("cap-changed", "2026-11-01", "2026-11-01").unwrap().bounds();
        assert_eq!(from.unwrap().to_string(), "2026-11-01T04:00:00Z");
        assert_eq!(end.unwrap().to_string(), "2026-11-02T05:00:00Z");
        assert!(read("", "", "").unwrap().is_empty());
        for (kind, from, to) in
            [("x", "", ""), ("", "2026-1-1", ""), ("", "", "soon"), ("", "2026-11-02", "2026-11-01")]
        {
            assert!(matches!(read(kind, from, to), Err(WebError::Invalid(_))), "{kind} {from} {to}");
        }
        assert!(AuditFilter::read(Some("x".repeat(201)), None, None, None).is_err());
    }
}
