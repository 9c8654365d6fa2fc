//! Keys and items of leads in the table.

use serde::{Deserialize, Serialize};

use super::domain::{
    CustomField, CustomFields, HistoryEntry, Lead, LeadId, NoteId, Status, StatusOrStock, Stock, StoredLead,
};
use crate::base::identity::AccountId;
use crate::base::values::{Invalid, UsState, Version, text_enum};
use crate::reservations::Reservation;
use crate::store::schema;
use crate::store::schema::Index;
use crate::store::{GuardedWrite, Item, Key, StoreError, from_item, to_attribute, to_item};

/// The sort key of every lead's own item.
pub(crate) const LEAD: &str = "LEAD";
/// The prefix of the sort keys of history entries. It sorts before [`LEAD`].
pub(super) const HISTORY: &str = "HISTORY#";

pub(crate) fn lead_key(id: LeadId) -> Key {
    Key::new(format!("LEAD#{id}"), LEAD)
}

/// Returns a text attribute of an item.
pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(super) fn history_sort(version: u64) -> String {
    format!("{HISTORY}{version:010}")
}

pub(super) fn email_key(lower_case: &str) -> Key {
    Key::new(format!("EMAIL#{lower_case}"), "EMAIL")
}

/// The prefix of the sort keys of notes. It sorts after [`LEAD`].
pub(super) const NOTE: &str = "NOTE#";

pub(super) fn note_key(lead: LeadId, note: NoteId) -> Key {
    Key::new(lead_key(lead).pk, format!("{NOTE}{note}"))
}

/// The list of deleted leads in its index, and in cursors.
pub(super) const TRASH_LIST: &str = "TRASH";

/// The sort key of a deleted lead.
pub(super) const TRASH: &str = "TRASH";

/// The key of a deleted lead.
pub(super) fn trash_key(id: LeadId) -> Key {
    Key::new(lead_key(id).pk, TRASH)
}

/// The key of what is left of a lead that was merged into another one.
pub(super) fn merged_key(id: LeadId) -> Key {
    Key::new(lead_key(id).pk, "MERGED")
}

/// Returns the item of a deleted lead, with its place in the list of deleted leads, last deleted first.
pub(super) fn trash_item(deleted: &Lead) -> Result<Item, StoreError> {
    let mut item = to_item(&trash_key(deleted.id), deleted)?;
    let place = format!("{:015}#{}", deleted.updated_at.as_millisecond().max(0), deleted.id);
    item.insert(schema::ALL_NEWEST.partition.to_owned(), to_attribute(TRASH_LIST)?);
    item.insert(schema::ALL_NEWEST.sort.to_owned(), to_attribute(place)?);
    Ok(item)
}

/// The sort key of a lead's custom fields. It sorts before the history.
pub(super) const FIELDS: &str = "FIELDS";

pub(super) fn fields_key(id: LeadId) -> Key {
    Key::new(lead_key(id).pk, FIELDS)
}

/// The custom fields of a lead, as they were written last. A lead without custom fields has no such item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FieldsItem {
    /// The version of the lead that wrote them.
    pub(super) version: Version,
    /// The fields in their order.
    list: Vec<CustomField>,
}

impl FieldsItem {
    /// Creates the item of the fields that a version of a lead has.
    pub(super) fn new(version: Version, fields: &CustomFields) -> Self {
        Self { version, list: fields.iter().cloned().collect() }
    }

    /// Returns the fields.
    ///
    /// # Errors
    /// [`StoreError`] if the item breaks the rules of custom fields.
    pub(super) fn into_fields(self, id: LeadId) -> Result<CustomFields, StoreError> {
        CustomFields::new(self.list).map_err(|_| StoreError::invariant_violation("GetItem", &fields_key(id)))
    }
}

/// The lead that uses an email address. For an imported lead, `source` names the import and its row, so that a repeated
/// import step recognizes its own leads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EmailItem {
    pub(super) lead_id: LeadId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
}

/// Which leads a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only leads of this status.
    pub status: Option<Status>,
    /// Only leads of this state.
    pub state: Option<UsState>,
    /// Only leads of this stock. A list filters by status or by stock, not by both.
    pub stock: Option<Stock>,
    /// Only leads that this account owns.
    pub owner: Option<AccountId>,
}

impl Filter {
    /// Returns whether a lead passes the filter.
    pub fn admits(&self, lead: &Lead) -> bool {
        self.status.is_none_or(|status| lead.status == status)
            && self.state.is_none_or(|state| lead.state == Some(state))
            && self.stock.is_none_or(|stock| lead.stock == stock)
            && self.owner.is_none_or(|id| lead.owner.as_ref().is_some_and(|owner| owner.id == id))
    }

