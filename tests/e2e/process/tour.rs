//! The five-minute tour of `README.md`, as a person pastes it into a shell.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::binary::{Data, Run};
use crate::support::missing_tool::MissingTool;
use crate::support::process::{free_port, on_path};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![embedded: the_tour_of_the_readme_does_what_it_says]
}

/// The limit for the tour on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(180);

/// The port that the tour uses. The case replaces it with a free one.
const PORT: &str = "3100";

/// A line that the case prints after each block.
const END: &str = "===== end of a block";

/// Runs the built program in place of cargo. The server of the tour ends with this shell, even if the shell is killed.
const CARGO: &str = r#"
cargo() {
  [[ $1 == run ]] || return 0
  until [[ $1 == -- ]]; do shift; done
  shift
  if [[ $BASHPID == $$ ]]; then "$PROGRAM" "$@"; return; fi
  local self=$BASHPID
  (while kill -0 $$ && kill -0 "$self"; do sleep 1; done; kill "$self") >/dev/null 2>&1 &
  exec "$PROGRAM" "$@"
}
"#;

async fn the_tour_of_the_readme_does_what_it_says(environment: TestEnvironment) {
    for what in ["bash", "curl", "jq"] {
        if on_path(what).is_none() {
            let (why, remedy) = ("it is not on the PATH".to_owned(), "Install it");
            return environment.report_missing(MissingTool { what, why, remedy });
        }
    }
    let port = free_port().unwrap().to_string();
    let data = Data::new();
    data.make();
    let run = start(&port, &data);
    assert_eq!(run.ended_within(TIMEOUT).await, Some(0), "{} {}", run.out(), run.err());
    let out = run.out();
    let printed: Vec<&str> = out.split(END).collect();
    let [server, changes, race, order, stock, raffle, command, stop, rest] = printed[..] else {
        panic!("the tour has other blocks: {out}");
    };
    assert!(server.contains("\"ok\"") && server.contains("Added Ann Lee <ann@example.com>"), "{server}");
    breaks_a_rule_and_then_changes_the_lead(&json_in(changes));
    loses_a_race_and_continues(&json_in(race));
    sells_the_lead_once(&json_in(order));
    counts_each_message_once(&json_in(stock));
    draws_a_sold_ticket(raffle);
    assert!(command.trim_start().starts_with("1 ok get_leads leads=1 more=no\n"), "{command}");
    assert!(command.contains(&format!("http://127.0.0.1:{port}/sign-in/link/")), "{command}");
    assert_eq!((stop.trim(), rest.trim()), ("", ""));
}

/// Starts the tour with its own port, and with its data in this directory.
fn start(port: &str, data: &Data) -> Run {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let end = format!("echo '{END}'\n");
    let tour = shell_blocks(&readme, "## A five-minute tour").join(end.as_str());
    assert_eq!(tour.matches(PORT).count(), 2, "the tour names its port in its first lines: {tour}");
    // The shell has started the server, so it knows how the server ended.
    let script = format!("{CARGO}{}{end}wait \"$SERVER\"\n", tour.replace(PORT, port));
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &script]).env("PROGRAM", env!("CARGO_BIN_EXE_holdfast"));
    command.env("TMPDIR", data.path()).env("no_proxy", "127.0.0.1");
    Run::start(command, "")
}

/// The shell blocks of a section, in order.
fn shell_blocks<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let (_, section) = text.split_once(&format!("\n{heading}\n")).expect("the document has this section");
    let section = section.split("\n## ").next().unwrap_or_default();
    section.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The JSON documents that a block prints.
fn json_in(printed: &str) -> Vec<Value> {
    let documents = serde_json::Deserializer::from_str(printed).into_iter::<Value>();
    documents.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {printed}"))
}

fn breaks_a_rule_and_then_changes_the_lead(printed: &[Value]) {
    let [refused, changed] = printed else { panic!("{printed:?}") };
    assert_eq!((&refused["status"], &refused["rule"]), (&json!(422), &json!("convert-needs-score")));
    assert!(refused["detail"].is_string(), "{refused}");
    assert_eq!(changed, &json!({ "leadScore": 85, "version": 2 }));
}

fn loses_a_race_and_continues(printed: &[Value]) {
    let [lost, changed] = printed else { panic!("{printed:?}") };
    assert_eq!(lost["status"], 409, "{lost}");
    assert_eq!((&lost["fresh"]["version"], &lost["fresh"]["leadScore"]), (&json!(2), &json!(85)));
    assert_eq!(lost["changes"].as_array().map(Vec::len), Some(1), "one change was missed: {lost}");
    assert_eq!(changed, &json!({ "status": "CONVERTED", "version": 3 }));
}

fn sells_the_lead_once(printed: &[Value]) {
    let [second, first] = printed else { panic!("{printed:?}") };
    assert_eq!(second["status"], 422, "{second}");
    assert_eq!((&second["given"][0]["state"], &second["given"][0]["given"]), (&json!("NY"), &json!(0)));
    assert_eq!((&first["status"], &first["leadCount"]), (&json!("FULFILLED"), &json!(1)));
    assert!(first["fulfilledAt"].is_string(), "{first}");
}

fn counts_each_message_once(printed: &[Value]) {
    let [receipt, repeated, sale] = printed else { panic!("{printed:?}") };
    assert_eq!((&receipt["outcome"], &receipt["after"]), (&json!("APPLIED"), &json!(12)));
    assert_eq!(repeated["outcome"], "DUPLICATE", "{repeated}");
    assert_eq!(sale["outcome"], "PARKED", "{sale}");
    assert!(sale["reason"].is_string(), "{sale}");
}

fn draws_a_sold_ticket(printed: &str) {
    let lines: Vec<&str> = printed.trim().lines().collect();
    let [numbers, winner, proof @ ..] = &lines[..] else { panic!("{printed}") };
    let documents = json_in(&format!("{numbers}\n{winner}"));
    let [numbers, winner] = &documents[..] else { panic!("{printed}") };
    assert_eq!(numbers.as_array().map(Vec::len), Some(2), "{printed}");
    assert!(numbers.as_array().is_some_and(|bought| bought.contains(&winner["number"])), "{printed}");
    assert!(proof.iter().any(|line| line.starts_with("The proof holds.")), "{printed}");
}
