//! Turns cases into trials, runs them, and lists the cases that could not run.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Semaphore;

use super::case::{Case, Form, LONG, Place};
use super::engine::Kind;
use super::entry::{self, Entry};
use super::environment::TestEnvironment;
use super::missing_tool::{self, MissingTool};
use super::{axe, dynamodb_local, panics, process, records, webdriver};

/// Cases mostly wait for engines, so more of them run at once than there are cores.
const THREADS: usize = 4;

/// A case that runs longer than this has failed.
const LIMIT: Duration = Duration::from_secs(900);

/// Browsers are heavy: with more of them at once, each one only becomes slower.
static BROWSER_CASES: Semaphore = Semaphore::const_new(2);

/// Each host of the component keeps a core busy.
static COMPONENT_CASES: Semaphore = Semaphore::const_new(2);

/// Runs every case that the command line asks for.
pub fn main(cases: Vec<Case>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(THREADS));
    panics::keep_places();
    let runtime =
        Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().expect("tokio starts");
    let case_runs = case_runs(&cases, Form::requested());
    let trial = |case_run: &CaseRun| case_run.trial(runtime.handle());
    if !arguments.list {
        let requested = |case_run: &&CaseRun| !arguments.is_filtered_out(&trial(case_run));
        let requested: Vec<_> = case_runs.iter().filter(requested).collect();
        warm_up(&requested, runtime.handle());
    }
    let conclusion = libtest_mimic::run(&arguments, case_runs.iter().map(trial).collect());
    process::end_all();
    if let Some(report) = missing_tool::report() {
        println!("{report}\n");
    }
    conclusion.exit_code()
}

/// One case on one engine with one entry.
#[derive(Clone, Copy)]
struct CaseRun {
    case: Case,
    kind: Kind,
    entry: Entry,
}

/// Every case on every engine that it needs. Cases without external tools come first.
fn case_runs(cases: &[Case], form: Form) -> Vec<CaseRun> {
    let mut names = BTreeSet::new();
    let mut case_runs = Vec::new();
    for &case in cases {
        assert!(names.insert(case.title()), "{} is listed twice", case.title());
        let settings = case.place.settings(form).iter();
        case_runs.extend(settings.map(|&(kind, entry)| CaseRun { case, kind, entry }));
    }
    case_runs.sort_by_key(|case_run| (case_run.case.place == Place::Browser, case_run.kind, case_run.entry));
    case_runs
}

/// Starts the slow tools in the background while other cases run.
fn warm_up(case_runs: &[&CaseRun], runtime: &Handle) {
    if case_runs.iter().any(|case_run| case_run.kind == Kind::DynamoDbLocal) {
        runtime.spawn(dynamodb_local::endpoint());
    }
    if case_runs.iter().any(|case_run| case_run.needs_browser()) {
        runtime.spawn(browser_tools());
    }
    if case_runs.iter().any(|case_run| case_run.entry == Entry::Component) {
        runtime.spawn(entry::tools());
    }
}

/// The tools for a case in a browser.
async fn browser_tools() -> Result<(), MissingTool> {
    webdriver::address().await?;
    axe::source().await?;
    Ok(())
}

impl CaseRun {
    fn name(&self) -> String {
        format!("{} [{}]", self.case.title(), self.label())
    }

    fn label(&self) -> &'static str {
        match self.entry {
            _ if self.needs_browser() => "browser",
            Entry::Component => "component",
            Entry::Router | Entry::Socket => self.kind.label(),
        }
    }

    fn needs_browser(&self) -> bool {
        self.case.place == Place::Browser
    }

    fn trial(&self, runtime: &Handle) -> Trial {
        let (case_run, runtime) = (*self, runtime.clone());
        Trial::ignorable_test(self.name(), move || {
            let start = Instant::now();
            let result = runtime.block_on(case_run.run());
            records::note(&case_run.name(), start.elapsed());
            result.map_err(|failed| {
                let failed = case_run.with_command(&failed);
                records::note_failure(&case_run.name(), failed.message().unwrap_or_default());
                failed
            })
        })
    }

    /// Adds the command that runs the case again to a failure.
    fn with_command(&self, failed: &Failed) -> Failed {
        // Variables of this run that the case needs.
        let needed = match self.entry {
            Entry::Component => &["HOLDFAST_COMPONENT", "WASMTIME"][..],
            _ if self.case.place == Place::Deployed => &["HOLDFAST_BOOTSTRAPS"],
            Entry::Router | Entry::Socket => &[],
        };
        let set = [LONG].iter().chain(needed).filter_map(|name| Some((name, std::env::var(name).ok()?)));
        let set: String = set.map(|(name, value)| format!("{name}='{value}' ")).collect();
        let message = failed.message().unwrap_or("it failed");
        let name = self.name();
        format!("{message}\n\nto run it again: {set}cargo test --test e2e -- --exact '{name}'").into()
    }

    /// Runs the case. Every case also checks that no Scan was sent, that every item has a schema version, and that
    /// no instance of the component trapped.
    async fn run(self) -> Result<Completion, Failed> {
        let tools = match self.entry {
            _ if self.needs_browser() => browser_tools().await,
            Entry::Component => entry::tools().await.map(drop),
            Entry::Router | Entry::Socket => Ok(()),
        };
        if let Err(missing_tool) = tools {
            return self.skip(&missing_tool);
        }
        let _permit = match self.entry {
            _ if self.needs_browser() => Some(BROWSER_CASES.acquire().await?),
            Entry::Component => Some(COMPONENT_CASES.acquire().await?),
            Entry::Router | Entry::Socket => None,
        };
        let environment = match TestEnvironment::with_entry(self.kind, self.entry, &self.case.title()).await {
            Ok(environment) => environment,
            Err(missing_tool) => return self.skip(&missing_tool),
        };
        let outcome = steps((self.case.run)(environment.clone())).await;
        let (scans, without_schema) = (environment.scans(), environment.without_schema());
        let (traps, missing_tool) = (environment.traps(), environment.missing_tool());
        environment.close().await;
        outcome?;
        if scans > 0 {
            return Err(format!("{scans} Scans were sent, which is never allowed").into());
        }
        if without_schema > 0 {
            return Err(format!("{without_schema} items were put without a schema version").into());
        }
        if let Some(output) = traps {
            return Err(format!("the component trapped: {output}").into());
        }
        missing_tool.map_or(Ok(Completion::Completed), |missing_tool| self.skip(&missing_tool))
    }

    fn skip(self, missing_tool: &MissingTool) -> Result<Completion, Failed> {
        missing_tool::note(missing_tool, &self.name());
        if missing_tool::all_is_required() {
            return Err(format!("could not run without {missing_tool}").into());
        }
        Ok(Completion::ignored_with(format!("needs {}", missing_tool.what)))
    }
}

/// Runs the steps of a case and turns a panic into its message and place.
async fn steps(case: impl Future<Output = ()>) -> Result<(), Failed> {
    let result = AssertUnwindSafe(case).catch_unwind();
    match tokio::time::timeout(LIMIT, result).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(panic)) => {
            let message = panics::message(panic.as_ref());
            Err(format!("{}\n{message}", panics::place()).into())
        }
        Err(_) => Err(format!("it did not end within {LIMIT:?}").into()),
    }
}
