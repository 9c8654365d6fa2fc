//! Runs a text of commands line by line, and renders the results as text.
//!
//! Invariants: lines run in order; a failed line does not stop the others; each line has its own result. A text that
//! deletes several orders has one entry in the audit log. It is written with the first deletion, when no one knows yet
//! which later ones fail, so it says what the text asks for.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::domain::{Command, OneTimeAction};
use super::error::AutomationError;
use super::execute::{Items, OrderSummary, Outcome};
use super::grammar::{Instruction, Line};
use super::help;
use crate::base::calendar::in_new_york;
use crate::base::values::{OrderId, UsState};
use crate::commands::Commands;
use crate::inventory::groups::{Decided, RefusedRetry};
use crate::leads::domain::Lead;
use crate::orders::OrderError;
use crate::orders::domain::{Given, Order};
use crate::shared::audit::{Audited, Author};
use crate::shared::idempotency::replayed_answer;
use crate::store::idempotency::{Answer, IdempotentRequest};
use crate::web::problem::Problem;

/// The result of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineResult {
    /// The line's number.
    pub line: usize,
    /// The status that the command would have had on its own.
    pub status: u16,
    /// The command, with its result or its error.
    pub text: String,
    /// The rows below it.
    pub rows: Vec<String>,
}

impl LineResult {
    /// Returns whether the command succeeded.
    pub fn is_ok(&self) -> bool {
        self.status < 400
    }

    /// Renders the result: the number, `ok` or `failed`, the text, and the rows, indented.
    pub fn render(&self) -> String {
        let word = if self.is_ok() { "ok" } else { "failed" };
        let mut text = format!("{} {word} {}\n", self.line, self.text);
        for row in &self.rows {
            text.push_str(format!("  {row}").trim_end());
            text.push('\n');
        }
        text
    }
}

impl Commands {
    /// Saves the key of a whole text, so that it cannot be used for another one. Returns the id of the run: a
    /// repeated request gets the id of the first.
    ///
    /// # Errors
    /// [`AutomationError::KeyReused`].
    pub async fn claim(&self, idempotency: &IdempotentRequest, run: &str) -> Result<String, AutomationError> {
        let answer = Answer { status: 200, body: run.to_owned(), location: None, etag: None, about: None };
        let first = replayed_answer(idempotency.save(&self.dynamo, &answer).await?)?;
        Ok(first.unwrap_or(answer).body)
    }
}

/// How long a waiting request starts lines: a request to Lambda has 30 s, and an order may take 18 s.
const BUDGET: SignedDuration = SignedDuration::from_secs(10);

const NOT_RUN: &str = "Not run: earlier lines took too long. Run it again.";

impl Commands {
    /// Returns the time after which a request that starts now starts no more lines.
    pub fn deadline(&self) -> Timestamp {
        self.clock.now().saturating_add(BUDGET).unwrap_or(Timestamp::MAX)
    }

    /// Runs the lines that can start in time. With an idempotency key, each line has its own part of it, so that
    /// the same text sent again continues where it stopped.
    pub async fn run(
        &self,
        lines: &[Line],
        by: &Author,
        idempotency: Option<&IdempotentRequest>,
        until: Option<Timestamp>,
    ) -> Vec<LineResult> {
        let mut results = Vec::with_capacity(lines.len());
        let mut by = by.clone();
        for (at, Line { number, instruction }) in lines.iter().enumerate() {
            let (line, name) = (*number, instruction.name());
            let result = match instruction {
                Instruction::Help(of) => {
                    LineResult { line, status: 200, text: name.to_owned(), rows: help::lines(*of) }
                }
                Instruction::Run(_) if until.is_some_and(|until| self.clock.now() > until) => {
                    LineResult { line, status: 503, text: format!("{name}: {NOT_RUN}"), rows: Vec::new() }
                }
                Instruction::Run(command) => {
                    if by.audited != Audited::Covered {
                        by = by.audited(audited(&lines[at..]));
                    }
                    let done =
                        self.execute(command, &by, idempotency.map(|request| request.part(line))).await;
                    if done.is_ok() && deleted_by(command).is_some() && by.audited != Audited::Each {
                        by = by.audited(Audited::Covered);
                    }
                    match done {
                        Ok(outcome) => succeeded(line, name, &outcome),
                        Err(error) => failed(line, name, error),
                    }
                }
            };
            results.push(result);
        }
        results
    }
}

