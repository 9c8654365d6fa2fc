//! Budgets of attempts in the table: one item each, which expires with its window.

use super::{Budget, Step, Window};
use crate::accounts::AccountError;
use crate::accounts::Accounts;
use crate::store::schema::TTL;
use crate::store::{
    Condition, GuardedWrite, Key, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};

const COUNT: &str = "count";

/// How often a write is tried again whose budgets others changed at that moment. Two suffice, unless a window ends.
const ROUNDS: usize = 6;

impl Budget {
    /// An email address has an `@`, so no other key is that of one.
    fn key(&self) -> Key {
        let name = match self {
            Self::Email(email) => email.key(),
            Self::Device(account, device) => format!("DEVICE#{account}#{device}"),
            Self::SignedIn(account) => format!("SIGNED-IN#{account}"),
            Self::Network(network) => format!("NETWORK#{network}"),
        };
        Key::new(format!("ATTEMPTS#{name}"), "ATTEMPTS")
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Device(..) => "device",
            Self::SignedIn(_) => "signed-in",
            Self::Network(_) => "network",
        }
    }

    /// Adds one more attempt to a write, on the condition that the budget has it.
    fn write(&self, step: Step, now: i64, write: GuardedWrite) -> Result<GuardedWrite, StoreError> {
        Ok(match step {
            Step::Open(window) => {
                let is_over = Condition::LessThan(TTL, to_attribute(now.saturating_add(1))?);
                let none = Condition::Any(vec![Condition::Absent, is_over]);
                write.put(self.label(), to_item(&self.key(), &window)?, none)
            }
            Step::Add(window) => {
                let same = Condition::Equals(TTL, to_attribute(window.expires_at)?);
                let left = same.and(Condition::LessThan(COUNT, to_attribute(self.limit())?));
                write.update(self.label(), &self.key(), &Update::default().add(COUNT, 1), left)
            }
        })
    }
}

/// An attempt that was counted, and for what.
#[derive(Debug)]
pub(in crate::accounts) struct Counted(Vec<(Budget, Step)>);

impl Accounts {
    /// Counts an attempt in all of these budgets or in none, before its password or code is looked at.
    ///
    /// # Errors
    /// [`AccountError::TooManyAttempts`] if one of the budgets is used up.
    pub(in crate::accounts) async fn count_attempt(
        &self,
        budgets: impl IntoIterator<Item = Budget>,
    ) -> Result<Counted, AccountError> {
        let now = self.clock.now();
        let mut plan: Vec<_> =
            budgets.into_iter().map(|budget| (budget, Step::Open(Window::open(now)))).collect();
        for _ in 0..ROUNDS {
            let write = plan.iter().try_fold(self.dynamo.guarded_write(), |write, (budget, step)| {
                budget.write(*step, now.as_second(), write)
            });
            let refusal = match self.dynamo.write(write?).await {
                Ok(()) => return Ok(Counted(plan)),
                Err(WriteError::Refused(refusal)) => refusal,
                Err(WriteError::Store(error)) => return Err(error.into()),
            };
            for (budget, step) in plan.iter_mut().filter(|(budget, _)| refusal.of(budget.label())) {
                let stored = refusal.item(budget.label()).cloned().map(from_item).transpose()?;
                *step = budget.step(stored, now)?;
            }
        }
        Err(AccountError::Busy)
    }

    /// Gives an attempt back whose password or code was right: an email address, a device and a person begin anew, and a
    /// network gets this one attempt back.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub(in crate::accounts) async fn refund_attempt(
        &self,
        Counted(plan): Counted,
    ) -> Result<(), AccountError> {
        for with_networks in [true, false] {
            let mut write = self.dynamo.guarded_write();
            for (budget, step) in &plan {
                write = match budget {
                    Budget::Network(_) if with_networks => one_less(write, budget, *step)?,
                    Budget::Network(_) => write,
                    _ => write.delete_derived(budget.label(), &budget.key()),
                };
            }
            match self.dynamo.write(write).await {
                Ok(()) => return Ok(()),
                // The network's window is over: there is nothing to give back.
                Err(WriteError::Refused(_)) => {}
                Err(WriteError::Store(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// One attempt less, as long as the window is the one in which it was counted.
fn one_less(write: GuardedWrite, budget: &Budget, step: Step) -> Result<GuardedWrite, StoreError> {
    let (Step::Open(window) | Step::Add(window)) = step;
    let same = Condition::Equals(TTL, to_attribute(window.expires_at)?);
    let counted = same.and(Condition::AtLeast(COUNT, to_attribute(1)?));
    Ok(write.update(budget.label(), &budget.key(), &Update::default().add(COUNT, -1), counted))
}
