//! Buying tickets: one transaction, however many are asked for.
//!
//! What always holds: a purchase gives all its tickets or none; a refusal was true at a moment while the request ran;
//! whoever is neither out of time nor refused goes on until there is a ticket.

use futures_util::future::try_join;
use jiff::Timestamp;
use serde::Serialize;

use super::domain::{
    Holding, Pick, PurchaseError, Quantity, RaffleId, RaffleState, RaffleStatus, Ticket, TicketNumber,
};
use super::error::RaffleError;
use super::items::{Stored, block_item, holding_item, ticket_item};
use super::store::{at_version, minute, recalled, unchanged};
use crate::base::identity::SignedIn;
use crate::raffles::Raffles;
use crate::store::ledger::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, WriteError};

/// What a purchase gave.
#[derive(Debug, Clone, Serialize)]
pub struct Purchase {
    /// The tickets bought, ascending.
    pub numbers: Vec<TicketNumber>,
    /// The raffle with them sold, as their buyer may see it.
    pub raffle: RaffleState,
}

impl Raffles {
    /// Buys tickets for the person who asks. Two reads at once and one write where nobody is in the way.
    ///
    /// # Errors
    /// [`RaffleError::Denied`] with the reason, [`RaffleError::NotFound`], [`RaffleError::Contention`].
    pub async fn buy(
        &self,
        id: RaffleId,
        quantity: Quantity,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, Purchase>>,
    ) -> Result<Done<Purchase>, RaffleError> {
        let mut retries = self.dynamo.retries();
        let mut last_seen = None;
        loop {
            let (stored, holding) = try_join(self.stored(id), self.holding(id, who)).await?;
            let now = self.clock.now();
            if waits_for_draw(&stored, now) {
                retries.backoff().await?;
                continue;
            }
            let Stored { raffle, pool, .. } = &stored;
            let may_buy =
                |holding: &Holding| raffle.may_sell(quantity.get(), holding.count(), pool.remaining(), now);
            if let Err(denial) = may_buy(&holding) {
                // Blocks are read one after the other. Two reads that found the same ones had a moment between them at
                // which all were so.
                let seen = Some(pool.changes());
                if is_of_many_items(denial) && last_seen != seen {
                    last_seen = seen;
                    continue;
                }
                // The holding was read beside the blocks and may be older than they are: what is shown must not be.
                let holding = self.holding(id, who).await?;
                if let Err(denial) = may_buy(&holding) {
                    let fresh = Box::new(RaffleState::of(raffle, pool, &holding, who, now));
                    return self.refused(idempotency, RaffleError::Denied { denial, fresh }).await;
                }
                continue;
            }
            let Some(picks) = pool.pick(quantity.get(), self.random_start(), minute(raffle, now)) else {
                continue;
            };
            let (write, purchase) = self.sale(&stored, &holding, &picks, who, now)?;
            match self.dynamo.write(Idempotency::record(idempotency, write, &purchase)?).await {
                Ok(()) => return Ok(Done::Now(purchase)),
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(refusal)) => {
                    if let Some(answer) = recalled(Idempotency::recall(idempotency, &refusal)?)? {
                        return Ok(Done::Replayed(answer));
                    }
                }
            }
            retries.backoff().await?;
        }
    }
}

/// Whether the winner is being drawn, so that a change waits for it.
pub(super) fn waits_for_draw(stored: &Stored, now: Timestamp) -> bool {
    stored.raffle.status == RaffleStatus::Open && stored.drawing.is_some_and(|drawing| drawing.until > now)
}

/// Whether a reason was found by looking at several items, which no single read takes at one moment.
fn is_of_many_items(denial: PurchaseError) -> bool {
    matches!(denial, PurchaseError::SoldOut | PurchaseError::OnlyLeft { .. })
}

impl Raffles {
    /// The write that sells the picked numbers, and what it gives.
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