/// Returns the order that a command deletes, if it deletes one.
fn deleted_by(command: &Command) -> Option<OrderId> {
    match command {
        Command::DeleteOrder { order_id }
        | Command::OneTimeRule { order_id, action: OneTimeAction::DeleteOrder } => Some(*order_id),
        _ => None,
    }
}

/// Returns how the audit log records the deletions of the lines of a text that follow. Earlier lines deleted nothing.
fn audited(lines: &[Line]) -> Audited {
    let orders = lines.iter().filter_map(|line| match &line.instruction {
        Instruction::Run(command) => deleted_by(command),
        Instruction::Help(_) => None,
    });
    let orders: Vec<String> = orders.map(|order| order.to_string()).collect();
    if orders.len() < 2 {
        return Audited::Each;
    }
    let subject = format!("{} orders", orders.len());
    let detail = format!(
        "A run of commands asked to delete {subject}: {}. Any that it could not delete are unchanged.",
        orders.join(", ")
    );
    Audited::Bulk { subject, detail }
}

fn failed(line: usize, name: &str, error: AutomationError) -> LineResult {
    if let AutomationError::Order(OrderError::NothingToGive(given)) = &error {
        let text = format!("{name}: No leads available in these states.");
        return LineResult { line, status: 422, text, rows: given_table(given) };
    }
    let problem = Problem::from(error);
    let text = format!("{name}: {}", problem.words());
    LineResult { line, status: problem.status().as_u16(), text, rows: Vec::new() }
}

/// Describes why a command failed, in one line.
pub fn failure_words(error: AutomationError) -> String {
    Problem::from(error).words()
}

/// Describes what a command did, in one line.
pub fn outcome_words(outcome: &Outcome) -> String {
    words(outcome).0
}

fn succeeded(line: usize, name: &str, outcome: &Outcome) -> LineResult {
    let (words, rows) = words(outcome);
    LineResult { line, status: 200, text: format!("{name} {words}"), rows }
}

fn words(outcome: &Outcome) -> (String, Vec<String>) {
    match outcome {
        Outcome::CreateOrder(result) | Outcome::FulfillOrder(result) => {
            (order_words(&result.order), Vec::new())
        }
        Outcome::DeleteOrder(order) => (format!("order={} leads={}", order.id, order.lead_count), Vec::new()),
        Outcome::OneTimeRule(result) => {
            (format!("action={} {}", result.action, order_words(&result.order)), Vec::new())
        }
        Outcome::GetOrders(orders) => (count_words("orders", orders), orders_table(&orders.items)),
        Outcome::GetLeads(leads) => (count_words("leads", leads), leads_table(&leads.items)),
        Outcome::RetryDeadLetters(decided) => (decided_words("applied", decided), refused_table(decided)),
        Outcome::DismissDeadLetters(decided) => (decided_words("dismissed", decided), refused_table(decided)),
    }
}

fn order_words(order: &Order) -> String {
    let given: Vec<_> = order.given.iter().map(|given| format!("{}:{}", given.state, given.given)).collect();
    format!("order={} status={} leads={} given={}", order.id, order.status, order.lead_count, given.join(","))
}

fn count_words<T>(what: &str, list: &Items<T>) -> String {
    match &list.next {
        Some(next) => format!("{what}={} more=yes next={next}", list.items.len()),
        None => format!("{what}={} more=no", list.items.len()),
    }
}

