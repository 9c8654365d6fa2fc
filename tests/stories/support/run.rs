//! Turns stories into trials, tells them, and says at the end what could not be told.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Semaphore;

use super::absence::{self, Absence};
use super::engine::Kind;
use super::front::{self, Front};
use super::story::{Form, LONG, Place, Story};
use super::world::World;
use super::{axe, durations, dynamodb_local, panics, process, webdriver};

/// Stories wait for engines more than they compute, so more of them run than there are cores.
const THREADS: usize = 4;

/// A story that takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(900);

/// Browsers are heavy: with more stories at once each of them only becomes slow.
static BROWSER_STORIES: Semaphore = Semaphore::const_new(2);

/// Each host of the component keeps a core busy.
static COMPONENT_STORIES: Semaphore = Semaphore::const_new(2);

/// Tells every story that the command line asks for.
pub fn main(stories: Vec<Story>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(THREADS));
    panics::keep_places();
    let runtime =
        Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().expect("tokio starts");
    let tellings = tellings(&stories, Form::asked_for());
    let trial = |telling: &Telling| telling.trial(runtime.handle());
    if !arguments.list {
        let asked_for = |telling: &&Telling| !arguments.is_filtered_out(&trial(telling));
        let asked_for: Vec<_> = tellings.iter().filter(asked_for).collect();
        warm_up(&asked_for, runtime.handle());
    }
    let conclusion = libtest_mimic::run(&arguments, tellings.iter().map(trial).collect());
    process::end_all();
    if let Some(report) = absence::report() {
        println!("{report}\n");
    }
    conclusion.exit_code()
}

/// One story on one engine, behind one front.
#[derive(Clone, Copy)]
struct Telling {
    story: Story,
    kind: Kind,
    front: Front,
}

/// Every story on every engine it asks for, those first that need nothing to be started.
fn tellings(stories: &[Story], form: Form) -> Vec<Telling> {
    let mut names = BTreeSet::new();
    let mut tellings = Vec::new();
    for &story in stories {
        assert!(names.insert(story.title()), "{} is listed twice", story.title());
        let settings = story.place.settings(form).iter();
        tellings.extend(settings.map(|&(kind, front)| Telling { story, kind, front }));
    }
    tellings.sort_by_key(|telling| (telling.story.place == Place::Browser, telling.kind, telling.front));
    tellings
}

/// Starts what takes long to start beside the stories that do not need it.
fn warm_up(tellings: &[&Telling], runtime: &Handle) {
    if tellings.iter().any(|telling| telling.kind == Kind::DynamoDbLocal) {
        runtime.spawn(dynamodb_local::endpoint());
    }
    if tellings.iter().any(|telling| telling.needs_browser()) {
        runtime.spawn(browser_tools());
    }
    if tellings.iter().any(|telling| telling.front == Front::Component) {
        runtime.spawn(front::tools());
    }
}

/// Everything a story in a browser needs.
async fn browser_tools() -> Result<(), Absence> {
    webdriver::address().await?;
    axe::source().await?;
    Ok(())
}

impl Telling {
    fn name(&self) -> String {
        format!("{} [{}]", self.story.title(), self.label())
    }

    fn label(&self) -> &'static str {
        match self.front {
            _ if self.needs_browser() => "browser",
            Front::Component => "component",
            Front::Router | Front::Socket => self.kind.label(),
        }
    }

    fn needs_browser(&self) -> bool {
        self.story.place == Place::Browser
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

    /// The failure with the command that tells the story again.
    fn with_command(&self, failed: &Failed) -> Failed {
        // What the run was given, and this one story needs.
        let needed = match self.front {
            Front::Component => &["HOLDFAST_COMPONENT", "WASMTIME"][..],
            _ if self.story.place == Place::Deployed => &["HOLDFAST_BOOTSTRAPS"],
            Front::Router | Front::Socket => &[],
        };
        let set = [LONG].iter().chain(needed).filter_map(|name| Some((name, std::env::var(name).ok()?)));
        let set: String = set.map(|(name, value)| format!("{name}='{value}' ")).collect();
        let message = failed.message().unwrap_or("it failed");
        let name = self.name();
        format!("{message}\n\nto run it again: {set}cargo test --test stories -- --exact '{name}'").into()
    }

    /// Tells the story. That it sent no Scan, that every item says in which form it is, and that no instance of the
    /// component trapped is part of every story.
    async fn tell(self) -> Result<Completion, Failed> {
        let tools = match self.front {
            _ if self.needs_browser() => browser_tools().await,
            Front::Component => front::tools().await.map(drop),
            Front::Router | Front::Socket => Ok(()),
        };
        if let Err(absence) = tools {
            return self.not_told(&absence);
        }
        let _turn = match self.front {
            _ if self.needs_browser() => Some(BROWSER_STORIES.acquire().await?),
            Front::Component => Some(COMPONENT_STORIES.acquire().await?),
            Front::Router | Front::Socket => None,
        };
        let world = match World::before(self.kind, self.front, &self.story.title()).await {
            Ok(world) => world,
            Err(absence) => return self.not_told(&absence),
        };
        let outcome = steps((self.story.tell)(world.clone())).await;
        let (scans, unnumbered) = (world.scans(), world.unnumbered());
        let (traps, absence) = (world.traps(), world.absence());
        world.close().await;
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
        absence.map_or(Ok(Completion::Completed), |absence| self.not_told(&absence))
    }

    fn not_told(self, absence: &Absence) -> Result<Completion, Failed> {
        absence::note(absence, &self.name());
        if absence::all_is_required() {
            return Err(format!("could not be told for want of {absence}").into());
        }
        Ok(Completion::ignored_with(format!("needs {}", absence.what)))
    }
}

/// Goes through a story's steps and turns a panic into its message and place.
async fn steps(story: impl Future<Output = ()>) -> Result<(), Failed> {
    let told = AssertUnwindSafe(story).catch_unwind();
    match tokio::time::timeout(LIMIT, told).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(panic)) => {
            let message = panics::message(panic.as_ref());
            Err(format!("{}\n{message}", panics::place()).into())
        }
        Err(_) => Err(format!("it was not at its end after {LIMIT:?}").into()),
    }
}
