//! The text grammar of commands: one per line, parameters as `name=value`, comments after `#`.
//!
//! Invariants: a whole text is parsed before any of it runs. An error names its line and column, and the parameter
//! if there is one, and says what would be right.

use std::fmt;

use serde_json::Value;
use winnow::Parser;
use winnow::combinator::{alt, cut_err, delimited, eof, opt, preceded, repeat, terminated};
use winnow::error::{ContextError, ModalResult, StrContext, StrContextValue};
use winnow::stream::LocatingSlice;
use winnow::token::{rest, take_while};

use super::domain::Command;
use super::specs::{self, CommandError, CommandSpec};

/// The maximum number of commands in a text.
pub const MAX_COMMANDS: usize = 100;
/// The maximum size of a text in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// The instruction in a line.
#[derive(Debug, Clone)]
pub enum Instruction {
    /// Run a command.
    Run(Command),
    /// Show the help of this command, or of all commands.
    Help(Option<&'static CommandSpec>),
}

impl Instruction {
    /// Returns the command's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run(command) => command.name(),
            Self::Help(_) => HELP,
        }
    }
}

/// An instruction with its line number.
#[derive(Debug, Clone)]
pub struct Line {
    /// The line's number, from 1.
    pub number: usize,
    /// The instruction.
    pub instruction: Instruction,
}

/// An error in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// The line's number, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The parameter that has the error, if any.
    pub parameter: Option<String>,
    /// What would be right, as a sentence.
    pub message: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if let Some(parameter) = &self.parameter {
            write!(f, ", {parameter}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Not a real command: it describes the others.
const HELP: &str = "help";

/// Parses a text.
///
/// # Errors
/// All errors, in line order.
pub fn read(text: &str) -> Result<Vec<Line>, Vec<LineError>> {
    let at = |line, column, message: &str| LineError {
        line,
        column,
        parameter: None,
        message: message.to_owned(),
    };
    if text.len() > MAX_BYTES {
        return Err(vec![at(1, 1, "The text is too long; send at most 64 KB at once.")]);
    }
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    // Some editors start a file with a byte order mark.
    for (index, text) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        match read_line(number, text) {
            Ok(None) => {}
            Ok(Some(_)) if lines.len() == MAX_COMMANDS => {
                errors.push(at(
                    number,
                    1,
                    "A text has at most 100 commands; send the others in another one.",
                ));
                break;
            }
            Ok(Some(instruction)) => lines.push(Line { number, instruction }),
            Err(line_errors) => errors.extend(line_errors),
        }
    }
    if errors.is_empty() && lines.is_empty() {
        errors.push(at(1, 1, "There is no command here; \"help\" lists the commands."));
    }
    if errors.is_empty() { Ok(lines) } else { Err(errors) }
}

fn read_line(line: usize, text: &str) -> Result<Option<Instruction>, Vec<LineError>> {
    let column = |offset: usize| text.get(..offset).map_or(1, |before| before.chars().count() + 1);
    let error = |offset, parameter, message| LineError { line, column: column(offset), parameter, message };
    let words = match words.parse(LocatingSlice::new(text)) {
        Ok(words) => words,
        Err(parse_error) => {
            return Err(vec![error(parse_error.offset(), None, expected(parse_error.inner()))]);
        }
    };
    let Some(words) = words else { return Ok(None) };
    instruction(&words).map(Some).map_err(|wrong| {
        let place = |wrong: &CommandError| {
            let of = |argument: &&Argument| Some(&argument.name) == wrong.parameter.as_ref();
            words.arguments.iter().rev().find(of).map_or(words.offset, |argument| argument.offset)
        };
        wrong.into_iter().map(|wrong| error(place(&wrong), wrong.parameter, wrong.message)).collect()
    })
}

fn instruction(words: &Words) -> Result<Instruction, Vec<CommandError>> {
    let wrong = |parameter: Option<&Argument>, message: String| {
        vec![CommandError { parameter: parameter.map(|argument| argument.name.clone()), message }]
    };
    if words.command == HELP {
        return match words.arguments.as_slice() {
            [] => Ok(Instruction::Help(None)),
            [Argument { name, value: None, .. }] => {
                specs::find(name).map(|spec| Instruction::Help(Some(spec))).map_err(|wrong| vec![wrong])
            }
            [.., last] => {
                Err(wrong(Some(last), "help takes the name of one command, or nothing.".to_owned()))
            }
        };
    }
    let spec = specs::find(&words.command).map_err(|wrong| vec![wrong])?;
    if let Some(bare) = words.arguments.iter().find(|argument| argument.value.is_none()) {
        let message =
            format!("{} takes parameters as name=value, for example {}.", spec.name, spec.example());
        return Err(wrong(Some(bare), message));
    }
    let parameter =
        |argument: &Argument| Some((argument.name.clone(), Value::String(argument.value.clone()?)));
    let parameters: Vec<_> = words.arguments.iter().filter_map(parameter).collect();
    specs::read(&words.command, &parameters).map(Instruction::Run)
}

/// Parses the name and the parameters of a command without reading the values: a rule fills in placeholders later.
///
/// # Errors
/// The error as text.
pub fn parse_unfilled(text: &str) -> Result<(String, Vec<(String, String)>), String> {
    let words = words.parse(LocatingSlice::new(text)).map_err(|parse_error| expected(parse_error.inner()))?;
    let words = words.ok_or_else(|| "Give a command, for example get_leads status=unassigned.".to_owned())?;
    if words.command == HELP {
        return Err("help does nothing; give a command that does.".to_owned());
    }
    let spec = specs::find(&words.command).map_err(|wrong| wrong.message)?;
    let parameter = |argument: Argument| {
        let Argument { name, value, .. } = argument;
        let words =
            || format!("{} takes parameters as name=value, for example {}.", spec.name, spec.example());
        value.map(|value| (name, value)).ok_or_else(words)
    };
    let parameters = words.arguments.into_iter().map(parameter).collect::<Result<_, _>>()?;
    Ok((words.command, parameters))
}

/// The words of a line.
#[derive(Debug, PartialEq, Eq)]
struct Words {
    offset: usize,
    command: String,
    arguments: Vec<Argument>,
}

/// A parameter in a line; after `help`, only a name.
#[derive(Debug, PartialEq, Eq)]
struct Argument {
    offset: usize,
    name: String,
    value: Option<String>,
}

type Input<'a> = LocatingSlice<&'a str>;

const COMMAND: &str = "A line begins with the name of a command; \"help\" lists them.";
const ARGUMENT: &str =
    "Expected a parameter as name=value, a comment after a space and #, or the end of the line.";
const VALUE: &str = "After = comes the value, in quotation marks if it has spaces or quotation marks.";
const ESCAPE: &str =
    "Within quotation marks, write \\\" for \" and \\\\ for \\; \\ cannot precede anything else.";
const CLOSING: &str = "The quotation mark at the end of the value is missing.";

fn sentence(sentence: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(sentence))
}

