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
        return Err(vec![at(1, 1, "Send at most 64 KB at once.")]);
    }
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    // Some editors start a file with a byte order mark.
    for (index, text) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        match read_line(number, text) {
            Ok(None) => {}
            Ok(Some(_)) if lines.len() == MAX_COMMANDS => {
                errors.push(at(number, 1, "Send at most 100 commands at once."));
                break;
            }
            Ok(Some(instruction)) => lines.push(Line { number, instruction }),
            Err(line_errors) => errors.extend(line_errors),
        }
    }
    if errors.is_empty() && lines.is_empty() {
        errors.push(at(1, 1, "There's no command here. \"help\" lists the commands."));
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
    let words =
        words.ok_or_else(|| "Enter a command, for example get_leads status=unassigned.".to_owned())?;
    if words.command == HELP {
        return Err("help does nothing. Use another command.".to_owned());
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

const COMMAND: &str = "A line must start with a command. \"help\" lists them.";
const ARGUMENT: &str =
    "Expected a parameter as name=value, a comment after a space and #, or the end of the line.";
const VALUE: &str = "Put the value after =, in quotation marks if it has spaces or quotation marks.";
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
mod tests;
