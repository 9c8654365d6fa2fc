//! A gate, at which calls wait until a case opens it.

use std::sync::Arc;

use tokio::sync::watch;

use super::wait;

/// A gate at which calls wait, so that a race happens the same way every time.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    arrived: usize,
    open: bool,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Waiting::default())))
    }

    /// Waits until `count` calls wait at the gate; panics on timeout.
    pub async fn arrived(&self, count: usize) {
        let mut waiting = self.0.subscribe();
        let enough = waiting.wait_for(|waiting| waiting.arrived >= count);
        let reached = tokio::time::timeout(wait::TIMEOUT, enough).await.is_ok();
        let arrived = self.0.borrow().arrived;
        assert!(reached, "{arrived} of {count} calls reached the gate");
    }

    /// Lets all calls through, now and later.
    pub fn open(&self) {
        self.0.send_modify(|waiting| waiting.open = true);
    }

    /// Waits until the gate is open.
    pub async fn pass(&self) {
        let mut waiting = self.0.subscribe();
        self.0.send_modify(|waiting| waiting.arrived += 1);
        // This gate owns the sender, so waiting cannot fail.
        let _ = waiting.wait_for(|waiting| waiting.open).await;
    }
}
