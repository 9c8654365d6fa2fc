//! A story: a sentence for a name, the steps that show it is true, and where they are to be told.

use std::future::Future;
use std::pin::Pin;

use super::engine::Kind;
use super::front::Front;
use super::world::World;

/// A story under way. It stays on its trial's thread, so it need not be `Send`; what it spawns must.
pub type Telling = Pin<Box<dyn Future<Output = ()>>>;

/// Where a story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On dynoxide and again on DynamoDB Local.
    Both,
    /// On dynoxide alone: the engine cannot make a difference.
    Once,
    /// On dynoxide, on DynamoDB Local over a real socket, and there once more where the component answers.
    Everywhere,
    /// On dynoxide, and once more where the component answers: the engine cannot make a difference, the host of the
    /// application can.
    Hosted,
    /// On DynamoDB Local alone: what is shown is a program as it is deployed.
    Local,
    /// In a real browser, with dynoxide beneath.
    Browser,
}

/// One story; made by [`stories!`].
#[derive(Clone, Copy)]
pub struct Story {
    /// Module and function: `leads::ten_writers_lose_no_update`.
    pub module: &'static str,
    /// The function's name, which is the sentence.
    pub name: &'static str,
    /// Where it is told.
    pub place: Place,
    /// The steps.
    pub tell: fn(World) -> Telling,
}

impl Place {
    /// The engines, and what stands before the application on each.
    pub fn settings(self) -> &'static [(Kind, Front)] {
        use {Front::*, Kind::*};
        match self {
            Self::Both => &[(Dynoxide, Router), (DynamoDbLocal, Router)],
            Self::Local => &[(DynamoDbLocal, Router)],
            Self::Once | Self::Browser => &[(Dynoxide, Router)],
            Self::Everywhere => &[(Dynoxide, Router), (DynamoDbLocal, Socket), (DynamoDbLocal, Component)],
            Self::Hosted => &[(Dynoxide, Router), (DynamoDbLocal, Component)],
        }
    }
}

/// Lists the stories of a module: `stories![both: a, b; once: c; local: d; browser: e]`, or only `stories![a, b]`
/// when all of them are told on both engines.
macro_rules! stories {
    (@place both) => { $crate::support::story::Place::Both };
    (@place once) => { $crate::support::story::Place::Once };
    (@place everywhere) => { $crate::support::story::Place::Everywhere };
    (@place hosted) => { $crate::support::story::Place::Hosted };
    (@place local) => { $crate::support::story::Place::Local };
    (@place browser) => { $crate::support::story::Place::Browser };
    ($($place:ident: $($story:ident),+ $(,)?);+ $(;)?) => {
        vec![$($($crate::support::Story {
            module: module_path!(),
            name: stringify!($story),
            place: $crate::support::stories!(@place $place),
            tell: |world| Box::pin($story(world)),
        }),+),+]
    };
    ($($story:ident),+ $(,)?) => { $crate::support::stories![both: $($story),+] };
}
pub(crate) use stories;

impl Story {
    /// The name under which it is filtered and reported, without the engine.
    pub fn title(&self) -> String {
        let (_, module) = self.module.split_once("::").unwrap_or(("", self.module));
        format!("{module}::{}", self.name)
    }
}
