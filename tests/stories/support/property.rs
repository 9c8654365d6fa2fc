//! Properties whose steps need an engine: proptest's sequences told one after another.

use std::fmt::Debug;
use std::future::Future;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestError, TestRunner};

/// Tells `steps` for `cases` values of `strategy`; a panic is shrunk to the smallest value that
/// still panics, and that value is named.
pub async fn holds_for_all<S, F>(
    cases: u32,
    strategy: S,
    steps: impl Fn(S::Value) -> F + Send + 'static,
) where
    S: Strategy + Send + 'static,
    S::Value: Debug,
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Handle::current();
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    // Proptest is synchronous, so it has a thread of its own.
    let told = tokio::task::spawn_blocking(move || {
        let outcome = TestRunner::new(config).run(&strategy, |value| {
            runtime.block_on(steps(value));
            Ok(())
        });
        outcome.map_err(|error| match error {
            TestError::Fail(reason, value) => {
                format!("{reason}\nwith the smallest value {value:#?}")
            }
            TestError::Abort(reason) => format!("no values could be made: {reason}"),
        })
    });
    if let Err(failure) = told.await.expect("proptest ends in an orderly way") {
        panic!("{failure}");
    }
}
