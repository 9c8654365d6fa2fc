//! The JSON API of commands, which also accepts text.
//!
//! Invariants: a text request gets a text response, even if all of it is refused. An invalid command writes
//! nothing, and its error names the parameter and says what would be right.

use axum::extract::{FromRequest as _, Request};
use http::header;
use serde_json::{Value, json};

use crate::base::fields::{self, FieldError, Fields, FromFields};
use crate::commands::Commands;
use crate::commands::grammar::{self, Instruction, LineError};
use crate::commands::script;
use crate::commands::specs::{self, CommandError, CommandSpec, SPECS};
use crate::shared::api::*;
use crate::shared::audit::Author;
use crate::web::extract::{buffer_body, content_type, idempotent_request, is_json};
use crate::web::present::AlreadyRendered;
use crate::web::request::has_idempotency_key;
use crate::web::respond::header_text;

/// Returns the routes of the API.
pub fn routes() -> Routes<Commands> {
    Routes::default().post("/api/automation/execute", Access::Agent, run)
}

/// Runs one command sent as JSON, or a whole text.
async fn run(State(commands): State<Commands>, who: SignedIn, request: Request) -> Result<Response, Problem> {
    if content_type(request.headers()) == "text/plain" {
        return Ok(answer_text(&commands, &who, request).await);
    }
    if !is_json(request.headers()) {
        return Err(WebError::MediaType("application/json or text/plain").into());
    }
    let request = JsonRequest::<Body>::from_request(request, &()).await?;
    match request.body.instruction().map_err(WebError::Invalid)? {
        Instruction::Run(command) => {
            let outcome = commands.execute(&command, &Author::from(&who), request.idempotency).await?;
            Ok(outcome.answer().into_response())
        }
        Instruction::Help(of) => Ok(help(of)),
    }
}

/// Answers with the help of one command, or of all.
fn help(of: Option<&CommandSpec>) -> Response {
    let specs: Vec<_> = SPECS.iter().filter(|spec| of.is_none_or(|of| of.name == spec.name)).collect();
    Json(json!({ "command": "help", "result": { "commands": specs } })).into_response()
}

/// Answers a request in text, also if it is refused.
async fn answer_text(commands: &Commands, who: &SignedIn, request: Request) -> Response {
    let has_key = has_idempotency_key(request.uri(), request.headers());
    let problem = |problem: Problem| if has_key { problem.of_keyed_request() } else { problem };
    run_text(commands, who, request).await.map_err(problem).unwrap_or_else(text_problem)
}

async fn run_text(commands: &Commands, who: &SignedIn, request: Request) -> Result<Response, Problem> {
    let (parts, body) = buffer_body(request).await?;
    let idempotency = idempotent_request(&parts, &body)?;
    let script =
        std::str::from_utf8(&body).map_err(|_| WebError::Malformed("The text isn't UTF-8.".to_owned()))?;
    let lines = match grammar::read(script) {
        Ok(lines) => lines,
        Err(errors) => return Ok(text(StatusCode::UNPROCESSABLE_ENTITY, list_errors(&errors))),
    };
    if let Some(idempotency) = &idempotency {
        commands.claim(idempotency, "").await?;
    }
    let until = commands.deadline();
    let results = commands.run(&lines, &Author::from(who), idempotency.as_ref(), Some(until)).await;
    let status = StatusCode::from_u16(script::status(&results)).unwrap_or(StatusCode::OK);
    Ok(text(status, script::render(&results)))
}

fn list_errors(errors: &[LineError]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

/// Renders a failure of a whole text as text.
fn text_problem(problem: Problem) -> Response {
    text(problem.status(), format!("{}\n", problem.words()))
}

fn text(status: StatusCode, body: String) -> Response {
    let mut response = (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response();
    response.extensions_mut().insert(AlreadyRendered);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, header_text("2"));
    }
    response
}

/// A command as JSON.
#[derive(Debug)]
struct Body {
    command: String,
    params: Vec<(String, Value)>,
}

impl FromFields for Body {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        // The table of commands knows all names; the empty name is not one of them.
        let command = fields.optional("command", fields::text::<String>).unwrap_or_default();
        let params = fields.object("params").unwrap_or_default().into_pairs();
        Some(Self { command, params })
    }
}

impl Body {
    fn instruction(&self) -> Result<Instruction, Vec<FieldError>> {
        let parameters = &self.params[..];
        let field = |wrong: CommandError| FieldError {
            field: wrong.parameter.map_or_else(|| "command".to_owned(), |name| format!("params.{name}")),
            message: wrong.message,
        };
        let name = self.command.as_str();
        if name != "help" {
            let command = specs::read(name, parameters).map(Instruction::Run);
            return command.map_err(|wrong| wrong.into_iter().map(field).collect());
        }
        match parameters {
            [] => Ok(Instruction::Help(None)),
            [(parameter, Value::String(name))] if parameter == "command" => specs::find(name)
                .map(|spec| Instruction::Help(Some(spec)))
                .map_err(|wrong| vec![field(wrong)]),
            [(parameter, _), ..] => {
                let message = "help takes the name of one command as command, or nothing.".to_owned();
                Err(vec![field(CommandError { parameter: Some(parameter.clone()), message })])
            }
        }
    }
}
