//! Budgets of attempts in the table. Each is one item that expires with its window.

use super::{Budget, Step, Throttled, Window};
use crate::accounts::AccountError;
use crate::accounts::Accounts;
use crate::accounts::sign_in_audit::SignInSubject;
use crate::store::schema::TTL;
use crate::store::{
    Condition, GuardedWrite, Key, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};

const COUNT: &str = "count";
const REFUSED: &str = "refused";

/// How often a write is tried if other requests change its budgets. Two attempts suffice unless a window ends.
const MAX_TRIES: usize = 6;

impl Budget {
    /// Returns the item's key. Only the key of an email address contains `@`, so keys are unambiguous.
    fn key(&self) -> Key {
        let name = match self {
            Self::Email(email) => email.key(),
            Self::Device(account, device) => format!("DEVICE#{account}#{device}"),
            Self::SignedIn(account) => format!("SIGNED-IN#{account}"),
            Self::Code(account) => format!("CODE#{account}"),
            Self::NewAddress(account) => format!("NEW-ADDRESS#{account}"),
            Self::Network(network) => format!("NETWORK#{network}"),
        };
        Key::new(format!("ATTEMPTS#{name}"), "ATTEMPTS")
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Device(..) => "device",
            Self::SignedIn(_) => "signed-in",
            Self::Code(_) => "code",
            Self::NewAddress(_) => "new address",
            Self::Network(_) => "network",
        }
    }

    /// Adds one more attempt to a write, on the condition that the budget has attempts left.
    fn write(&self, step: Step, now: i64, write: GuardedWrite) -> Result<GuardedWrite, StoreError> {
        Ok(match step {
            Step::Open(window) => {
                let is_over = Condition::LessThan(TTL, to_attribute(now.saturating_add(1))?);
                let none = Condition::Any(vec![Condition::Absent, is_over]);
                write.put(self.label(), to_item(&self.key(), &window)?, none)
            }
            Step::Add(window) => {
                let same = Condition::Equals(TTL, to_attribute(window.expires_at)?);
                let has_attempts = same.and(Condition::LessThan(COUNT, to_attribute(self.limit())?));
                write.update(self.label(), &self.key(), &Update::default().add(COUNT, 1), has_attempts)
            }
        })
    }
}

/// An attempt that was counted, with the budgets that it used.
#[derive(Debug)]
pub(in crate::accounts) struct CountedAttempt(Vec<(Budget, Step)>);

impl Accounts {
    /// Counts an attempt in all of these budgets or in none, before its password or code is checked. The first attempt
    /// that a budget refuses has an audit entry about `subject`.
    ///
    /// # Errors
    /// [`AccountError::TooManyAttempts`] if one of the budgets has no attempts left.
    pub(in crate::accounts) async fn count_attempt(
        &self,
        budgets: impl IntoIterator<Item = Budget>,
        subject: &SignInSubject,
    ) -> Result<CountedAttempt, AccountError> {
        let now = self.clock.now();
        let mut plan: Vec<_> =
            budgets.into_iter().map(|budget| (budget, Step::Open(Window::open(now)))).collect();
        for _ in 0..MAX_TRIES {
            let write = plan.iter().try_fold(self.dynamo.guarded_write(), |write, (budget, step)| {
                budget.write(*step, now.as_second(), write)
            });
            let refusal = match self.dynamo.write(write?).await {
                Ok(()) => return Ok(CountedAttempt(plan)),
                Err(WriteError::Refused(refusal)) => refusal,
                Err(WriteError::Store(error)) => return Err(error.into()),
            };
            for (budget, step) in plan.iter_mut().filter(|(budget, _)| refusal.of(budget.label())) {
                let stored: Option<Window> =
                    refusal.item(budget.label()).cloned().map(from_item).transpose()?;
                match budget.step(stored, now) {
                    Ok(next) => *step = next,
                    Err(throttled) => {
                        self.record_throttled(budget, stored, throttled, subject).await;
                        return Err(throttled.into());
                    }
                }
            }
        }
        Err(AccountError::Busy)
    }

    /// Writes the audit entry of the first attempt that a budget refuses in its window.
    async fn record_throttled(
        &self,
        budget: &Budget,
        stored: Option<Window>,
        throttled: Throttled,
        subject: &SignInSubject,
    ) {
        let Some(window) = stored.filter(|window| !window.refused) else { return };
        let write = || {
            let same = Condition::Equals(TTL, to_attribute(window.expires_at)?);
            let first = same.and(Condition::NotEquals(REFUSED, to_attribute(true)?));
            let update = Update::default().set(REFUSED, to_attribute(true)?);
            let write = self.dynamo.guarded_write().update(budget.label(), &budget.key(), &update, first);
            write.audit(&self.failure_entry(subject, throttled.detail()))
        };
        self.record_refusal(write()).await;
    }

    /// Refunds an attempt whose password or code was right. The budgets of an email address, a device and a person
    /// reset; a network gets back this one attempt.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub(in crate::accounts) async fn refund_attempt(
        &self,
        CountedAttempt(plan): CountedAttempt,
    ) -> Result<(), AccountError> {
        for with_networks in [true, false] {
            let mut write = self.dynamo.guarded_write();
            for (budget, step) in &plan {
                write = match budget {
                    Budget::Network(_) if with_networks => decrement(write, budget, *step)?,
                    Budget::Network(_) => write,
                    _ => write.delete_derived(budget.label(), &budget.key()),
                };
            }
            // A refusal means that the network's window is over, so it gets no refund.
            if self.dynamo.try_write(write).await? {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Accounts {
    /// Refunds an attempt that guessed nothing. It resets no budget, or a guesser could continue after each sign-up.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub(in crate::accounts) async fn return_attempt(
        &self,
        CountedAttempt(plan): CountedAttempt,
    ) -> Result<(), AccountError> {
        let write = plan
            .iter()
            .try_fold(self.dynamo.guarded_write(), |write, (budget, step)| decrement(write, budget, *step));
        // A refusal means that a window is over, or that the right password has reset it.
        self.dynamo.try_write(write?).await?;
        Ok(())
    }
}

/// Removes one attempt from the window in which it was counted, unless that window is over.
fn decrement(write: GuardedWrite, budget: &Budget, step: Step) -> Result<GuardedWrite, StoreError> {
    let (Step::Open(window) | Step::Add(window)) = step;
    let same = Condition::Equals(TTL, to_attribute(window.expires_at)?);
    let counted = same.and(Condition::AtLeast(COUNT, to_attribute(1)?));
    Ok(write.update(budget.label(), &budget.key(), &Update::default().add(COUNT, -1), counted))
}
