//! The table of commands and their parameters, which parses commands from JSON and from text. The help and the
//! error messages use the same table, so that they always match the parser.

use serde::Serialize;
use serde_json::Value;

use super::domain::{Command, Limit, Quoted};
use crate::base::values::Invalid;
use crate::inventory::groups::Group;
use crate::orders::domain::{NewOrder, RequestedStates};

/// A command in the table.
#[derive(Debug, Serialize)]
pub struct CommandSpec {
    /// Its name.
    pub name: &'static str,
    /// What it does, as a sentence.
    pub what: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    #[serde(skip)]
    build: fn(&mut Given<'_>) -> Option<Command>,
}

/// A parameter in the table.
#[derive(Debug, Serialize)]
pub struct Parameter {
    /// Its name; JSON may also write it in camelCase.
    pub name: &'static str,
    /// Whether the command requires it.
    pub required: bool,
    /// Its description.
    pub what: &'static str,
    /// A valid value.
    pub example: &'static str,
}

const fn required(name: &'static str, what: &'static str, example: &'static str) -> Parameter {
    Parameter { name, required: true, what, example }
}

const fn optional(name: &'static str, what: &'static str, example: &'static str) -> Parameter {
    Parameter { name, required: false, what, example }
}

const ORDER_ID: Parameter =
    required("order_id", "the order's ID, a UUID", "019f0000-0000-7000-8000-000000000000");
const REASON: Parameter = optional("reason", "only those with this reason", "unknown-sku");
const SKU: Parameter = optional("sku", "only those about this product", "85123A");
const CURSOR: Parameter =
    optional("cursor", "where to continue: the next value of the previous page", "WyJuZXdlc3QiXQ");
const LIMIT: Parameter = optional("limit", "the maximum number of entries, 1 to 100; 25 by default", "10");

/// All commands, in the order of the help.
pub static SPECS: [CommandSpec; 8] = [
    CommandSpec {
        name: "create_order",
        what: "Creates an order with the oldest available leads of each state, up to the cap.",
        parameters: &[
            required("customer_name", "the customer's name", "Acme Roofing"),
            required("customer_email", "the customer's email", "buy@acme.example"),
            required("requested_states", "states by their two-letter codes", "CA,NY,TX"),
            optional("quantity_per_state", "the most leads of each state, 1 to 1,000", "5"),
        ],
        build: |given| {
            let (name, email) = (given.text("customer_name"), given.text("customer_email"));
            let states = given.required("requested_states", states);
            let quantity = given.optional("quantity_per_state", number);
            Some(Command::CreateOrder(NewOrder {
                customer_name: name?,
                customer_email: email?,
                requested_states: states?,
                quantity_per_state: quantity?,
            }))
        },
    },
    CommandSpec {
        name: "fulfill_order",
        what: "Fulfills an order with all its leads. An order that is already fulfilled stays unchanged.",
        parameters: &[ORDER_ID],
        build: |given| Some(Command::FulfillOrder { order_id: given.text("order_id")? }),
    },
    CommandSpec {
        name: "delete_order",
        what: "Deletes an open order; its leads go back to stock.",
        parameters: &[ORDER_ID],
        build: |given| Some(Command::DeleteOrder { order_id: given.text("order_id")? }),
    },
    CommandSpec {
        name: "get_orders",
        what: "Lists orders, newest first.",
        parameters: &[optional("status", "open or fulfilled", "open"), LIMIT, CURSOR],
        build: |given| {
            let (status, limit) = (given.optional("status", text), given.optional("limit", number));
            let cursor = given.optional("cursor", text);
            Some(Command::GetOrders { status: status?, limit: limit?.unwrap_or_default(), cursor: cursor? })
        },
    },
    CommandSpec {
        name: "get_leads",
        what: "Lists leads, newest first.",
        parameters: &[
            optional(
                "status",
                "unassigned, assigned, fulfilled, or withheld; or prospect, qualified, or converted",
                "unassigned",
            ),
            optional("state", "a state by its two-letter code", "CA"),
            LIMIT,
            CURSOR,
        ],
        build: |given| {
            let (status, state) = (given.optional("status", text), given.optional("state", text));
            let limit: Option<Option<Limit>> = given.optional("limit", number);
            let cursor = given.optional("cursor", text);
            let (status, state, limit) = (status?, state?, limit?.unwrap_or_default());
            Some(Command::GetLeads { status, state, limit, cursor: cursor? })
        },
    },
    CommandSpec {
        name: "retry_dead_letters",
        what: "Retries up to 25 dead letters of the inventory, oldest first.",
        parameters: &[REASON, SKU, CURSOR],
        build: |given| {
            let group = group(given);
            let cursor = given.optional("cursor", text);
            Some(Command::RetryDeadLetters { group: group?, cursor: cursor? })
        },
    },
    CommandSpec {
        name: "dismiss_dead_letters",
        what: "Dismisses up to 25 dead letters of the inventory, oldest first.",
        parameters: &[REASON, SKU, optional("note", "why they are dismissed", "Wrong shop"), CURSOR],
        build: |given| {
            let (group, note) = (group(given), given.optional("note", text));
            let cursor = given.optional("cursor", text);
            Some(Command::DismissDeadLetters { group: group?, note: note?, cursor: cursor? })
        },
    },
    CommandSpec {
        name: "one_time_rule",
        what: "Applies an action to an order exactly once. Repeating it returns the first result.",
        parameters: &[ORDER_ID, required("action", "fulfill_order or delete_order", "fulfill_order")],
        build: |given| {
            let (order_id, action) = (given.text("order_id"), given.text("action"));
            Some(Command::OneTimeRule { order_id: order_id?, action: action? })
        },
    },
];

/// An error in a command. Without a parameter, it is about the command's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// The parameter, as given.
    pub parameter: Option<String>,
    /// What would be right, as a sentence.
    pub message: String,
}

