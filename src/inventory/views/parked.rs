//! Parked messages: each with its reason, its source and itself, and what can be done with it.

use std::str::FromStr;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::values::Invalid;
use crate::inventory::domain::{Parked, ParkedStatus};
use crate::inventory::groups::{Decided, Decision, Group, ReasonName};
use crate::orders::forms::Pairs;
use crate::web::pages::{DisplayTime, PageContext};

/// What came of trying to do something with a parked message, for where it is shown.
#[derive(Debug, Clone, Default)]
pub(in crate::inventory) struct Retried {
    /// Why it was not done, in words.
    pub(in crate::inventory) error: Option<String>,
    /// Whether somebody else was faster.
    pub(in crate::inventory) overtaken: bool,
    /// What is wrong with the note, in words.
    pub(in crate::inventory) note_error: Option<String>,
    /// The note as it was typed.
    pub(in crate::inventory) note: String,
    /// Whether it was done just now.
    pub(in crate::inventory) done: bool,
}

/// A parked message as pages show it.
#[derive(Debug, Clone)]
pub(in crate::inventory) struct ParkedView {
    id: String,
    words: String,
    reason: String,
    source: String,
    sku: Option<String>,
    message_id: Option<String>,
    bytes: u64,
    /// The hash of all of it, where only its beginning is kept.
    sha256: Option<String>,
    status: ParkedStatus,
    version: u64,
    parked: DisplayTime,
    updated: DisplayTime,
    by: Option<String>,
    note: Option<String>,
    /// The message itself, where it is short enough for where it is shown.
    content: Option<String>,
    /// Whether it is no text and stands in base64.
    encoded: bool,
    tried: Retried,
}

impl ParkedView {
    pub(in crate::inventory) fn of(parked: &Parked, raw: Option<Vec<u8>>) -> Self {
        let (content, encoded) = match raw.map(String::from_utf8) {
            None => (None, false),
            Some(Ok(text)) => (Some(text), false),
            Some(Err(bytes)) => (Some(STANDARD.encode(bytes.as_bytes())), true),
        };
        Self {
            id: parked.id.to_string(),
            words: parked.reason.words.clone(),
            reason: parked.reason.name.clone(),
            source: parked.source.to_string(),
            sku: parked.sku.as_ref().map(ToString::to_string),
            message_id: parked.message_id.as_ref().map(ToString::to_string),
            bytes: parked.bytes,
            sha256: parked.sha256.clone(),
            status: parked.status,
            version: parked.version.get(),
            parked: parked.parked_at.into(),
            updated: parked.updated_at.into(),
            by: parked.by.as_ref().map(ToString::to_string),
            note: parked.note.as_ref().map(ToString::to_string),
            content,
            encoded,
            tried: Retried::default(),
        }
    }

    pub(in crate::inventory) fn tried(self, tried: Retried) -> Self {
        Self { tried, ..self }
    }

    fn is_open(&self) -> bool {
        self.status == ParkedStatus::Open
    }

    fn label(&self) -> &'static str {
        match self.status {
            ParkedStatus::Open => "Open",
            ParkedStatus::Applied => "Applied",
            ParkedStatus::Dismissed => "Dismissed",
        }
    }

    /// What it is called where several are spoken of.
    fn name(&self) -> &str {
        self.message_id.as_deref().unwrap_or(&self.source)
    }
}

/// The form with which several are decided about, as it was typed, and what came of it.
#[derive(Debug, Clone, Default)]
pub(in crate::inventory) struct GroupView {
    reason: String,
    sku: String,
    note: String,
    decision: String,
    /// What is wrong with it, in words.
    error: Option<String>,
    /// What came of it, in words.
    outcome: Option<String>,
    /// Where the next request goes on.
    next: Option<String>,
}