    /// Creates a filter. `status` may also name a stock.
    ///
    /// # Errors
    /// [`Invalid`] if the filter names both a status and a stock, or two stocks.
    pub fn of(
        status: Option<StatusOrStock>,
        state: Option<UsState>,
        stock: Option<Stock>,
    ) -> Result<Self, Invalid> {
        let both = || Invalid::new("Filter by status or by stock, not both.");
        match (status, stock) {
            (Some(StatusOrStock::Status(_)), Some(_)) => Err(both()),
            (Some(StatusOrStock::Stock(one)), Some(other)) if one != other => Err(both()),
            (Some(StatusOrStock::Status(status)), None) => {
                Ok(Self { status: Some(status), state, ..Self::default() })
            }
            (Some(StatusOrStock::Stock(stock)), _) | (None, Some(stock)) => {
                Ok(Self { state, stock: Some(stock), ..Self::default() })
            }
            (None, None) => Ok(Self { state, ..Self::default() }),
        }
    }

    /// Returns whether every lead passes the filter.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

text_enum! {
    /// The sort order of a list of leads.
    #[derive(Default)]
    pub enum Sort, exact, "Sort by newest or by score.";
    /// Newest first.
    #[default]
    Newest = "newest",
    /// Highest score first, then newest.
    Score = "score",
}

/// Returns the index and its partition that contain exactly the leads of a filter, of all owners. Lists of a stock are
/// newest first.
pub(super) fn list_partition(filter: Filter, sort: Sort) -> (Index, String) {
    if let Some(stock) = filter.stock {
        return stock_partition(stock, filter.state);
    }
    let [newest, score] = match (filter.status, filter.state) {
        (None, None) => [schema::ALL_NEWEST, schema::ALL_SCORE],
        (Some(_), None) => [schema::STATUS_NEWEST, schema::STATUS_SCORE],
        (None, Some(_)) => [schema::STATE_NEWEST, schema::STATE_SCORE],
        (Some(_), Some(_)) => [schema::STATUS_STATE_NEWEST, schema::STATUS_STATE_SCORE],
    };
    let parts = ["LEADS"].into_iter();
    let parts = parts.chain(filter.status.as_ref().map(Status::as_str));
    let parts = parts.chain(filter.state.as_ref().map(UsState::as_str));
    let partition = parts.collect::<Vec<_>>().join("#");
    (if sort == Sort::Newest { newest } else { score }, partition)
}

fn stock_partition(stock: Stock, state: Option<UsState>) -> (Index, String) {
    match state {
        None => (schema::STOCK_NEWEST, format!("LEADS#{stock}")),
        Some(state) => (schema::STOCK_STATE_NEWEST, format!("LEADS#{stock}#{state}")),
    }
}

/// Returns a lead's sort key in lists with this sort order. Ids sort by creation time.
pub(super) fn list_sort(lead: &Lead, sort: Sort) -> String {
    match sort {
        Sort::Newest => lead.id.to_string(),
        Sort::Score => format!("{:03}#{}", lead.lead_score.get(), lead.id),
    }
}

/// Returns the lead's item: its fields and its index attributes.
pub(crate) fn lead_item(lead: &Lead) -> Result<Item, StoreError> {
    let mut item = to_item(&lead_key(lead.id), lead)?;
    let (status, stock) = (Some(lead.status), Some(lead.stock));
    for state in [None, lead.state] {
        let of_status =
            [Filter { state, ..Filter::default() }, Filter { status, state, ..Filter::default() }];
        let of_stock = Filter { stock, state, ..Filter::default() };
        let lists = of_status.into_iter().flat_map(|filter| [(filter, Sort::Newest), (filter, Sort::Score)]);
        for (filter, sort) in lists.chain([(of_stock, Sort::Newest)]) {
            let (index, partition) = list_partition(filter, sort);
            item.insert(index.partition.to_owned(), to_attribute(partition)?);
            item.insert(index.sort.to_owned(), to_attribute(list_sort(lead, sort))?);
        }
    }
    item.insert(WORD_INDEX.to_owned(), to_attribute(CURRENT_INDEX)?);
    Ok(item)
}

/// The attribute of a lead with the number of the search index that has its words. Version 0.1 wrote none.
pub(super) const WORD_INDEX: &str = "wordIndex";
/// The number of the search index of version 0.1.
pub(super) const FIRST_INDEX: u32 = 1;
/// The number of the current search index.
pub(super) const CURRENT_INDEX: u32 = StoredLead::CURRENT_INDEX;

/// The attribute with a lead's reservation by a large order.
pub(crate) const RESERVATION: &str = "hold";

/// The attributes of a lead's item that [`stored_lead`] reads. The others are index attributes.
pub(crate) const STORED: [&str; 20] = [
    "id",
    "name",
    "email",
    "phone",
    "company",
    "state",
    "leadScore",
    "status",
    "source",
    "owner",
    "fieldsVersion",
    "merged",
    WORD_INDEX,
    "stock",
    "orderId",
    "version",
    "createdAt",
    "updatedAt",
    "updatedBy",
    RESERVATION,
];

/// Reads a lead from its item.
pub(crate) fn stored_lead(item: Item) -> Result<StoredLead, StoreError> {
    #[derive(Deserialize)]
    struct WithReservation {
        #[serde(rename = "hold")]
        reservation: Reservation,
    }
    let reservation = match item.contains_key(RESERVATION) {
        true => Some(from_item::<WithReservation>(item.clone())?.reservation),
        false => None,
    };
    let number = item.get(WORD_INDEX).and_then(|number| number.as_n().ok()?.parse().ok());
    let word_index = number.unwrap_or(FIRST_INDEX);
    Ok(StoredLead { lead: from_item(item)?, reservation, word_index })
}

/// Returns the partition of a state, with its cap and the queue of its free leads.
pub(crate) fn state_partition(state: UsState) -> String {
    format!("STATE#{state}")
}

/// The prefix of the sort keys of free leads.
pub(crate) const FREE: &str = "FREE#";

/// Returns a free lead's key in the queue of its state. The queue is sorted by creation time, oldest first, then by id.
pub(crate) fn free_key(lead: &Lead, state: UsState) -> Key {
    let place = format!("{FREE}{:015}#{}", lead.created_at.as_millisecond().max(0), lead.id);
    Key::new(state_partition(state), place)
}

/// Adds the changes of the queues of free leads to a write. A queue item contains the whole lead, so that assigning it
/// needs no other read.
pub(crate) fn requeue(
    mut write: GuardedWrite,
    before: Option<&Lead>,
    after: Option<&Lead>,
) -> Result<GuardedWrite, StoreError> {
    let place = |lead: Option<&Lead>| lead.and_then(|lead| Some(free_key(lead, lead.free_in()?)));
    let (old, new) = (place(before), place(after));
    if let (Some(key), Some(lead)) = (&new, after) {
        write = write.put_derived("free", to_item(key, lead)?);
    }
    match old {
        Some(key) if new.as_ref() != Some(&key) => Ok(write.delete_derived("free", &key)),
        _ => Ok(write),
    }
}

/// Returns the key of a version's entry in a lead's history.
pub(crate) fn history_key(lead: LeadId, version: Version) -> Key {
    Key::new(lead_key(lead).pk, history_sort(version.get()))
}

pub(crate) fn history_item(lead: LeadId, entry: &HistoryEntry) -> Result<Item, StoreError> {
    to_item(&history_key(lead, entry.version), entry)
}

/// Returns the first history sort key after a version.
pub(super) fn history_after(version: Version) -> String {
    history_sort(version.get() + 1)
}

#[cfg(test)]
mod tests {
    use super::super::domain::NewLead;
    use super::*;
    use crate::base::identity::Actor;
    use crate::base::values::OrderId;
    use jiff::Timestamp;

    #[test]
    fn a_lead_is_read_from_its_stored_attributes() {
        let new =
            serde_json::json!({"name": "Ann", "email": "ann@example.com", "state": "NY", "leadScore": 7});
        let new: NewLead = serde_json::from_value(new).unwrap();
        let (id, actor) = (LeadId::new(Timestamp::UNIX_EPOCH, &[7; 10]), Actor::new("test"));
        let lead = new.into_lead(id, Timestamp::UNIX_EPOCH, actor.clone()).unwrap();
        let order = OrderId::new(Timestamp::UNIX_EPOCH, &[8; 10]);
        let lead = lead.moved(Stock::Assigned, Some(order), Timestamp::UNIX_EPOCH, actor);
        let mut item = lead_item(&lead).unwrap();
        let all = item.len();
        item.retain(|name, _| STORED.contains(&name.as_str()));
        assert_eq!(
            (item.len(), all - item.len()),
            (13, 10),
            "the keys and the index attributes are left out"
        );
        assert_eq!(stored_lead(item).unwrap().lead, lead);
    }
}