/// Returns what would be right at the position where the parser stopped.
fn expected(error: &ContextError) -> String {
    let sentences = error.context().filter_map(|context| match context {
        StrContext::Expected(StrContextValue::Description(sentence)) => Some((*sentence).to_owned()),
        _ => None,
    });
    sentences.into_iter().next().unwrap_or_else(|| ARGUMENT.to_owned())
}

/// Parses a whole line: nothing, a comment, or a command with its parameters.
fn words(input: &mut Input<'_>) -> ModalResult<Option<Words>> {
    let empty = (opt(comment), eof).map(|_| None);
    let command = (name.with_span(), repeat(0.., preceded(spaces, argument)))
        .map(|((command, span), arguments)| Some(Words { offset: span.start, command, arguments }));
    let command = terminated(command, cut_err(end).context(sentence(ARGUMENT)));
    preceded(space, alt((empty, command))).context(sentence(COMMAND)).parse_next(input)
}

/// Parses the end of a line after the last word.
fn end(input: &mut Input<'_>) -> ModalResult<()> {
    alt(((spaces, comment).void(), space.void())).parse_next(input)?;
    eof.void().parse_next(input)
}

fn comment(input: &mut Input<'_>) -> ModalResult<()> {
    ('#', rest).void().parse_next(input)
}

