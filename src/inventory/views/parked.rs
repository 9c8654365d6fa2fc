//! Dead letters with their reason, source and content, and the actions on them.

use std::str::FromStr;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::values::Invalid;
use crate::inventory::domain::{DeadLetter, DeadLetterStatus};
use crate::inventory::groups::{Decided, Decision, Group, ReasonName};
use crate::orders::forms::Pairs;
use crate::web::pages::{DisplayTime, PageContext};

/// The result of an action on a dead letter.
#[derive(Debug, Clone, Default)]
pub(in crate::inventory) struct ActionResult {
    /// Why the action failed.
    pub(in crate::inventory) error: Option<String>,
    /// Whether another person changed the dead letter first.
    pub(in crate::inventory) overtaken: bool,
    /// What is wrong with the note.
    pub(in crate::inventory) note_error: Option<String>,
    /// The note as typed.
    pub(in crate::inventory) note: String,
    /// Whether the action was just done.
    pub(in crate::inventory) done: bool,
}

/// A dead letter as pages show it.
#[derive(Debug, Clone)]
pub(in crate::inventory) struct DeadLetterView {
    id: String,
    words: String,
    reason: String,
    source: String,
    sku: Option<String>,
    message_id: Option<String>,
    bytes: u64,
    /// The hash of the whole message, if only its beginning is kept.
    sha256: Option<String>,
    status: DeadLetterStatus,
    version: u64,
    stored: DisplayTime,
    updated: DisplayTime,
    by: Option<String>,
    note: Option<String>,
    /// The message, if it is short enough to show.
    content: Option<String>,
    /// Whether the content is in base64 because it is not text.
    encoded: bool,
    result: ActionResult,
}

impl DeadLetterView {
    pub(in crate::inventory) fn of(dead_letter: &DeadLetter, raw: Option<Vec<u8>>) -> Self {
        let (content, encoded) = match raw.map(String::from_utf8) {
            None => (None, false),
            Some(Ok(text)) => (Some(text), false),
            Some(Err(bytes)) => (Some(STANDARD.encode(bytes.as_bytes())), true),
        };
        Self {
            id: dead_letter.id.to_string(),
            words: dead_letter.reason.words.clone(),
            reason: dead_letter.reason.name.clone(),
            source: dead_letter.source.to_string(),
            sku: dead_letter.sku.as_ref().map(ToString::to_string),
            message_id: dead_letter.message_id.as_ref().map(ToString::to_string),
            bytes: dead_letter.bytes,
            sha256: dead_letter.sha256.clone(),
            status: dead_letter.status,
            version: dead_letter.version.get(),
            stored: dead_letter.parked_at.into(),
            updated: dead_letter.updated_at.into(),
            by: dead_letter.by.as_ref().map(ToString::to_string),
            note: dead_letter.note.as_ref().map(ToString::to_string),
            content,
            encoded,
            result: ActionResult::default(),
        }
    }

    pub(in crate::inventory) fn with_result(self, result: ActionResult) -> Self {
        Self { result, ..self }
    }

    fn is_open(&self) -> bool {
        self.status == DeadLetterStatus::Open
    }

    fn label(&self) -> &'static str {
        match self.status {
            DeadLetterStatus::Open => "Open",
            DeadLetterStatus::Applied => "Applied",
            DeadLetterStatus::Dismissed => "Dismissed",
        }
    }

    /// Returns a name that tells it from others.
    fn name(&self) -> &str {
        self.message_id.as_deref().unwrap_or(&self.source)
    }
}

/// The form for a group of dead letters as typed, with its result.
#[derive(Debug, Clone, Default)]
pub(in crate::inventory) struct GroupView {
    reason: String,
    sku: String,
    note: String,
    decision: String,
    error: Option<String>,
    outcome: Option<String>,
    /// The cursor of the next request.
    next: Option<String>,
}