impl GroupView {
    pub(in crate::inventory) fn typed(form: &Pairs) -> Self {
        let text = |name: &str| form.get(name).unwrap_or_default().trim().to_owned();
        let (reason, sku, note) = (text("reason"), text("sku"), text("note"));
        Self { reason, sku, note, decision: text("decision"), ..Self::default() }
    }

    /// What is to be decided.
    ///
    /// # Errors
    /// What is wrong with the form, in words.
    pub(in crate::inventory) fn read(&self) -> Result<(Group, Decision), Invalid> {
        let group = Group { reason: given(&self.reason)?, sku: given(&self.sku)? };
        let decision = match self.decision.as_str() {
            "retry" => Decision::Retry,
            "dismiss" => Decision::Dismiss(given(&self.note)?),
            _ => return Err(Invalid::new("Choose whether to retry them or to dismiss them.")),
        };
        Ok((group, decision))
    }

    /// The form with what is wrong with it.
    pub(in crate::inventory) fn refused(self, invalid: &Invalid) -> Self {
        Self { error: Some(invalid.to_string()), ..self }
    }

    /// The form with what came of it.
    pub(in crate::inventory) fn done(self, decided: &Decided) -> Self {
        let what = if self.decision == "retry" { "applied" } else { "dismissed" };
        let left = match decided.refused.len() {
            0 => String::new(),
            left => format!(" {left} still cannot be applied, and stay."),
        };
        let outcome = format!("{} were {what}.{left}", decided.done);
        Self { outcome: Some(outcome), next: decided.next.clone(), ..self }
    }

    /// The reasons to choose from.
    fn reasons(&self) -> [(&'static str, bool); ReasonName::ALL.len()] {
        ReasonName::ALL.map(|name| (name.as_str(), name.as_str() == self.reason))
    }
}

fn given<T: FromStr<Err = Invalid>>(text: &str) -> Result<Option<T>, Invalid> {
    Some(text).filter(|text| !text.is_empty()).map(str::parse).transpose()
}

/// `GET /inventory/parked`
#[derive(Template)]
#[template(path = "inventory/parked.html", blocks = ["rows"])]
pub(in crate::inventory) struct ParkedListPage {
    pub(in crate::inventory) context: PageContext,
    pub(in crate::inventory) status: ParkedStatus,
    pub(in crate::inventory) parked: Vec<ParkedView>,
    /// The cursor of the next page.
    pub(in crate::inventory) next: Option<String>,
    /// The form for several at once.
    pub(in crate::inventory) group: GroupView,
}

impl ParkedListPage {
    /// The messages of a page.
    pub(in crate::inventory) const LIMIT: u16 = 25;

    /// The lists, each with its name and address.
    fn tabs(&self) -> [(&'static str, &'static str, bool); 3] {
        let tab = |status: ParkedStatus, label, address| (label, address, status == self.status);
        [
            tab(ParkedStatus::Open, "Open", "/inventory/parked"),
            tab(ParkedStatus::Applied, "Applied", "/inventory/parked?status=APPLIED"),
            tab(ParkedStatus::Dismissed, "Dismissed", "/inventory/parked?status=DISMISSED"),
        ]
    }

    fn is_of_open(&self) -> bool {
        self.status == ParkedStatus::Open
    }

    fn more(&self) -> Option<String> {
        let pairs = [("status", self.status.as_str()), ("cursor", self.next.as_deref()?)];
        Some(format!("/inventory/parked?{}", serde_urlencoded::to_string(pairs).ok()?))
    }
}

/// `GET /inventory/parked/{id}`
#[derive(Template)]
#[template(path = "inventory/parked_one.html")]
pub(in crate::inventory) struct OneParkedPage {
    pub(in crate::inventory) context: PageContext,
    pub(in crate::inventory) one: ParkedView,
}

/// A parked message alone, in the place where it stands on its page.
#[derive(Template)]
#[template(path = "inventory/_parked.html")]
pub(in crate::inventory) struct ParkedPart {
    pub(in crate::inventory) context: PageContext,
    pub(in crate::inventory) one: ParkedView,
}
