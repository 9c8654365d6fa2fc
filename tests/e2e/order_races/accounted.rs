//! Checks that every lead is accounted for exactly once.

use std::collections::BTreeMap;

use holdfast::base::values::OrderId;
use holdfast::leads::domain::{Action, Lead, LeadId, Stock};
use holdfast::orders::domain::{OrderAction, OrderDetail, OrderStatus};
use holdfast::store::{Select, from_item};

use crate::orders::{find, state};
use crate::support::workspace::Workspace;

/// Every lead is accounted for exactly once: in one open order, delivered by one fulfilled order, free at its place
/// in the queue, or withheld. The counters equal a recount, and the histories agree.
pub async fn assert_accounted(workspace: &Workspace, leads_known: &[Lead], states: &[&str]) {
    let mut orders_of: BTreeMap<LeadId, OrderDetail> = BTreeMap::new();
    let mut found: BTreeMap<OrderId, Option<OrderDetail>> = BTreeMap::new();
    let mut seen: BTreeMap<LeadId, Lead> = BTreeMap::new();
    for known in leads_known {
        let lead = workspace.app.leads().find(known.id).await.unwrap();
        if let Some(id) = lead.order_id {
            if let std::collections::btree_map::Entry::Vacant(place) = found.entry(id) {
                place.insert(find(workspace, id).await.ok());
            }
            let detail = found[&id].as_ref().unwrap_or_else(|| panic!("lead {} is in no order", lead.id));
            orders_of.insert(lead.id, detail.clone());
        }
        seen.insert(lead.id, lead);
    }
    for detail in found.values().flatten() {
        assert_eq!(detail.order.lead_count as usize, detail.leads.len());
        for lead in &detail.leads {
            assert_eq!(
                seen[&lead.id].order_id,
                Some(detail.order.id),
                "the lead does not name the order that contains it"
            );
        }
        let history = workspace.app.orders().history(detail.order.id, 100, None).await.unwrap().items;
        assert_eq!(history.last().unwrap().action, OrderAction::Created);
        assert_eq!(history[0].version, detail.order.version);
    }
    let mut queued: Vec<LeadId> = Vec::new();
    let caps = workspace.app.orders().caps().await.unwrap();
    for code in states {
        let range = Select::partition(format!("STATE#{code}"), 1_000).begins_with("FREE#");
        let page = workspace.app.dynamo.select(&range).await.unwrap();
        assert!(!page.more);
        for item in page.items {
            let lead: Lead = from_item(item).unwrap();
            assert_eq!(seen[&lead.id], lead, "the queue has the current lead");
            queued.push(lead.id);
        }
        let out =
            seen.values().filter(|lead| lead.stock == Stock::Assigned && lead.state == Some(state(code)));
        let (out, cap) = (out.count(), caps.states.iter().find(|cap| cap.state == state(code)).unwrap());
        assert_eq!(cap.out as usize, out, "leads of {code} in open orders");
        let key = holdfast::store::Key::new(format!("STATE#{code}"), "CAP");
        if let Some(item) = workspace.app.dynamo.get(&key).await.unwrap() {
            let remaining: i64 = item["room"].as_n().unwrap().parse().unwrap();
            assert_eq!(
                remaining,
                i64::from(cap.cap.get()) - i64::from(cap.out),
                "what remains under the cap of {code}"
            );
        }
    }
    queued.sort_unstable();
    let free: Vec<LeadId> =
        seen.values().filter(|lead| lead.stock == Stock::Unassigned).map(|lead| lead.id).collect();
    assert_eq!(queued, free, "the free leads are in the queue, each once");
    for lead in seen.values() {
        let order_status = orders_of.get(&lead.id).map(|detail| {
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
        assert_history(workspace, lead).await;
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
