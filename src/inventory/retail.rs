//! The Online Retail data, and Online Retail II, as messages: each row of a product is one message. Pure.
//!
//! The data is by D. Chen (2015), UCI Machine Learning Repository, <https://doi.org/10.24432/C5BW33>, CC BY 4.0. A sale adds
//! to an invoice and so takes from the stock; an invoice that begins with C gives back. A negative row of another invoice is
//! no sale but a correction that goes by the stock's own sign: pieces were written off. A positive one without price and
//! customer is the same the other way round: pieces were found.
//!
//! What always holds: the same files, in any order, give the same messages with the same ids; the opening count of a product
//! is all that goes out of it in all of the files, so no order of the rows finds too little.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use encoding_rs::WINDOWS_1252;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::domain::{Kind, Message, MessageId, ProductName, Reference, Sku, Units};

/// The shop is in the United Kingdom, and its invoices say its local time.
static LONDON: TimeZone = jiff::tz::get!("Europe/London");

/// The columns that are read, each with its names in Online Retail and, where that is another, in Online Retail II. A name
/// counts without its spaces and in any case of letters.
const COLUMNS: [&[&str]; 7] = [
    &["InvoiceNo", "Invoice"],
    &["StockCode"],
    &["Description"],
    &["Quantity"],
    &["InvoiceDate"],
    &["UnitPrice", "Price"],
    &["CustomerID"],
];
/// The first row of data, as spreadsheets count.
const FIRST_ROW: u64 = 2;

/// Why a file is not in this format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetailError {
    /// The header is another.
    #[error("it is no Online Retail file: the header has no column {0}, or what Online Retail II calls it")]
    Header(&'static str),
    /// A row is not to be understood.
    #[error("row {row}: {words}")]
    Row {
        /// The row, as spreadsheets count.
        row: u64,
        /// What is wrong.
        words: String,
    },
    /// The rows come to something that no stock can be.
    #[error("more goes out of {0} than a stock can hold")]
    TooMuch(Sku),
}

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// It is about a product.
    Product(Change),
    /// It is about postage, fees or the like: what its stock code says.
    NoProduct(String),
}

/// What a row says of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The product.
    pub sku: Sku,
    /// What happened.
    pub kind: Kind,
    /// With how many pieces.
    pub quantity: Units,
    /// When.
    pub at: Timestamp,
    /// The invoice, and that it is a correction where it is one.
    pub reference: Option<Reference>,
    /// The description, where the row has a price: corrections say what happened, not what the product is.
    pub name: Option<ProductName>,
}

impl Change {
    /// The message of this row of the file with this digest.
    ///
    /// # Errors
    /// [`RetailError::Row`] for an id that is too long, which none of [`digest_of`] makes.
    pub fn message(self, file: &str, row: u64) -> Result<Message, RetailError> {
        let id = format!("online-retail:{file}:{row}");
        let message_id = id.parse().map_err(|_| wrong(row, "its message would have no id"))?;
        let Self { sku, kind, quantity, at, reference, .. } = self;
        Ok(Message { message_id, sku, kind, quantity, occurred_at: at, reference, name: None, version: None })
    }
}

fn wrong(row: u64, words: &str) -> RetailError {
    RetailError::Row { row, words: words.to_owned() }
}

/// The rows of a file, each with its number.
///
/// # Errors
/// [`RetailError::Header`]; each row may be a [`RetailError::Row`].
pub fn rows<R: Read>(file: R) -> Result<impl Iterator<Item = Result<(u64, Row), RetailError>>, RetailError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header = reader.byte_headers().map_err(|error| unreadable(1, &error))?.clone();
    let plain = |name: &str| name.trim_start_matches('\u{feff}').replace([' ', '_'], "").to_ascii_lowercase();
    let header: Vec<String> = header.iter().map(|field| plain(&text_of(field))).collect();
    let place = |names: &'static [&'static str]| {
        let found = names.iter().find_map(|name| header.iter().position(|field| *field == plain(name)));
        found.ok_or(RetailError::Header(names.first().copied().unwrap_or_default()))
    };
    let mut places = [0; COLUMNS.len()];
    for (to, names) in places.iter_mut().zip(COLUMNS) {
        *to = place(names)?;
    }
    Ok((FIRST_ROW..).zip(reader.into_byte_records()).map(move |(row, record)| {
        let record = record.map_err(|error| unreadable(row, &error))?;
        let fields = places.map(|place| text_of(record.get(place).unwrap_or_default()).trim().to_owned());
        read(row, &fields).map(|read| (row, read))
    }))
}

/// The text of a field: UTF-8, or else Windows-1252, in which every byte is a character.
fn text_of(field: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(field) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(field).0,
    }
}

fn unreadable(row: u64, error: &csv::Error) -> RetailError {
    match error.kind() {
        csv::ErrorKind::Io(error) => wrong(row, &format!("it cannot be read: {}", error.kind())),
        _ => wrong(row, "it is no row of CSV"),
    }
}

