//! Turns cases into trials, tells them, and says at the end what could not be told.

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
use super::{axe, durations, dynamodb_local, panics, process, webdriver};

/// Cases wait for engines more than they compute, so more of them run than there are cores.
const THREADS: usize = 4;

/// A case that takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(900);

/// Browsers are heavy: with more cases at once each of them only becomes slow.
static BROWSER_STORIES: Semaphore = Semaphore::const_new(2);

/// Each host of the component keeps a core busy.
static COMPONENT_STORIES: Semaphore = Semaphore::const_new(2);

/// Tells every case that the command line asks for.
pub fn main(cases: Vec<Case>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(THREADS));
    panics::keep_places();
    let runtime =
        Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().expect("tokio starts");
    let tellings = tellings(&cases, Form::asked_for());
    let trial = |telling: &Telling| telling.trial(runtime.handle());
    if !arguments.list {
        let asked_for = |telling: &&Telling| !arguments.is_filtered_out(&trial(telling));
        let asked_for: Vec<_> = tellings.iter().filter(asked_for).collect();
        warm_up(&asked_for, runtime.handle());
    }
    let conclusion = libtest_mimic::run(&arguments, tellings.iter().map(trial).collect());
    process::end_all();
    if let Some(report) = missing_tool::report() {
        println!("{report}\n");
    }
    conclusion.exit_code()
}

/// One case on one engine, behind one front.
#[derive(Clone, Copy)]
struct Telling {
    case: Case,
    kind: Kind,
    entry: Entry,
}

/// Every case on every engine it asks for, those first that need nothing to be started.
fn tellings(cases: &[Case], form: Form) -> Vec<Telling> {
    let mut names = BTreeSet::new();
    let mut tellings = Vec::new();
    for &case in cases {
        assert!(names.insert(case.title()), "{} is listed twice", case.title());
        let settings = case.place.settings(form).iter();
        tellings.extend(settings.map(|&(kind, entry)| Telling { case, kind, entry }));
    }
    tellings.sort_by_key(|telling| (telling.case.place == Place::Browser, telling.kind, telling.entry));
    tellings
}

/// Starts what takes long to start beside the cases that do not need it.
fn warm_up(tellings: &[&Telling], runtime: &Handle) {
    if tellings.iter().any(|telling| telling.kind == Kind::DynamoDbLocal) {
        runtime.spawn(dynamodb_local::endpoint());
    }
    if tellings.iter().any(|telling| telling.needs_browser()) {
        runtime.spawn(browser_tools());
    }
    if tellings.iter().any(|telling| telling.entry == Entry::Component) {
        runtime.spawn(entry::tools());
    }
}

/// Everything a case in a browser needs.
async fn browser_tools() -> Result<(), MissingTool> {
    webdriver::address().await?;
    axe::source().await?;
    Ok(())
}

impl Telling {
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
        let (telling, runtime) = (*self, runtime.clone());
        Trial::ignorable_test(self.name(), move || {
            let start = Instant::now();
            let told = runtime.block_on(telling.tell());
            durations::note(&telling.name(), start.elapsed());
            told.map_err(|failed| telling.with_command(&failed))
        })
    }

    /// The failure with the command that tells the case again.
    fn with_command(&self, failed: &Failed) -> Failed {
        // What the run was given, and this one case needs.
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

    /// Tells the case. That it sent no Scan, that every item says in which form it is, and that no instance of the
    /// component trapped is part of every case.
    async fn tell(self) -> Result<Completion, Failed> {
        let tools = match self.entry {
            _ if self.needs_browser() => browser_tools().await,
            Entry::Component => entry::tools().await.map(drop),
            Entry::Router | Entry::Socket => Ok(()),
        };
        if let Err(missing_tool) = tools {
            return self.not_told(&missing_tool);
        }
        let _turn = match self.entry {
            _ if self.needs_browser() => Some(BROWSER_STORIES.acquire().await?),
            Entry::Component => Some(COMPONENT_STORIES.acquire().await?),
            Entry::Router | Entry::Socket => None,
        };
        let environment = match TestEnvironment::before(self.kind, self.entry, &self.case.title()).await {
            Ok(environment) => environment,
            Err(missing_tool) => return self.not_told(&missing_tool),
        };
        let outcome = steps((self.case.tell)(environment.clone())).await;
        let (scans, unnumbered) = (environment.scans(), environment.unnumbered());
        let (traps, missing_tool) = (environment.traps(), environment.missing_tool());
        environment.close().await;
        outcome?;
        if scans > 0 {
            return Err(format!("{scans} Scan was sent, and none may ever be").into());
        }
        if unnumbered > 0 {
            return Err(format!("{unnumbered} items were put without the number of their form").into());
        }
        if let Some(said) = traps {
            return Err(format!("the component trapped: {said}").into());
        }
        missing_tool.map_or(Ok(Completion::Completed), |missing_tool| self.not_told(&missing_tool))
    }

    fn not_told(self, missing_tool: &MissingTool) -> Result<Completion, Failed> {
        missing_tool::note(missing_tool, &self.name());
        if missing_tool::all_is_required() {
            return Err(format!("could not be told for want of {missing_tool}").into());
        }
        Ok(Completion::ignored_with(format!("needs {}", missing_tool.what)))
    }
}

/// Goes through a case's steps and turns a panic into its message and place.
async fn steps(case: impl Future<Output = ()>) -> Result<(), Failed> {
    let told = AssertUnwindSafe(case).catch_unwind();
    match tokio::time::timeout(LIMIT, told).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(panic)) => {
            let message = panics::message(panic.as_ref());
            Err(format!("{}\n{message}", panics::place()).into())
        }
        Err(_) => Err(format!("it was not at its end after {LIMIT:?}").into()),
    }
}
