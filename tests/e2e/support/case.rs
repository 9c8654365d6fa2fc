//! A case: a name that is a sentence, the steps that show that it is true, and where it runs.

use std::future::Future;
use std::pin::Pin;

use super::engine::Kind;
use super::entry::Entry;
use super::environment::TestEnvironment;

/// A running case. It stays on its trial's thread, so it need not be `Send`; tasks that it spawns must be.
pub type CaseFuture = Pin<Box<dyn Future<Output = ()>>>;

/// What a case shows something about, which decides where it runs. `CONTRIBUTING.md` has the same table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The store: conditions, transactions, pages, streams, faults, races.
    Store,
    /// The same, seen through HTTP.
    Api,
    /// The product, if the store makes no difference.
    App,
    /// The product through HTTP, if the store makes no difference.
    Web,
    /// Behavior that the host of the application may change: access, headers, bodies, assets.
    Host,
    /// A case that starts its own servers, or none.
    Embedded,
    /// The programs as they are deployed.
    Deployed,
    /// Features that only DynamoDB Local has: bytes of HTTP, shards, and an address for other processes.
    DynamoDb,
    /// Pages in a real browser.
    Browser,
}

/// One case, made by [`cases!`].
#[derive(Clone, Copy)]
pub struct Case {
    /// The path of the module: `e2e::leads`.
    pub module: &'static str,
    /// The name of the function, which is the sentence.
    pub name: &'static str,
    /// Where it runs.
    pub place: Place,
    /// The steps.
    pub run: fn(TestEnvironment) -> CaseFuture,
}

impl Place {
    /// The engines and entries. The long form adds those that rarely show more.
    pub fn settings(self, form: Form) -> &'static [(Kind, Entry)] {
        const EMBEDDED: (Kind, Entry) = (Kind::Embedded, Entry::Router);
        const LOCAL: (Kind, Entry) = (Kind::DynamoDbLocal, Entry::Router);
        const SOCKET: (Kind, Entry) = (Kind::DynamoDbLocal, Entry::Socket);
        const COMPONENT: (Kind, Entry) = (Kind::DynamoDbLocal, Entry::Component);
        match (self, form) {
            (Self::Embedded | Self::Browser, _) | (Self::App | Self::Web, Form::Short) => &[EMBEDDED],
            (Self::Deployed | Self::DynamoDb, _) => &[LOCAL],
            (Self::Store, _) | (Self::App, Form::Long) => &[EMBEDDED, LOCAL],
            (Self::Api, Form::Short) => &[EMBEDDED, SOCKET],
            (Self::Host, Form::Short) => &[EMBEDDED, COMPONENT],
            (Self::Api | Self::Web | Self::Host, Form::Long) => &[EMBEDDED, SOCKET, COMPONENT],
        }
    }
}

/// How much runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The form that `cargo test` runs.
    Short,
    /// Every case on both engines, with long runs: `HOLDFAST_TESTS_LONG=1`.
    Long,
}

impl Form {
    /// The form that the variable selects.
    pub fn requested() -> Self {
        let long = std::env::var(LONG).is_ok_and(|value| value == "1");
        if long { Self::Long } else { Self::Short }
    }
}

/// The amount of work: `short`, or `long` in the long form.
pub fn scaled(short: usize, long: usize) -> usize {
    match Form::requested() {
        Form::Short => short,
        Form::Long => long,
    }
}

/// The variable that selects the long form.
pub const LONG: &str = "HOLDFAST_TESTS_LONG";

/// Lists the cases of a module, each under one word of [`Place`]: `cases![store: a, b; web: c; browser: d]`.
macro_rules! cases {
    (@place store) => { $crate::support::case::Place::Store };
    (@place api) => { $crate::support::case::Place::Api };
    (@place app) => { $crate::support::case::Place::App };
    (@place web) => { $crate::support::case::Place::Web };
    (@place host) => { $crate::support::case::Place::Host };
    (@place embedded) => { $crate::support::case::Place::Embedded };
    (@place deployed) => { $crate::support::case::Place::Deployed };
    (@place dynamodb) => { $crate::support::case::Place::DynamoDb };
    (@place browser) => { $crate::support::case::Place::Browser };
    ($($place:ident: $($case:ident),+ $(,)?);+ $(;)?) => {
        vec![$($($crate::support::Case {
            module: module_path!(),
            name: stringify!($case),
            place: $crate::support::cases!(@place $place),
            run: |environment| Box::pin($case(environment)),
        }),+),+]
    };
}
pub(crate) use cases;

impl Case {
    /// The name for filters and reports, without the engine.
    pub fn title(&self) -> String {
        let (_, module) = self.module.split_once("::").unwrap_or(("", self.module));
        format!("{module}::{}", self.name)
    }
}
