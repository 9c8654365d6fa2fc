//! A case: a sentence for a name, the steps that show it is true, and where they are to be told.

use std::future::Future;
use std::pin::Pin;

use super::engine::Kind;
use super::entry::Entry;
use super::environment::TestEnvironment;

/// A case under way. It stays on its trial's thread, so it need not be `Send`; what it spawns must.
pub type Telling = Pin<Box<dyn Future<Output = ()>>>;

/// What a case shows something about, and so where it is told. `CONTRIBUTING.md` has the same table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The store: conditions, transactions, pages, streams, faults, races.
    Store,
    /// The same, seen through HTTP.
    Api,
    /// The product, where the store makes no difference.
    App,
    /// The product through HTTP, where the store makes no difference.
    Web,
    /// What the host of the application may change: access, headers, bodies, assets.
    Host,
    /// Neither: it starts servers of its own, or none.
    Embedded,
    /// The programs as they are deployed.
    Deployed,
    /// What only DynamoDB Local has: bytes of HTTP, shards, and an address for processes of their own.
    DynamoDb,
    /// Pages in a real browser.
    Browser,
}

/// One case; made by [`cases!`].
#[derive(Clone, Copy)]
pub struct Case {
    /// Module and function: `leads::ten_writers_lose_no_update`.
    pub module: &'static str,
    /// The function's name, which is the sentence.
    pub name: &'static str,
    /// Where it is told.
    pub place: Place,
    /// The steps.
    pub tell: fn(TestEnvironment) -> Telling,
}

impl Place {
    /// The engines, and what stands before the application on each. The long form adds those that rarely tell more.
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

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// What `cargo test` tells.
    Short,
    /// Every case on both engines, with long runs: `HOLDFAST_TESTS_LONG=1`.
    Long,
}

impl Form {
    /// The form that the environment asks for.
    pub fn asked_for() -> Self {
        let long = std::env::var(LONG).is_ok_and(|value| value == "1");
        if long { Self::Long } else { Self::Short }
    }
}

/// How much of something is done: `short`, and in the long form `long`.
pub fn scaled(short: usize, long: usize) -> usize {
    match Form::asked_for() {
        Form::Short => short,
        Form::Long => long,
    }
}

/// The variable that asks for the long form.
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
            tell: |environment| Box::pin($case(environment)),
        }),+),+]
    };
}
pub(crate) use cases;

impl Case {
    /// The name under which it is filtered and reported, without the engine.
    pub fn title(&self) -> String {
        let (_, module) = self.module.split_once("::").unwrap_or(("", self.module));
        format!("{module}::{}", self.name)
    }
}
