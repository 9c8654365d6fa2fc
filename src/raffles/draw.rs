//! The draw: one transaction that closes the raffle with its one winner.
//!
//! What always holds: the winner follows from the seed and the sold numbers of the blocks that the transaction guards,
//! so whoever tries at the same time computes the same or is refused. The seed leaves this module only in the raffle
//! that the transaction closed.

use futures_util::future::try_join;
use jiff::{SignedDuration, Timestamp};

use super::domain::draw as winner_of;
use super::domain::{
    Drawn, Raffle, RaffleEntry, RaffleEvent, RaffleId, RaffleState, RaffleStatus, Ticket, Winner,
};
use super::error::RaffleError;
use super::items::{
    Drawing, SeedItem, Stored, block_item, drawing_key, entry_item, raffle_item, raffle_key, seed_key,
    ticket_key,
};
use super::store::{at_version, recalled};
use crate::base::identity::SignedIn;
use crate::raffles::Raffles;
use crate::store::ledger::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, WriteError, from_item, to_item};

/// How long a crowd waits for a draw that announced itself.
const ANNOUNCED_FOR: SignedDuration = SignedDuration::from_secs(5);

impl Raffles {
    /// Draws the winner and closes the raffle.
    ///
    /// # Errors
    /// [`RaffleError::Drawn`] if it was drawn before, [`RaffleError::NothingSold`], [`RaffleError::NotFound`],
    /// [`RaffleError::Contention`].
    pub async fn draw(
        &self,
        id: RaffleId,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, RaffleState>>,
    ) -> Result<Done<RaffleState>, RaffleError> {
        let mut retries = self.dynamo.retries();
        loop {
            let (stored, holding) = try_join(self.stored(id), self.holding(id, who)).await?;
            let now = self.clock.now();
            if stored.raffle.status == RaffleStatus::Closed {
                let state = RaffleState::of(&stored.raffle, &stored.pool, &holding, who, now);
                return self.refused(idempotency, RaffleError::Drawn(Box::new(state))).await;
            }
            if stored.pool.sold() == 0 {
                return self.refused(idempotency, RaffleError::NothingSold).await;
            }
            if let Some(closed) = self.close(&stored, who, now).await? {
                let state = RaffleState::of(&closed, &stored.pool.frozen(), &holding, who, now);
                let write = Idempotency::record(idempotency, self.closing(&stored, &closed)?, &state)?;
                match self.dynamo.write(write).await {
                    Ok(()) => return Ok(Done::Now(state)),
                    Err(WriteError::Store(error)) => return Err(error.into()),
                    Err(WriteError::Refused(refusal)) => {
                        if let Some(answer) = recalled(Idempotency::recall(idempotency, &refusal)?)? {
                            return Ok(Done::Replayed(answer));
                        }
                    }
                }
            }
            self.announce(id, now).await?;
            retries.backoff().await?;
        }
    }

    /// The raffle as the draw leaves it; none if what was read of it is no longer so.
    async fn close(
        &self,
        stored: &Stored,
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<Raffle>, RaffleError> {
        let raffle = &stored.raffle;
        let Some(item) = self.dynamo.get(&seed_key(raffle.id)).await? else { return Ok(None) };
        let SeedItem { seed } = from_item(item)?;
        let Some((number, list_hash)) = winner_of(&seed, &stored.pool.sold_numbers()) else {
            return Ok(None);
        };
        let Some(item) = self.dynamo.get(&ticket_key(raffle.id, number)).await? else { return Ok(None) };
        let Ticket { holder, name, email, .. } = from_item(item)?;
        let winner = Winner { number, holder, name, email };
        Ok(Some(raffle.closed(Drawn { at: now, by: who.actor(), winner, seed, list_hash })))
    }

    /// The write that closes the raffle, if it and everything sold of it are as they were read.
    fn closing(&self, stored: &Stored, closed: &Raffle) -> Result<GuardedWrite, RaffleError> {
        let id = closed.id;
        let open =
            Condition::is("status", RaffleStatus::Open.as_str()).and(at_version(stored.raffle.version));
        let mut write = self
            .dynamo
            .guarded_write()
            .put("raffle", raffle_item(closed)?, open)
            .delete("seed", &seed_key(id), Condition::Exists)
            .delete_derived("drawing", &drawing_key(id));
        for block in stored.pool.blocks() {
            write = write.put("block", block_item(id, &block.frozen())?, at_version(block.version));
        }
        if let Some(drawn) = &closed.drawn {
            let happening = RaffleEvent::Drawn { number: drawn.winner.number };
            let entry = RaffleEntry { at: drawn.at, by: drawn.by.clone(), happening };
            write = write.put("history", entry_item(id, &entry, self.random_start())?, Condition::Absent);
        }
        Ok(write)
    }

    /// Lets purchases wait for the draw, which they overtook.
    async fn announce(&self, id: RaffleId, now: Timestamp) -> Result<(), RaffleError> {
        let until = now.saturating_add(ANNOUNCED_FOR).unwrap_or(Timestamp::MAX);
        let item = to_item(&drawing_key(id), &Drawing { until })?;
        let open = Condition::is("status", RaffleStatus::Open.as_str());
        let write =
            self.dynamo.guarded_write().put_derived("drawing", item).check("raffle", &raffle_key(id), open);
        match self.dynamo.write(write).await {
            // Drawn by somebody else meanwhile: the next read says so.
            Ok(()) | Err(WriteError::Refused(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }
}