impl GroupView {
    pub(in crate::inventory) fn typed(form: &Pairs) -> Self {
        let text = |name: &str| form.get(name).unwrap_or_default().trim().to_owned();
        let (reason, sku, note) = (text("reason"), text("sku"), text("note"));
        Self { reason, sku, note, decision: text("decision"), ..Self::default() }
    }

    /// Parses the form.
    ///
    /// # Errors
    /// If a field is invalid.
    pub(in crate::inventory) fn read(&self) -> Result<(Group, Decision), Invalid> {
        let group = Group { reason: optional(&self.reason)?, sku: optional(&self.sku)? };
        let decision = match self.decision.as_str() {
            "retry" => Decision::Retry,
            "dismiss" => Decision::Dismiss(optional(&self.note)?),
            _ => return Err(Invalid::new("Choose whether to retry them or to dismiss them.")),
        };
        Ok((group, decision))
    }

    /// Adds an error to the form.
    pub(in crate::inventory) fn refused(self, invalid: &Invalid) -> Self {
        Self { error: Some(invalid.to_string()), ..self }
    }

    /// Adds the result to the form.
    pub(in crate::inventory) fn done(self, decided: &Decided) -> Self {
        let what = if self.decision == "retry" { "applied" } else { "dismissed" };
        let left = match decided.refused.len() {
            0 => String::new(),
            left => format!(" {left} still cannot be applied, and stay."),
        };
        let outcome = format!("{} were {what}.{left}", decided.done);
        Self { outcome: Some(outcome), next: decided.next.clone(), ..self }
    }

    /// Returns the reasons to choose from, and which one is selected.
    fn reasons(&self) -> [(&'static str, bool); ReasonName::ALL.len()] {
        ReasonName::ALL.map(|name| (name.as_str(), name.as_str() == self.reason))
    }
}

fn optional<T: FromStr<Err = Invalid>>(text: &str) -> Result<Option<T>, Invalid> {
    Some(text).filter(|text| !text.is_empty()).map(str::parse).transpose()
}

/// `GET /inventory/parked`
#[derive(Template)]
#[template(path = "inventory/parked.html", blocks = ["rows"])]
pub(in crate::inventory) struct DeadLetterListPage {
    pub(in crate::inventory) context: PageContext,
    pub(in crate::inventory) status: DeadLetterStatus,
    pub(in crate::inventory) dead_letters: Vec<DeadLetterView>,
    pub(in crate::inventory) next: Option<String>,
    /// The form for a group.
    pub(in crate::inventory) group: GroupView,
}

impl DeadLetterListPage {
    /// The dead letters of one page.
    pub(in crate::inventory) const LIMIT: u16 = 25;

    /// Returns the tabs: label, address, and whether it is the current one.
    fn tabs(&self) -> [(&'static str, &'static str, bool); 3] {
        let tab = |status: DeadLetterStatus, label, address| (label, address, status == self.status);
        [
            tab(DeadLetterStatus::Open, "Open", "/inventory/parked"),
            tab(DeadLetterStatus::Applied, "Applied", "/inventory/parked?status=APPLIED"),
            tab(DeadLetterStatus::Dismissed, "Dismissed", "/inventory/parked?status=DISMISSED"),
        ]
    }

    fn is_open_list(&self) -> bool {
        self.status == DeadLetterStatus::Open
    }

    fn more(&self) -> Option<String> {
        let pairs = [("status", self.status.as_str()), ("cursor", self.next.as_deref()?)];
        Some(format!("/inventory/parked?{}", serde_urlencoded::to_string(pairs).ok()?))
    }
}

/// `GET /inventory/parked/{id}`
#[derive(Template)]
#[template(path = "inventory/parked_one.html")]
pub(in crate::inventory) struct SingleDeadLetterPage {
    pub(in crate::inventory) context: PageContext,
    pub(in crate::inventory) one: DeadLetterView,
}

/// A single dead letter, as in the list.
#[derive(Template)]
#[template(path = "inventory/_parked.html")]
pub(in crate::inventory) struct DeadLetterFragment {
    pub(in crate::inventory) context: PageContext,
    pub(in crate::inventory) one: DeadLetterView,
}
