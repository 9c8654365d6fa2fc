//! The JSON API of commands, which also speaks text.
//!
//! What always holds: whoever sends text is answered in text, also where all of it is refused; a command that is not
//! right names the parameter and what would be right, and nothing is written.

use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::grammar::{self, Instruction, LineError};
use super::specs::{self, SPECS, Wrong};
use super::{execute, script};
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::error::{AppError, Problem, Said};
use crate::fields::{self, Fields, FromFields};
use crate::orders::domain::By;
use crate::web::access::{Access, Routes};
use crate::web::extract::{FieldError, JsonRequest, WebError, content_type, is_json, once_only, whole};
use crate::web::respond::header_text;

/// The routes of the API.
pub fn routes(app: &App) -> Routes {
    Routes::new(app).post("/api/automation/execute", Access::Agent, run)
}

/// Does one command, sent as JSON, or all of a text.
async fn run(State(app): State<App>, who: SignedIn, request: Request) -> Result<Response, AppError> {
    if content_type(request.headers()) == "text/plain" {
        return Ok(run_text(&app, &who, request).await.unwrap_or_else(refused));
    }
    if !is_json(request.headers()) {
        return Err(WebError::MediaType("application/json or text/plain").into());
    }
    let request = JsonRequest::<Body>::from_request(request, &app).await?;
    match request.body.instruction().map_err(WebError::Invalid)? {
        Instruction::Run(command) => {
            Ok(execute(&app, &command, &By::from(who.actor()), request.once).await?.answer().into_response())
        }
        Instruction::Help(of) => {
            let specs: Vec<_> =
                SPECS.iter().filter(|spec| of.is_none_or(|of| of.name == spec.name)).collect();
            Ok(axum::Json(json!({ "command": "help", "result": { "commands": specs } })).into_response())
        }
    }
}

async fn run_text(app: &App, who: &SignedIn, request: Request) -> Result<Response, AppError> {
    let (parts, body) = whole(request, app).await?;
    let once = once_only(&parts, &body, app.clock.now())?;
    let commands =
        std::str::from_utf8(&body).map_err(|_| WebError::Malformed("The text is not UTF-8.".to_owned()))?;
    let lines = match grammar::read(commands) {
        Ok(lines) => lines,
        Err(errors) => return Ok(text(StatusCode::UNPROCESSABLE_ENTITY, mistakes(&errors))),
    };
    if let Some(once) = &once {
        script::claim(app, once, "").await?;
    }
    let until = script::deadline(app);
    let results = script::run(app, &lines, &By::from(who.actor()), once.as_ref(), Some(until)).await;
    let status = StatusCode::from_u16(script::status(&results)).unwrap_or(StatusCode::OK);
    Ok(text(status, script::render(&results)))
}

fn mistakes(errors: &[LineError]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

/// A failure of the whole text, in text.
fn refused(error: AppError) -> Response {
    let problem = Problem::from(error);
    text(problem.status(), format!("{}\n", problem.words()))
}

fn text(status: StatusCode, body: String) -> Response {
    let mut response = (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response();
    response.extensions_mut().insert(Said);
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
        // The table of commands says what a command is; an empty one is none of them.
        let command = fields.optional("command", fields::text::<String>).unwrap_or_default();
        let params = fields.object("params").unwrap_or_default().into_pairs();
        Some(Self { command, params })
    }
}

impl Body {
    fn instruction(&self) -> Result<Instruction, Vec<FieldError>> {
        let parameters = &self.params[..];
        let field = |wrong: Wrong| FieldError {
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
                Err(vec![field(Wrong { parameter: Some(parameter.clone()), message })])
            }
        }
    }
}
