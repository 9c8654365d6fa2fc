//! The draw: one transaction that closes the raffle with one winner.
//!
//! Invariants: the seed and the sold numbers of the blocks that the transaction guards determine the winner, so a
//! concurrent draw computes the same winner or is refused; the seed leaves this module only in a raffle that the
//! transaction closed.

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
use super::store::at_version;
use crate::accounts::authority::still_authorized;
use crate::base::identity::{Role, SignedIn};
use crate::raffles::Raffles;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::shared::idempotency::{refuse, write_with_record};
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, from_item, to_item};

/// How long purchases wait for an announced draw.
const ANNOUNCED_FOR: SignedDuration = SignedDuration::from_secs(5);

impl Raffles {
    /// Draws the winner and closes the raffle.
    ///
    /// # Errors
    /// [`RaffleError::Drawn`] if the raffle is already drawn, [`RaffleError::NothingSold`],
    /// [`RaffleError::NotFound`], [`RaffleError::Contention`], [`RaffleError::NoLongerAllowed`].
    pub async fn draw(
        &self,
        id: RaffleId,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, RaffleState>>,
    ) -> Result<Done<RaffleState>, RaffleError> {
        let mut retries = self.dynamo.retries();
        loop {
            let (stored, holding) = try_join(self.stored(id), self.holding(id, who.id)).await?;
            let now = self.clock.now();
            if stored.raffle.status == RaffleStatus::Closed {
                let error = RaffleError::Drawn(Box::new(stored.state(&holding, who, now)));
                return refuse(&self.dynamo, idempotency, error).await;
            }
            if stored.pool.sold() == 0 {
                return refuse(&self.dynamo, idempotency, RaffleError::NothingSold).await;
            }
            if let Some(closed) = self.close(&stored, who, now).await? {
                let state = RaffleState::of(&closed, &stored.pool.frozen(), &holding, who, now);
                let write = self.closing(&stored, &closed)?;
                let write = write.audit(&self.draw_entry(&closed, stored.pool.sold(), who))?;
                let write = write.authorized(who, Role::Administrator);
                match write_with_record::<_, RaffleError>(&self.dynamo, write, state, idempotency).await? {
                    Ok(done) => return Ok(done),
                    Err(refusal) => still_authorized(&refusal)?,
                }
            }
            self.announce(id, now).await?;
            retries.backoff().await?;
        }
    }

    /// Returns the raffle after its draw, or `None` if the raffle has changed since it was read.
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

    /// Builds the write that closes the raffle if neither it nor its blocks have changed since they were read.
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
            let event = RaffleEvent::Drawn { number: drawn.winner.number };
            let entry = RaffleEntry { at: drawn.at, by: drawn.by.clone(), event };
            write = write.put("history", entry_item(id, &entry, self.random_start())?, Condition::Absent);
        }
        Ok(write)
    }

    fn draw_entry(&self, closed: &Raffle, sold: u32, who: &SignedIn) -> AuditEntry {
        let winner = closed.drawn.as_ref().map(|drawn| drawn.winner.number.to_string()).unwrap_or_default();
        let detail = format!("Winner drawn: ticket {winner} of {sold} sold.");
        let (now, by, kind) = (self.clock.now(), AuditActor::from(who), AuditKind::RaffleClosed);
        AuditEntry::new(&self.rng, now, &by, kind, closed.title.to_string(), detail)
            .at_path(format!("/raffles/{}", closed.id))
    }

    /// Announces the draw, so that purchases wait for it.
    async fn announce(&self, id: RaffleId, now: Timestamp) -> Result<(), RaffleError> {
        let until = now.saturating_add(ANNOUNCED_FOR).unwrap_or(Timestamp::MAX);
        let item = to_item(&drawing_key(id), &Drawing { until })?;
        let open = Condition::is("status", RaffleStatus::Open.as_str());
        let write =
            self.dynamo.guarded_write().put_derived("drawing", item).check("raffle", &raffle_key(id), open);
        // If another request has drawn the winner, the next read shows it.
        self.dynamo.try_write(write).await?;
        Ok(())
    }
}
