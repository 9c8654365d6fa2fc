//! Canceling a ticket: it returns to the pool and no longer counts toward its owner's limit, in one transaction.

use futures_util::future::try_join;

use super::buy::is_drawing;
use super::domain::{
    Block, Holding, RaffleEntry, RaffleEvent, RaffleId, RaffleState, RaffleStatus, Ticket, TicketNumber,
};
use super::error::RaffleError;
use super::items::{Stored, block_item, entry_item, holding_item, ticket_key};
use super::store::{at_version, minute, unchanged};
use crate::base::identity::SignedIn;
use crate::base::values::Version;
use crate::raffles::Raffles;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, from_item};

impl Raffles {
    /// Cancels a ticket, or returns the stored answer of the same request. Participants cancel their own;
    /// administrators cancel any. The version is required for another person's ticket, because the number may have
    /// been canceled and sold again since it was read.
    ///
    /// # Errors
    /// [`RaffleError::NoSuchTicket`], also for another person's ticket if `who` is not an administrator;
    /// [`RaffleError::VersionMissing`], [`RaffleError::TicketConflict`], [`RaffleError::Drawn`].
    pub async fn cancel(
        &self,
        id: RaffleId,
        number: TicketNumber,
        version: Option<Version>,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, RaffleState>>,
    ) -> Result<Done<RaffleState>, RaffleError> {
        let cancel = self.cancel_now(id, number, version, who, idempotency);
        Idempotency::run(idempotency, &self.dynamo, cancel).await
    }

    /// Cancels a ticket, and writes the record of the request.
    async fn cancel_now(
        &self,
        id: RaffleId,
        number: TicketNumber,
        version: Option<Version>,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, RaffleState>>,
    ) -> Result<RaffleState, RaffleError> {
        let mut retries = self.dynamo.retries();
        loop {
            let (stored, mine, ticket) = self.read_to_cancel(id, number, who).await?;
            let now = self.clock.now();
            if stored.raffle.status == RaffleStatus::Closed {
                return Err(RaffleError::Drawn(Box::new(stored.state(&mine, who, now))));
            }
            check_version(&ticket, version, who)?;
            let canceled = stored.pool.cancel(number, minute(&stored.raffle, now));
            if let Some(blocks) = canceled
                && !is_drawing(&stored, now)
            {
                let holding = if ticket.holder == who.id {
                    mine.clone()
                } else {
                    self.holding(id, ticket.holder).await?
                };
                let change = Change { stored: &stored, ticket: &ticket, holding: &holding, blocks: &blocks };
                let pool = stored.pool.with([&blocks.1]);
                let mine = if ticket.holder == who.id { mine.without(number) } else { mine };
                let state = RaffleState::of(&stored.raffle, &pool, &mine, who, now);
                let write = Idempotency::record(idempotency, change.write(self, who)?, &state)?;
                // If the block, the holding or the ticket has changed, the next read shows the current state.
                if self.dynamo.try_write(write).await? {
                    return Ok(state);
                }
            }
            retries.backoff().await?;
        }
    }
}

/// Checks that the ticket is the one the caller read.
fn check_version(ticket: &Ticket, version: Option<Version>, who: &SignedIn) -> Result<(), RaffleError> {
    match version {
        Some(version) if version != ticket.version => {
            Err(RaffleError::TicketConflict(Box::new(ticket.clone())))
        }
        None if ticket.holder != who.id => Err(RaffleError::VersionMissing),
        _ => Ok(()),
    }
}

impl Raffles {
    /// Reads a raffle, the holding of `who`, and a ticket that `who` may cancel.
    async fn read_to_cancel(
        &self,
        id: RaffleId,
        number: TicketNumber,
        who: &SignedIn,
    ) -> Result<(Stored, Holding, Ticket), RaffleError> {
        let read = try_join(self.stored(id), self.holding(id, who.id));
        let ((stored, mine), ticket) = try_join(read, self.ticket(id, number)).await?;
        let ticket = ticket.filter(|ticket| ticket.holder == who.id || who.is_administrator());
        Ok((stored, mine, ticket.ok_or(RaffleError::NoSuchTicket(number))?))
    }

    async fn ticket(&self, id: RaffleId, number: TicketNumber) -> Result<Option<Ticket>, RaffleError> {
        Ok(self.dynamo.get(&ticket_key(id, number)).await?.map(from_item).transpose()?)
    }
}

/// A ticket to cancel, with everything that was read for the write.
struct Change<'a> {
    stored: &'a Stored,
    ticket: &'a Ticket,
    holding: &'a Holding,
    blocks: &'a (Block, Block),
}

impl Change<'_> {
    fn write(&self, raffles: &Raffles, who: &SignedIn) -> Result<GuardedWrite, RaffleError> {
        let Self { stored, ticket, holding, blocks: (before, after) } = self;
        let (id, number) = (stored.raffle.id, ticket.number);
        let event = RaffleEvent::Canceled { number, name: ticket.name.clone() };
        let entry = RaffleEntry { at: raffles.clock.now(), by: who.actor(), event };
        let left = holding.without(number);
        let write = raffles
            .dynamo
            .guarded_write()
            .put("block", block_item(id, after)?, at_version(before.version))
            .put("holding", holding_item(id, ticket.holder, &left)?, unchanged(holding))
            .delete("ticket", &ticket_key(id, number), at_version(ticket.version))
            .put("history", entry_item(id, &entry, raffles.random_start())?, Condition::Absent);
        // A person who returns their own ticket is in the raffle's history.
        match ticket.holder == who.id {
            true => Ok(write),
            false => Ok(write.audit(&self.audit_entry(raffles, who))?),
        }
    }

    fn audit_entry(&self, raffles: &Raffles, who: &SignedIn) -> AuditEntry {
        let (Ticket { number, name, .. }, raffle) = (self.ticket, &self.stored.raffle);
        let (now, by, kind) = (raffles.clock.now(), AuditActor::from(who), AuditKind::Deletion);
        let detail = format!("Ticket {number} of {name} returned.");
        AuditEntry::new(&raffles.rng, now, &by, kind, raffle.title.to_string(), detail)
            .at_path(format!("/raffles/{}/tickets", raffle.id))
    }
}
