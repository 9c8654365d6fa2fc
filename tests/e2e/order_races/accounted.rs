//! Checks that every lead is accounted for exactly once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use holdfast::base::values::OrderId;
use holdfast::leads::domain::{Action, Lead, LeadId, Stock};
use holdfast::orders::domain::{Caps, OrderAction, OrderDetail, OrderStatus};
use holdfast::store::{Key, Select, from_item};

use crate::orders::{find, state};
use crate::support::workspace::Workspace;

/// Every lead is accounted for exactly once: in one open order, delivered by one fulfilled order, free at its place
/// in the queue, or withheld. The counters equal a recount, and the histories agree.
pub async fn assert_accounted(workspace: &Workspace, leads_known: &[Lead], states: &[&str]) {
    let read = LeadsAndOrders::read(workspace, leads_known).await;
    for detail in read.orders.values() {
        read.assert_order(workspace, detail).await;
    }
    let mut queued: Vec<LeadId> = Vec::new();
    let caps = workspace.app.orders().caps().await.unwrap();
    for code in states {
        queued.extend(read.queued(workspace, code).await);
        read.assert_cap(workspace, &caps, code).await;
    }
    queued.sort_unstable();
    let free = read.leads.values().filter(|lead| lead.stock == Stock::Unassigned).map(|lead| lead.id);
    assert_eq!(queued, free.collect::<Vec<_>>(), "the free leads are in the queue, each once");
    for lead in read.leads.values() {
        read.assert_stock(lead);
        assert_history(workspace, lead).await;
    }
}

/// The known leads as they are now, and the orders that they name.
struct LeadsAndOrders {
    leads: BTreeMap<LeadId, Lead>,
    orders: BTreeMap<OrderId, OrderDetail>,
}

impl LeadsAndOrders {
    async fn read(workspace: &Workspace, leads_known: &[Lead]) -> Self {
        let (mut leads, mut orders) = (BTreeMap::new(), BTreeMap::new());
        for known in leads_known {
            let lead = workspace.app.leads().find(known.id).await.unwrap();
            if let Some(id) = lead.order_id
                && let Entry::Vacant(place) = orders.entry(id)
            {
                let found = find(workspace, id).await;
                place.insert(found.unwrap_or_else(|_| panic!("lead {} is in no order", lead.id)));
            }
            leads.insert(lead.id, lead);
        }
        Self { leads, orders }
    }

    /// The leads of an order name it, and its history agrees with it.
    async fn assert_order(&self, workspace: &Workspace, detail: &OrderDetail) {
        assert_eq!(detail.order.lead_count as usize, detail.leads.len());
        for lead in &detail.leads {
            assert_eq!(
                self.leads[&lead.id].order_id,
                Some(detail.order.id),
                "the lead does not name the order that contains it"
            );
        }
        let history = workspace.app.orders().history(detail.order.id, 100, None).await.unwrap().items;
        assert_eq!(history.last().unwrap().action, OrderAction::Created);
        assert_eq!(history[0].version, detail.order.version);
    }

    /// Returns the leads in the queue of a state, which are as they are now.
    async fn queued(&self, workspace: &Workspace, code: &str) -> Vec<LeadId> {
        let range = Select::partition(format!("STATE#{code}"), 1_000).begins_with("FREE#");
        let page = workspace.app.dynamo.select(&range).await.unwrap();
        assert!(!page.more);
        let mut queued = Vec::new();
        for item in page.items {
            let lead: Lead = from_item(item).unwrap();
            assert_eq!(self.leads[&lead.id], lead, "the queue has the current lead");
            queued.push(lead.id);
        }
        queued
    }

    /// The counters of a state's cap equal a recount.
    async fn assert_cap(&self, workspace: &Workspace, caps: &Caps, code: &str) {
        let is_out = |lead: &&Lead| lead.stock == Stock::Assigned && lead.state == Some(state(code));
        let out = self.leads.values().filter(is_out).count();
        let cap = caps.states.iter().find(|cap| cap.state == state(code)).unwrap();
        assert_eq!(cap.out as usize, out, "leads of {code} in open orders");
        let key = Key::new(format!("STATE#{code}"), "CAP");
        if let Some(item) = workspace.app.dynamo.get(&key).await.unwrap() {
            let remaining: i64 = item["room"].as_n().unwrap().parse().unwrap();
            assert_eq!(
                remaining,
                i64::from(cap.cap.get()) - i64::from(cap.out),
                "what remains under the cap of {code}"
            );
        }
    }

    /// The stock of a lead agrees with its order, which contains the lead once.
    fn assert_stock(&self, lead: &Lead) {
        let order_status = lead.order_id.map(|id| {
            let detail = &self.orders[&id];
            let has = detail.leads.iter().filter(|one| one.id == lead.id).count();
            assert_eq!(has, 1, "the order contains the lead once");
            detail.order.status
        });
        let expected = match lead.stock {
            Stock::Unassigned | Stock::Withheld => None,
            Stock::Assigned => Some(OrderStatus::Open),
            Stock::Fulfilled => Some(OrderStatus::Fulfilled),
        };
        assert_eq!(order_status, expected, "{lead:?}");
    }
}

/// The history of a lead has every version once, and assignments and releases alternate.
async fn assert_history(workspace: &Workspace, lead: &Lead) {
    let (mut entries, mut cursor) = (Vec::new(), None);
    loop {
        let page = workspace.app.leads().history(lead.id, 100, cursor.as_deref()).await.unwrap();
        entries.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    entries.reverse();
    let versions: Vec<u64> = entries.iter().map(|entry| entry.version.get()).collect();
    assert_eq!(versions, (1..=lead.version.get()).collect::<Vec<_>>(), "{}", lead.id);
    let mut holder = None;
    for entry in &entries {
        match entry.action {
            Action::Assigned => {
                assert_eq!(holder, None, "it was free when it was assigned");
                holder = entry.order;
            }
            Action::Released | Action::Returned => {
                assert_eq!(holder, entry.order, "it was released by its order");
                holder = None;
            }
            Action::Fulfilled => assert_eq!(holder, entry.order, "it was delivered by its order"),
            _ => {}
        }
    }
    assert_eq!(holder, lead.order_id, "its history ends in the current order");
}
