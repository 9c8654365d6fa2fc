//! Panics as a case's verdict: their message and place, kept for the summary of what failed.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;

thread_local! {
    /// Where this thread last panicked.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether this thread's panics are expected and not to be printed.
    static HUSHED: Cell<bool> = const { Cell::new(false) };
}

/// From now on a panic is printed as ever, and its place is kept as well.
pub fn keep_places() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |information| {
        PLACE.set(information.location().map(ToString::to_string));
        if !HUSHED.get() {
            print(information);
        }
    }));
}

/// Does `work` without printing its panics.
pub fn hushed<T>(work: impl FnOnce() -> T) -> T {
    HUSHED.set(true);
    let done = work();
    HUSHED.set(false);
    done
}

/// Where this thread last panicked: file, line and column.
pub fn place() -> String {
    PLACE.take().unwrap_or_default()
}

/// What a caught panic said.
pub fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked without a message")
}