/// Returns the command with this name.
///
/// # Errors
/// An error that lists the commands.
pub fn find(name: &str) -> Result<&'static CommandSpec, CommandError> {
    SPECS.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let names: Vec<_> = SPECS.iter().map(|spec| spec.name).collect();
        let short: String = name.chars().take(40).collect();
        let message =
            format!("There's no command {}. The commands are {} and help.", Quoted(&short), names.join(", "));
        CommandError { parameter: None, message }
    })
}

/// Parses a command. A null parameter counts as missing.
///
/// # Errors
/// All errors.
pub fn read(name: &str, parameters: &[(String, Value)]) -> Result<Command, Vec<CommandError>> {
    let spec = find(name).map_err(|wrong| vec![wrong])?;
    let mut given = Given::new(spec, parameters);
    let command = (spec.build)(&mut given);
    match command {
        Some(command) if given.wrong.is_empty() => Ok(command),
        _ => Err(given.wrong),
    }
}

impl CommandSpec {
    /// Returns the command as an example line.
    pub fn example(&self) -> String {
        let parameters = self.parameters.iter().map(|parameter| format!(" {}", parameter.example()));
        std::iter::once(self.name.to_owned()).chain(parameters).collect()
    }
}

impl Parameter {
    /// Returns the parameter as it could appear in a line.
    pub fn example(&self) -> String {
        format!("{}={}", self.name, Quoted(self.example))
    }
}

/// Converts a name to snake case: `orderId` and `order_id` are the same name.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// The given parameters, while a command is built from them.
struct Given<'a> {
    spec: &'static CommandSpec,
    values: Vec<(&'static Parameter, &'a str, &'a Value)>,
    wrong: Vec<CommandError>,
}

impl<'a> Given<'a> {
    fn new(spec: &'static CommandSpec, parameters: &'a [(String, Value)]) -> Self {
        let mut given = Self { spec, values: Vec::new(), wrong: Vec::new() };
        for (name, value) in parameters {
            let known = snake_case(name);
            match spec.parameters.iter().find(|parameter| parameter.name == known) {
                None => given.refuse(name, given.unknown()),
                Some(known) if given.values.iter().any(|(other, ..)| other.name == known.name) => {
                    given.refuse(name, "This appears twice. Send it once.".to_owned());
                }
                Some(_) if value.is_null() => {}
                Some(known) => given.values.push((known, name, value)),
            }
        }
        given
    }

    fn unknown(&self) -> String {
        let names: Vec<_> = self.spec.parameters.iter().map(|parameter| parameter.name).collect();
        format!("{} doesn't have this parameter. It takes {}.", self.spec.name, names.join(", "))
    }

    fn refuse(&mut self, name: &str, message: String) {
        self.wrong.push(CommandError { parameter: Some(name.to_owned()), message });
    }

    /// Reads an optional parameter. Returns `None` if it is invalid.
    fn optional<T>(
        &mut self,
        name: &str,
        read: impl Fn(&Value) -> Option<Result<T, Invalid>>,
    ) -> Option<Option<T>> {
        let Some((parameter, given_name, value)) =
            self.values.iter().find(|(parameter, ..)| parameter.name == name).copied()
        else {
            return Some(None);
        };
        let message = match read(value) {
            Some(Ok(value)) => return Some(Some(value)),
            Some(Err(invalid)) => invalid.to_string(),
            None => format!("This is {}, for example {}.", parameter.what, parameter.example()),
        };
        self.refuse(given_name, message);
        None
    }

    /// Reads a required parameter.
    fn required<T>(&mut self, name: &str, read: impl Fn(&Value) -> Option<Result<T, Invalid>>) -> Option<T> {
        let value = self.optional(name, read)?;
        if value.is_none()
            && let Some(missing) = self.spec.parameters.iter().find(|one| one.name == name)
        {
            let message =
                format!("This is missing. Send {}, for example {}.", missing.what, missing.example());
            self.refuse(name, message);
        }
        value
    }

    /// Reads a required text.
    fn text<T: std::str::FromStr<Err = Invalid>>(&mut self, name: &str) -> Option<T> {
        self.required(name, text)
    }
}

/// Reads which dead letters are meant.
fn group(given: &mut Given<'_>) -> Option<Group> {
    let (reason, sku) = (given.optional("reason", text), given.optional("sku", text));
    Some(Group { reason: reason?, sku: sku? })
}

/// Parses a text. Returns `None` for another JSON type.
fn text<T: std::str::FromStr<Err = Invalid>>(value: &Value) -> Option<Result<T, Invalid>> {
    value.as_str().map(str::parse)
}

/// Parses a number, which may also be written as text.
fn number<T: std::str::FromStr<Err = Invalid>>(value: &Value) -> Option<Result<T, Invalid>> {
    match value {
        Value::Number(number) => Some(number.to_string().parse()),
        value => text(value),
    }
}

/// Parses states, separated by commas or as a list.
fn states(value: &Value) -> Option<Result<RequestedStates, Invalid>> {
    let Value::Array(codes) = value else { return text(value) };
    let codes: Option<Vec<&str>> = codes.iter().map(Value::as_str).collect();
    Some(RequestedStates::parse(codes?))
}

#[cfg(test)]
mod tests;
