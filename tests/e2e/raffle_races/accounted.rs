//! Checks that every ticket of a raffle is accounted for exactly once.

use std::collections::{BTreeMap, HashMap};

use holdfast::base::identity::AccountId;
use holdfast::raffles::domain::{Block, Holding, RaffleId, Ticket, TicketNumber};
use holdfast::store::{Key, Select, from_item};

use crate::support::workspace::Workspace;

/// The sold tickets of a raffle, from two kinds of items.
pub struct Accounted {
    /// From the ticket items.
    pub tickets: BTreeMap<TicketNumber, Ticket>,
    /// From the holdings of people.
    pub holdings: HashMap<AccountId, Holding>,
}

/// Checks that blocks, tickets and holdings agree, that all numbers belong to the raffle, and that no one is over
/// the limit.
pub async fn assert_accounted(workspace: &Workspace, id: RaffleId) -> Accounted {
    let dynamo = &workspace.app.dynamo;
    let mut tickets: BTreeMap<TicketNumber, Ticket> = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = workspace.app.raffles().tickets(id, 100, cursor.as_deref()).await.unwrap();
        tickets.extend(page.items.into_iter().map(|ticket| (ticket.number, ticket)));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let range = Select::partition(format!("RAFFLE#{id}"), 100).begins_with("BLOCK#");
    let blocks: Vec<Block> =
        dynamo.select(&range).await.unwrap().items.into_iter().map(|item| from_item(item).unwrap()).collect();
    let raffle = dynamo.get(&Key::new(format!("RAFFLE#{id}"), "RAFFLE")).await.unwrap().unwrap();
    let raffle: holdfast::raffles::domain::Raffle = from_item(raffle).unwrap();
    let pool = holdfast::raffles::domain::Pool::of(blocks, raffle.tickets).unwrap();
    assert_eq!(pool.sold_numbers(), tickets.keys().copied().collect::<Vec<_>>(), "blocks and tickets agree");
    assert!(tickets.keys().all(|number| number.get() <= raffle.tickets.get()));
    let range = Select::partition(format!("TICKETS#{id}"), 1_000).begins_with("HOLDER#");
    let mut holdings: HashMap<AccountId, Holding> = HashMap::new();
    for item in dynamo.select(&range).await.unwrap().items {
        let account = item["sk"].as_s().unwrap().strip_prefix("HOLDER#").unwrap().parse().unwrap();
        holdings.insert(account, from_item(item).unwrap());
    }
    let mut held: BTreeMap<TicketNumber, AccountId> = BTreeMap::new();
    for (account, holding) in &holdings {
        assert!(holding.count() <= raffle.limit.get(), "{account} is over the limit");
        for number in &holding.numbers {
            assert_eq!(held.insert(*number, *account), None, "{number} has two holders");
        }
    }
    let holders: BTreeMap<TicketNumber, AccountId> =
        tickets.values().map(|ticket| (ticket.number, ticket.holder)).collect();
    assert_eq!(held, holders, "holdings and tickets agree");
    Accounted { tickets, holdings }
}
