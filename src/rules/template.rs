//! The command of a rule: a line with placeholders for fields of the event, such as `{orderId}`. Pure.
//!
//! Invariants: a value of an event is never parsed as syntax, regardless of its characters; a stored line can be
//! valid for some event of its rule.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events::{Event, EventKind};
use crate::base::values::{Invalid, text_value};
use crate::commands::domain::Command;
use crate::commands::grammar;
use crate::commands::specs::{self, CommandError};

/// A command with placeholders for fields of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommandLine(String);

impl CommandLine {
    const MAX_CHARS: usize = 1_000;

    /// Returns the line as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks that some event of this kind can produce a valid command.
    ///
    /// # Errors
    /// The error: a placeholder that such an event does not fill, or a parameter that can never be valid.
    pub fn check(&self, kind: EventKind) -> Result<(), Invalid> {
        let sample =
            |field: &str| kind.fields().iter().find(|(name, _)| *name == field).map(|(_, value)| *value);
        self.filled(sample, |_, placeholder| unknown_placeholder(placeholder, kind)).map(drop)
    }

    /// Returns the command for an event.
    ///
    /// # Errors
    /// Why the event does not produce a valid command.
    pub fn command(&self, event: &Event) -> Result<Command, Invalid> {
        self.filled(
            |field| event.get(field),
            |parameter, placeholder| {
                Invalid::new(format!("{parameter}: This {} has no {{{placeholder}}}.", event.kind))
            },
        )
    }

    /// Fills in the placeholders and parses the command. `missing` is the error for a placeholder of a parameter that
    /// has no value.
    fn filled<'a>(
        &self,
        value: impl Fn(&str) -> Option<&'a str>,
        missing: impl Fn(&str, &str) -> Invalid,
    ) -> Result<Command, Invalid> {
        let (name, parameters) = grammar::parse_unfilled(&self.0).map_err(Invalid::new)?;
        let mut filled = Vec::new();
        for (parameter, text) in parameters {
            let text = fill(&text, &value).map_err(|placeholder| missing(&parameter, &placeholder))?;
            filled.push((parameter, Value::String(text)));
        }
        specs::read(&name, &filled).map_err(|wrong| Invalid::new(message_of(&wrong)))
    }
}

impl FromStr for CommandLine {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.chars().count() > Self::MAX_CHARS || text.chars().any(char::is_control) {
            return Err(Invalid::new("A rule's command must be one line of at most 1,000 characters."));
        }
        grammar::parse_unfilled(text).map_err(Invalid::new)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(CommandLine);

fn message_of(wrong: &[CommandError]) -> String {
    let words = wrong.iter().map(|wrong| match &wrong.parameter {
        Some(parameter) => format!("{parameter}: {}", wrong.message),
        None => wrong.message.clone(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn unknown_placeholder(placeholder: &str, kind: EventKind) -> Invalid {
    let offered: Vec<_> = kind.fields().iter().map(|(name, _)| format!("{{{name}}}")).collect();
    let offer = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
    Invalid::new(format!("{kind} has no {{{placeholder}}}. It offers {offer}."))
}

/// Replaces each `{name}` in a text, or returns the first name without a value. Other braces are plain text.
fn fill<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let placeholder = behind.split_once('}').filter(|(name, _)| is_name(name));
        let Some((name, after)) = placeholder else {
            filled.push('{');
            rest = behind;
            continue;
        };
        filled.push_str(value(&camel_case(name)).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Converts a name to camel case: `order_id` and `orderId` are the same name.
fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let mut letters = part.chars();
        let head = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &head.into_iter().chain(letters).collect::<String>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(text: &str) -> CommandLine {
        text.parse().unwrap_or_else(|invalid| panic!("{text}: {invalid}"))
    }

    fn event(kind: EventKind) -> Event {
        let fields = kind.fields().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Event {
            id: "1".to_owned(),
            kind,
            at: jiff::Timestamp::UNIX_EPOCH,
            depth: 0,
            fields: fields.collect(),
        }
    }

    #[test]
    fn placeholders_are_filled_from_the_event() {
        for (kind, text, command) in [
            (
                EventKind::OrderCreated,
                "fulfill_order order_id={orderId}",
                "fulfill_order order_id=019f0000-0000-7000-8000-000000000000",
            ),
            (
                EventKind::OrderDeleted,
                "create_order customerName=\"{customer_name} again\" customer_email={customerEmail} requested_states={states} quantity_per_state={quantity}",
                "create_order customer_name=\"Acme Roofing again\" customer_email=buy@acme.example requested_states=CA,NY quantity_per_state=5",
            ),
            (EventKind::StockLow, "get_leads state={state}", "get_leads state=NY limit=25"),
            (
                EventKind::Schedule,
                "create_order customer_name=\"{a b} {\" customer_email=a@b.example requested_states=NY",
                "create_order customer_name=\"{a b} {\" customer_email=a@b.example requested_states=NY",
            ),
        ] {
            line(text).check(kind).unwrap_or_else(|invalid| panic!("{text}: {invalid}"));
            assert_eq!(line(text).command(&event(kind)).unwrap().to_string(), command);
        }
    }

    #[test]
    fn a_command_that_can_never_be_valid_is_refused() {
        for (kind, text, words) in [
            (
                EventKind::LeadCreated,
                "fulfill_order order_id={orderId}",
                "lead.created has no {orderId}. It offers {leadId}",
            ),
            (EventKind::Schedule, "get_leads state={state}", "every has no {state}. It offers nothing."),
            (
                EventKind::LeadCreated,
                "fulfill_order order_id={state}",
                "order_id: The ID of an order is a UUID",
            ),
            (EventKind::LeadCreated, "get_leads state=XX", "state: This isn't a US state"),
            (EventKind::OrderCreated, "delete_order", "order_id: This is missing"),
            (
                EventKind::OrderCreated,
                "delete_order orderId={orderId} why=x",
                "why: delete_order doesn't have this",
            ),
        ] {
            let invalid = line(text).check(kind).expect_err(text).to_string();
            assert!(invalid.contains(words), "{text}: {invalid}");
        }
        for text in [
            "",
            "# nothing",
            "help",
            "sing loudly=yes",
            "get_leads state",
            "get_leads\nget_leads",
            "get_leads state=\"x",
        ] {
            let invalid = text.parse::<CommandLine>().expect_err(text).to_string();
            assert!(invalid.ends_with('.'), "{text}: {invalid}");
        }
    }

    #[test]
    fn a_missing_event_field_is_an_error() {
        let mut event = event(EventKind::LeadCreated);
        event.fields.remove("state");
        let invalid = line("get_leads state={state}").command(&event).unwrap_err().to_string();
        assert_eq!(invalid, "state: This lead.created has no {state}.");
    }

    proptest! {
        #[test]
        fn an_event_field_is_never_parsed_as_syntax(name in "[a-z\"\\\\{}=# ]{1,40}") {
            let mut event = event(EventKind::OrderDeleted);
            event.fields.insert("customerName".to_owned(), name.clone());
            let line = line("create_order customer_name={customerName} customer_email=a@b.example requested_states=NY");
            if let (Ok(Command::CreateOrder(new)), Ok(name)) = (line.command(&event), name.parse::<crate::orders::domain::CustomerName>()) {
                prop_assert_eq!(new.customer_name, name);
            }
        }
    }
}