fn space(input: &mut Input<'_>) -> ModalResult<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

fn spaces(input: &mut Input<'_>) -> ModalResult<()> {
    take_while(1.., char::is_whitespace).void().parse_next(input)
}

fn name(input: &mut Input<'_>) -> ModalResult<String> {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    take_while(1.., is_of_name).map(str::to_owned).parse_next(input)
}

fn argument(input: &mut Input<'_>) -> ModalResult<Argument> {
    let value = opt(preceded('=', cut_err(value)));
    (name.with_span(), value)
        .map(|((name, span), value)| Argument { offset: span.start, name, value })
        .parse_next(input)
}

fn value(input: &mut Input<'_>) -> ModalResult<String> {
    let bare = take_while(1.., |c: char| !c.is_whitespace() && c != '"').map(str::to_owned);
    alt((quoted, bare)).context(sentence(VALUE)).parse_next(input)
}

fn quoted(input: &mut Input<'_>) -> ModalResult<String> {
    let escaped = preceded('\\', cut_err(alt(('"', '\\'))).context(sentence(ESCAPE)));
    let plain = take_while(1.., |c: char| !matches!(c, '"' | '\\'));
    let piece = alt((plain.map(str::to_owned), escaped.map(String::from)));
    let pieces = repeat(0.., piece).fold(String::new, |text, piece| text + &piece);
    delimited('"', pieces, cut_err('"').context(sentence(CLOSING))).parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::values::{OrderId, UsState};
    use crate::commands::domain::{CursorText, Limit, OneTimeAction, StatusOrStock};
    use crate::orders::domain::{NewOrder, OrderStatus, Quantity, RequestedStates};
    use proptest::prelude::*;

    fn commands(text: &str) -> Vec<String> {
        let lines = read(text).unwrap_or_else(|errors| panic!("{text:?}: {errors:?}"));
        let written = |line: &Line| match &line.instruction {
            Instruction::Run(command) => format!("{} {command}", line.number),
            Instruction::Help(of) => format!("{} help {}", line.number, of.map_or("", |spec| spec.name)),
        };
        lines.iter().map(written).collect()
    }

    fn errors(text: &str) -> Vec<String> {
        let errors = read(text).err().unwrap_or_else(|| panic!("{text:?} is right"));
        errors.iter().map(LineError::to_string).collect()
    }

    #[test]
    fn quotes_comments_and_all_line_endings_are_parsed() {
        for (text, read) in [
            ("get_leads", vec!["1 get_leads limit=25"]),
            ("\u{feff}  get_leads\tstate=ca  ", vec!["1 get_leads state=CA limit=25"]),
            ("# a comment\r\n\r\nget_leads limit=1 # and why\r\n", vec!["3 get_leads limit=1"]),
            ("get_leads#", vec![]),
            ("help\nhelp get_leads # what?", vec!["1 help ", "2 help get_leads"]),
            (
                r#"create_order customerName="Al \"Ace\" \\ Sons # 1" customer_email=a#b@acme.example requested_states="CA, ny CA""#,
                vec![
                    r#"1 create_order customer_name="Al \"Ace\" \\ Sons # 1" customer_email=a#b@acme.example requested_states=CA,NY"#,
                ],
            ),
        ] {
            match read.as_slice() {
                [] => assert!(super::read(text).is_err(), "{text:?}"),
                read => assert_eq!(commands(text), read, "{text:?}"),
            }
        }
    }

    #[test]
    fn errors_name_the_line_column_and_parameter_and_what_would_be_right() {
        for (text, message) in [
            ("", "line 1, column 1: There is no command here"),
            ("# nothing\n\n", "line 1, column 1: There is no command here"),
            ("=", "line 1, column 1: A line begins with the name of a command"),
            ("get_leads\n  \"get_leads\"", "line 2, column 3: A line begins with the name of a command"),
            ("  fulfil_order order_id=1", "line 1, column 3: There is no command fulfil_order; there are"),
            ("get_leads state=XX", "line 1, column 11, state: This is not a US state"),
            ("\n\nget_leads limit=1 staat=CA", "line 3, column 19, staat: get_leads has no such parameter"),
            ("get_leads state", "line 1, column 11, state: get_leads takes parameters as name=value"),
            ("get_leads state=", "line 1, column 17: After = comes the value"),
            ("get_leads state= CA", "line 1, column 17: After = comes the value"),
            (
                "get_leads state=\"CA",
                "line 1, column 20: The quotation mark at the end of the value is missing.",
            ),
            ("get_leads state=\"C\\A\"", "line 1, column 20: Within quotation marks"),
            ("get_leads state=\"CA\"limit=1", "line 1, column 21: Expected a parameter"),
            ("get_leads state=C\"A", "line 1, column 18: Expected a parameter"),
            ("get_leads é=1 ?", "line 1, column 15: Expected a parameter"),
            ("get_leads state=CA state=NY", "line 1, column 20, state: This is given twice"),
            ("fulfill_order", "line 1, column 1, order_id: This is missing; give the order's id"),
            ("help me", "line 1, column 1: There is no command me; there are"),
            (
                "help get_leads get_orders",
                "line 1, column 16, get_orders: help takes the name of one command",
            ),
        ] {
            let found = errors(text);
            assert!(found[0].starts_with(message), "{text:?}: {found:?}");
            assert!(found[0].ends_with('.'), "{found:?}");
        }
        let both = errors("get_leads state=XX limit=0\nget_leads\nhelp me");
        assert_eq!(both.len(), 3, "{both:?}");
    }

    #[test]
    fn a_long_text_is_refused() {
        assert_eq!(commands(&"get_leads\n".repeat(MAX_COMMANDS)).len(), MAX_COMMANDS);
        let one_more = errors(&"get_leads\n".repeat(MAX_COMMANDS + 1));
        assert_eq!(
            one_more,
            ["line 101, column 1: A text has at most 100 commands; send the others in another one."]
        );
        assert!(errors(&"#".repeat(MAX_BYTES + 1))[0].contains("64 KB"));
        assert!(read(&format!("get_leads {}", "#".repeat(MAX_BYTES - 10))).is_ok());
    }

    fn order_ids() -> impl Strategy<Value = OrderId> {
        any::<[u8; 10]>().prop_map(|random| OrderId::new(jiff::Timestamp::UNIX_EPOCH, &random))
    }

    fn states() -> impl Strategy<Value = UsState> {
        prop::sample::select(UsState::all().collect::<Vec<_>>())
    }

    fn limits() -> impl Strategy<Value = Limit> {
        (1..=100_u16).prop_map(|limit| limit.to_string().parse().expect("a limit"))
    }

    fn orders() -> impl Strategy<Value = Command> {
        let names = "[^\\p{C}]{1,40}".prop_filter_map("a name", |name| name.parse().ok());
        let emails = "[a-z#'+\\\\]{1,9}@[a-z]{1,9}\\.example"
            .prop_filter_map("an address", |email| email.parse().ok());
        let requested = prop::collection::vec(states(), 1..8);
        let requested = requested.prop_map(|states| RequestedStates::try_from(states).expect("one at least"));
        let quantity =
            prop::option::of((1..=1000_i64).prop_map(|one| Quantity::try_from(one).expect("a quantity")));
        (names, emails, requested, quantity).prop_map(
            |(customer_name, customer_email, requested_states, quantity_per_state)| {
                Command::CreateOrder(NewOrder {
                    customer_name,
                    customer_email,
                    requested_states,
                    quantity_per_state,
                })
            },
        )
    }

    fn cursors() -> impl Strategy<Value = Option<CursorText>> {
        prop::option::of("[A-Za-z0-9_-]{1,40}".prop_map(|text| text.parse().expect("a cursor")))
    }

    fn any_command() -> impl Strategy<Value = Command> {
        let of_orders = prop::option::of(prop::sample::select(OrderStatus::ALL.to_vec()));
        let names = ["prospect", "QUALIFIED", "converted", "unassigned", "assigned", "fulfilled"];
        let of_leads =
            prop::sample::select(names.map(|name| name.parse::<StatusOrStock>().expect("a status")).to_vec());
        let actions = prop::sample::select(vec![OneTimeAction::FulfillOrder, OneTimeAction::DeleteOrder]);
        prop_oneof![
            orders(),
            order_ids().prop_map(|order_id| Command::FulfillOrder { order_id }),
            order_ids().prop_map(|order_id| Command::DeleteOrder { order_id }),
            (of_orders, limits(), cursors()).prop_map(|(status, limit, cursor)| Command::GetOrders {
                status,
                limit,
                cursor
            }),
            (prop::option::of(of_leads), prop::option::of(states()), limits(), cursors()).prop_map(
                |(status, state, limit, cursor)| Command::GetLeads { status, state, limit, cursor }
            ),
            (order_ids(), actions).prop_map(|(order_id, action)| Command::OneTimeRule { order_id, action }),
        ]
    }

    proptest! {
        #[test]
        fn a_command_round_trips_through_its_line(command in any_command()) {
            let line = command.to_string();
            let read = read(&line);
            let Ok([Line { instruction: Instruction::Run(same), .. }]) = read.as_deref() else {
                panic!("{line}: {read:?}");
            };
            prop_assert_eq!(same, &command, "{}", line);
        }

        #[test]
        fn any_text_is_parsed_or_refused_with_a_message(text in "\\PC*|[a-z_]{1,9}( [a-z_]{1,9}=?[\"\\\\a-zA-Z ,#]{0,9}){0,3}") {
            if let Err(errors) = read(&text) {
                for error in errors {
                    prop_assert!(error.message.ends_with('.') && error.line >= 1 && error.column >= 1, "{}", error);
                }
            }
        }
    }
}
