//! Buying tickets: one transaction for any number of tickets.
//!
//! Invariants: a purchase gets all its tickets or none; a refusal was true at some moment during the request;
//! otherwise the purchase is retried until it succeeds or its deadline passes.

use futures_util::future::try_join;
use jiff::Timestamp;
use serde::Serialize;

use super::domain::{
    Holding, Pick, PurchaseError, Quantity, RaffleId, RaffleState, RaffleStatus, Ticket, TicketNumber,
};
use super::error::RaffleError;
use super::items::{Stored, block_item, holding_item, ticket_item};
use super::store::{at_version, minute, unchanged};
use crate::base::identity::SignedIn;
use crate::raffles::Raffles;
use crate::shared::idempotency::{refuse, write_with_record};
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite};

/// The result of a purchase.
#[derive(Debug, Clone, Serialize)]
pub struct Purchase {
    /// The numbers bought, ascending.
    pub numbers: Vec<TicketNumber>,
    /// The raffle after the purchase, as its buyer may see it.
    pub raffle: RaffleState,
}

impl Raffles {
    /// Buys tickets for `who`. Makes two concurrent reads and one write if there is no contention.
    ///
    /// # Errors
    /// [`RaffleError::Refused`] with the reason, [`RaffleError::NotFound`], [`RaffleError::Contention`].
    pub async fn buy(
        &self,
        id: RaffleId,
        quantity: Quantity,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, Purchase>>,
    ) -> Result<Done<Purchase>, RaffleError> {
        let mut retries = self.dynamo.retries();
        let mut last_changes = None;
        loop {
            let (stored, holding) = try_join(self.stored(id), self.holding(id, who.id)).await?;
            let now = self.clock.now();
            if is_drawing(&stored, now) {
                retries.backoff().await?;
                continue;
            }
            if let Err(refusal) = may_buy(&stored, &holding, quantity, now) {
                // The blocks are not read at one instant. If two reads in a row find the same blocks, there was a
                // moment between them when all blocks were in this state.
                let changes = Some(stored.pool.changes());
                if depends_on_many_items(refusal) && last_changes != changes {
                    last_changes = changes;
                    continue;
                }
                match self.confirm_refusal(&stored, quantity, who, now).await? {
                    Some(refused) => return refuse(&self.dynamo, idempotency, refused).await,
                    None => continue,
                }
            }
            let (start, minute) = (self.random_start(), minute(&stored.raffle, now));
            let Some(picks) = stored.pool.pick(quantity.get(), start, minute) else { continue };
            let (write, purchase) = self.sale(&stored, &holding, &picks, who, now)?;
            let written = write_with_record::<_, RaffleError>(&self.dynamo, write, purchase, idempotency);
            if let Ok(done) = written.await? {
                return Ok(done);
            }
            retries.backoff().await?;
        }
    }

    /// Returns the refusal of a purchase, or `None` if it is allowed with the current holding. The first holding was
    /// read concurrently with the blocks and may be older than they are, and the answer must not show an older holding.
    async fn confirm_refusal(
        &self,
        stored: &Stored,
        quantity: Quantity,
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<RaffleError>, RaffleError> {
        let holding = self.holding(stored.raffle.id, who.id).await?;
        let refusal = may_buy(stored, &holding, quantity, now).err();
        let fresh = || Box::new(stored.state(&holding, who, now));
        Ok(refusal.map(|refusal| RaffleError::Refused { refusal, fresh: fresh() }))
    }
}

fn may_buy(
    Stored { raffle, pool, .. }: &Stored,
    holding: &Holding,
    quantity: Quantity,
    now: Timestamp,
) -> Result<(), PurchaseError> {
    raffle.may_sell(quantity.get(), holding.count(), pool.remaining(), now)
}

/// Returns whether a draw is in progress, so that changes must wait.
pub(super) fn is_drawing(stored: &Stored, now: Timestamp) -> bool {
    stored.raffle.status == RaffleStatus::Open && stored.drawing.is_some_and(|drawing| drawing.until > now)
}

/// Returns whether a refusal depends on several blocks, which no single read sees at one instant.
fn depends_on_many_items(refusal: PurchaseError) -> bool {
    matches!(refusal, PurchaseError::SoldOut | PurchaseError::OnlyLeft { .. })
}

impl Raffles {
    /// Builds the write that sells the picked numbers, and its result.
    fn sale(
        &self,
        stored: &Stored,
        holding: &Holding,
        picks: &[Pick],
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<(GuardedWrite, Purchase), RaffleError> {
        let Stored { raffle, pool, .. } = stored;
        let id = raffle.id;
        let mut numbers: Vec<TicketNumber> = picks.iter().flat_map(|pick| pick.numbers.clone()).collect();
        numbers.sort_unstable();
        let after = holding.with(&numbers);
        let mut write = self.dynamo.guarded_write();
        for Pick { before, after, numbers } in picks {
            write = write.put("block", block_item(id, after)?, at_version(before.version));
            for number in numbers {
                let ticket = Ticket {
                    number: *number,
                    holder: who.id,
                    name: who.name.clone(),
                    email: who.email.clone(),
                    bought_at: now,
                    version: after.version,
                };
                write = write.put("ticket", ticket_item(id, &ticket)?, Condition::Absent);
            }
        }
        let write = write.put("holding", holding_item(id, who.id, &after)?, unchanged(holding));
        let pool = pool.with(picks.iter().map(|pick| &pick.after));
        let raffle = RaffleState::of(raffle, &pool, &after, who, now);
        Ok((write, Purchase { numbers, raffle }))
    }
}
