//! Properties whose steps need an engine: proptest's values are tried one after another.

use std::fmt::Debug;
use std::future::Future;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestError, TestRunner};

use super::case::Form;
use super::panics;

/// The number of values: `short`, or ten times as many in the long form.
pub fn cases(short: u32) -> u32 {
    match Form::requested() {
        Form::Short => short,
        Form::Long => short.saturating_mul(10),
    }
}

/// Runs `steps` for `cases` values of `strategy`; panics with the smallest value that fails.
pub async fn holds_for_all<S, F>(cases: u32, strategy: S, steps: impl Fn(S::Value) -> F + Send + 'static)
where
    S: Strategy + Send + 'static,
    S::Value: Debug,
    F: Future<Output = ()>,
{
    if let Some(failure) = counterexample(cases, strategy, steps).await {
        panic!("{failure}");
    }
}

/// The smallest value for which `steps` panic, with the message and place; `None` if all `cases` values pass.
pub async fn counterexample<S, F>(
    cases: u32,
    strategy: S,
    steps: impl Fn(S::Value) -> F + Send + 'static,
) -> Option<String>
where
    S: Strategy + Send + 'static,
    S::Value: Debug,
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Handle::current();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    // Proptest is synchronous, so it has its own thread. It panics many times on the way to the smallest value, and
    // these panics are not printed.
    let counterexample_found = tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::new(config);
        let outcome = panics::silenced(|| {
            runner.run(&strategy, |value| {
                runtime.block_on(steps(value));
                Ok(())
            })
        });
        outcome.err().map(|error| match error {
            TestError::Fail(why, value) => {
                let place = panics::place();
                format!("{why}\nat {place}\nwith the smallest value {value:#?}")
            }
            TestError::Abort(why) => format!("no values could be made: {why}"),
        })
    });
    counterexample_found.await.expect("proptest ends in an orderly way")
}
