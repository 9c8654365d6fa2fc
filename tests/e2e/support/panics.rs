//! Panics of cases: their messages and places, for the summary of failures.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;

thread_local! {
    /// The place of this thread's last panic.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether this thread's panics are expected and not printed.
    static SILENCED: Cell<bool> = const { Cell::new(false) };
}

/// Records the places of panics and still prints panics.
pub fn keep_places() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |information| {
        PLACE.set(information.location().map(ToString::to_string));
        if !SILENCED.get() {
            print(information);
        }
    }));
}

/// Runs `work` without printing its panics.
pub fn silenced<T>(work: impl FnOnce() -> T) -> T {
    SILENCED.set(true);
    let done = work();
    SILENCED.set(false);
    done
}

/// The place of this thread's last panic: file, line and column.
pub fn place() -> String {
    PLACE.take().unwrap_or_default()
}

/// The message of a caught panic.
pub fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked without a message")
}