fn read(row: u64, fields: &[String; COLUMNS.len()]) -> Result<Row, RetailError> {
    let [invoice, code, description, quantity, date, price, customer] = fields;
    let Some(sku) = product(code) else { return Ok(Row::NoProduct(code.to_ascii_uppercase())) };
    let quantity: i64 = quantity.parse().map_err(|_| wrong(row, "its Quantity is no whole number"))?;
    let price: f64 = price.parse().map_err(|_| wrong(row, "its UnitPrice is no number"))?;
    let at = moment(date).ok_or_else(|| {
        wrong(row, "its InvoiceDate is no time such as 2010-12-01 08:26:00 or 12/1/2010 8:26")
    })?;
    let units = Units::try_from(quantity.unsigned_abs()).ok().filter(|units| units.get() > 0);
    let units = units.ok_or_else(|| wrong(row, "its Quantity is 0 or too large"))?;
    let free = price == 0.0 && customer.is_empty();
    let returned = invoice.starts_with(['C', 'c']);
    let (kind, reference) = match (returned, quantity > 0) {
        (true, false) => (Kind::Return, invoice.clone()),
        (false, false) => (Kind::Sale, format!("write-off {invoice}")),
        (false, true) if free => (Kind::Receipt, format!("found {invoice}")),
        (_, true) => (Kind::Sale, invoice.clone()),
    };
    let name = description.parse().ok().filter(|_| price > 0.0);
    Ok(Row::Product(Change { sku, kind, quantity: units, at, reference: reference.parse().ok(), name }))
}

/// A product's code is five digits and up to two letters; all others are postage, fees, samples and vouchers.
fn product(code: &str) -> Option<Sku> {
    let (digits, letters) = code.split_at_checked(5)?;
    let fits = digits.bytes().all(|byte| byte.is_ascii_digit())
        && letters.len() <= 2
        && letters.bytes().all(|byte| byte.is_ascii_alphabetic());
    code.parse().ok().filter(|_| fits)
}

/// The moment of an invoice: as this data or the original workbook writes it, as spreadsheets in the United States do with
/// two or four digits of the year, or in ISO 8601. Without an offset it is the shop's time, without a time its midnight.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let local = if text.contains('/') { spreadsheet_time(text)? } else { iso_time(text)? };
    Some(local.to_zoned(LONDON.clone()).ok()?.timestamp())
}

fn iso_time(text: &str) -> Option<DateTime> {
    // jiff would take a year of two digits for one of the first century.
    let year = text.split('-').next()?;
    (year.len() == 4).then(|| text.parse().ok()).flatten()
}

fn spreadsheet_time(text: &str) -> Option<DateTime> {
    let date = text.split(' ').next()?;
    let year = match date.rsplit('/').next()?.len() {
        2 => "%y",
        4 => "%Y",
        _ => return None,
    };
    let times = [" %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p"];
    let with_time =
        times.iter().find_map(|time| DateTime::strptime(format!("%m/%d/{year}{time}"), text).ok());
    let at_midnight = || Some(Date::strptime(format!("%m/%d/{year}"), text).ok()?.at(0, 0, 0, 0));
    with_time.or_else(at_midnight)
}

/// What tells a file from others: the beginning of the SHA-256 of what it says.
///
/// # Errors
/// Those of reading.
pub fn digest_of(mut file: impl Read) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(hash)),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What must be known of all files before the first message: with how much each product opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    files: BTreeSet<String>,
    products: BTreeMap<Sku, Total>,
    first: Option<Timestamp>,
    /// How many rows there are.
    pub rows: u64,
    /// How many rows are about no product, by their stock code.
    pub skipped: BTreeMap<String, u64>,
}

/// Where a description stands: when, in which file, in which row.
type Place = (Timestamp, String, u64);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Total {
    out: u64,
    name: Option<(Place, ProductName)>,
}

impl Survey {
    /// Adds a file by its digest. One that was added before is not added again.
    ///
    /// # Errors
    /// [`RetailError`].
    pub fn add(&mut self, digest: &str, file: impl Read) -> Result<(), RetailError> {
        if !self.files.insert(digest.to_owned()) {
            return Ok(());
        }
        for row in rows(file)? {
            let (row, read) = row?;
            self.rows += 1;
            match read {
                Row::NoProduct(code) => *self.skipped.entry(code).or_default() += 1,
                Row::Product(change) => self.count(change, digest, row),
            }
        }
        let beyond = self.products.iter().find(|(_, total)| Units::try_from(total.out).is_err());
        beyond.map_or(Ok(()), |(sku, _)| Err(RetailError::TooMuch(sku.clone())))
    }

    fn count(&mut self, change: Change, digest: &str, row: u64) {
        let total = self.products.entry(change.sku).or_default();
        if change.kind == Kind::Sale {
            total.out = total.out.saturating_add(change.quantity.get());
        }
        if let Some(name) = change.name {
            let named = ((change.at, digest.to_owned(), row), name);
            total.name =
                total.name.take().into_iter().chain([named]).min_by(|one, other| one.0.cmp(&other.0));
        }
        self.first = self.first.into_iter().chain([change.at]).min();
    }

    /// How many products there are.
    pub fn products(&self) -> usize {
        self.products.len()
    }

    /// The message with which a product opens: a count of all that goes out of it, a minute before everything. Its id is
    /// that of the set of files.
    pub fn opening(&self, sku: &Sku) -> Option<Message> {
        let Total { out, name } = self.products.get(sku)?;
        let before = self.first?.saturating_add(SignedDuration::from_mins(-1)).unwrap_or(Timestamp::MIN);
        Some(Message {
            message_id: self.opening_id(sku)?,
            sku: sku.clone(),
            kind: Kind::Count,
            quantity: Units::try_from(*out).ok()?,
            occurred_at: before,
            reference: "opening stock".parse().ok(),
            name: name.as_ref().map(|(_, name)| name.clone()),
            version: None,
        })
    }

    fn opening_id(&self, sku: &Sku) -> Option<MessageId> {
        let mut hash = Sha256::new();
        self.files.iter().for_each(|file| hash.update(file));
        format!("online-retail:opening:{}:{sku}", hex(hash)).parse().ok()
    }
}

#[cfg(test)]
mod tests;