fn decided_words(what: &str, decided: &Decided) -> String {
    let next = match &decided.next {
        Some(next) => format!("more=yes next={next}"),
        None => "more=no".to_owned(),
    };
    format!("{what}={} refused={} {next}", decided.done, decided.refused.len())
}

fn refused_table(decided: &Decided) -> Vec<String> {
    let row = |one: &RefusedRetry| [one.id.to_string(), one.reason.name.clone(), one.reason.words.clone()];
    table(["ID", "REASON", "WHY"], decided.refused.iter().map(row))
}

fn orders_table(orders: &[OrderSummary]) -> Vec<String> {
    let row = |order: &OrderSummary| {
        let states: Vec<_> = order.requested_states.as_slice().iter().map(UsState::as_str).collect();
        [
            order.id.to_string(),
            order.status.to_string(),
            order.lead_count.to_string(),
            in_new_york(order.created_at),
            order.customer_email.to_string(),
            states.join(","),
            order.customer_name.to_string(),
        ]
    };
    table(["ID", "STATUS", "LEADS", "CREATED", "EMAIL", "STATES", "NAME"], orders.iter().map(row))
}

fn leads_table(leads: &[Lead]) -> Vec<String> {
    let row = |lead: &Lead| {
        [
            lead.id.to_string(),
            lead.status.to_string(),
            lead.stock.to_string(),
            lead.state.map_or_else(|| "-".to_owned(), |state| state.to_string()),
            lead.lead_score.to_string(),
            lead.email.to_string(),
            lead.name.to_string(),
        ]
    };
    table(["ID", "STATUS", "STOCK", "STATE", "SCORE", "EMAIL", "NAME"], leads.iter().map(row))
}

fn given_table(given: &[Given]) -> Vec<String> {
    let row = |given: &Given| {
        [
            given.state.to_string(),
            given.asked.map_or_else(|| "-".to_owned(), |asked| asked.get().to_string()),
            given.in_stock_words(),
            given.cap.get().to_string(),
            given.already_out.to_string(),
            given.given.to_string(),
        ]
    };
    table(["STATE", "ASKED", "IN_STOCK", "CAP", "ALREADY_OUT", "GIVEN"], given.iter().map(row))
}

/// Formats columns below a header, for people and for `awk`: the column that may contain spaces is last.
fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Vec<String> {
    let rows: Vec<[String; N]> = rows.collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let rows = [vec![head.map(str::to_owned)], rows].concat();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Renders all results as text.
pub fn render(results: &[LineResult]) -> String {
    results.iter().map(LineResult::render).collect()
}

/// Returns the status of the first failure, or 200.
pub fn status(results: &[LineResult]) -> u16 {
    results.iter().find(|result| !result.is_ok()).map_or(200, |failed| failed.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_of_a_table_may_contain_spaces() {
        let row = |id: &str, name: &str| [id.to_owned(), name.to_owned()];
        let lines = table(["ID", "NAME"], [row("é1", "Ann Lee"), row("222", "Bo")].into_iter());
        assert_eq!(lines, ["ID   NAME", "é1   Ann Lee", "222  Bo"]);
        assert!(table(["ID", "NAME"], std::iter::empty()).is_empty());
    }

    #[test]
    fn the_status_of_a_text_is_that_of_its_first_failure() {
        let line =
            |line, status, text: &str| LineResult { line, status, text: text.to_owned(), rows: Vec::new() };
        let mut results = vec![
            line(1, 200, "get_leads leads=0 more=no"),
            line(3, 404, "fulfill_order: Order not found."),
            line(4, 422, "x"),
        ];
        results[0].rows = vec!["ID".to_owned(), String::new()];
        assert_eq!(status(&results), 404);
        assert_eq!(status(&results[..1]), 200);
        assert_eq!(
            render(&results[..2]),
            "1 ok get_leads leads=0 more=no\n  ID\n\n3 failed fulfill_order: Order not found.\n"
        );
    }
}
