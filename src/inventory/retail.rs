//! The Online Retail and Online Retail II data sets as messages: each row of a product is one message. Pure.
//!
//! The data is by D. Chen (2015), UCI Machine Learning Repository, <https://doi.org/10.24432/C5BW33>, CC BY 4.0. A
//! row of an invoice is a sale and takes pieces from the stock. A row of an invoice that begins with C is a return.
//! In other invoices, a negative row is a correction, not a sale: its sign refers to the stock, so pieces were
//! written off. A positive row without price and customer is a correction too: pieces were found.
//!
//! Invariants: the same files give the same messages with the same ids in any order; the opening count of a product
//! is the sum of everything that leaves its stock in all files, so the stock suffices in any order of rows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use encoding_rs::WINDOWS_1252;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::domain::{Kind, Message, MessageId, ProductName, Reference, Sku, Units};

/// The shop is in the United Kingdom, and its invoices use local time.
static LONDON: TimeZone = jiff::tz::get!("Europe/London");

/// The columns, each with its name in Online Retail and, if different, in Online Retail II. Names are compared
/// without spaces and case.
const COLUMNS: [&[&str]; 7] = [
    &["InvoiceNo", "Invoice"],
    &["StockCode"],
    &["Description"],
    &["Quantity"],
    &["InvoiceDate"],
    &["UnitPrice", "Price"],
    &["CustomerID"],
];
/// The number of the first data row in a spreadsheet.
const FIRST_ROW: u64 = 2;

/// The reason why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetailError {
    /// A column is missing in the header.
    #[error(
        "this is not an Online Retail file: the header has no column {0} (or its name in Online Retail II)"
    )]
    Header(&'static str),
    /// A row is invalid.
    #[error("row {row}: {words}")]
    Row {
        /// The row number, as in a spreadsheet.
        row: u64,
        /// A description of the error.
        words: String,
    },
    /// The sum of the rows exceeds the largest stock.
    #[error("the sales of {0} exceed the largest possible stock")]
    TooMuch(Sku),
}

/// A row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A change of a product's stock.
    Product(Change),
    /// Postage, a fee or the like, with its stock code.
    NoProduct(String),
}

/// A change of a product's stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The product.
    pub sku: Sku,
    /// The kind of change.
    pub kind: Kind,
    /// The number of pieces.
    pub quantity: Units,
    /// The time of the invoice.
    pub at: Timestamp,
    /// The invoice number, with a prefix for corrections.
    pub reference: Option<Reference>,
    /// The description, if the row has a price. The descriptions of corrections do not name the product.
    pub name: Option<ProductName>,
}

impl Change {
    /// Builds the message of this row. `file` is the digest of its file.
    ///
    /// # Errors
    /// [`RetailError::Row`] if the message id would be too long. This cannot happen with a digest of [`digest_of`].
    pub fn message(self, file: &str, row: u64) -> Result<Message, RetailError> {
        let id = format!("online-retail:{file}:{row}");
        let message_id = id.parse().map_err(|_| wrong(row, "its message ID would be too long"))?;
        let Self { sku, kind, quantity, at, reference, .. } = self;
        Ok(Message { message_id, sku, kind, quantity, occurred_at: at, reference, name: None, version: None })
    }
}

fn wrong(row: u64, words: &str) -> RetailError {
    RetailError::Row { row, words: words.to_owned() }
}

/// Reads the rows of a file with their numbers.
///
/// # Errors
/// [`RetailError::Header`]; each row can be a [`RetailError::Row`].
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

/// Decodes a field as UTF-8, or else as Windows-1252, in which every byte is a character.
fn text_of(field: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(field) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(field).0,
    }
}

fn unreadable(row: u64, error: &csv::Error) -> RetailError {
    match error.kind() {
        csv::ErrorKind::Io(error) => wrong(row, &format!("it cannot be read: {}", error.kind())),
        _ => wrong(row, "it is not a valid CSV row"),
    }
}

fn read(row: u64, fields: &[String; COLUMNS.len()]) -> Result<Row, RetailError> {
    let [invoice, code, description, quantity, date, price, customer] = fields;
    let Some(sku) = parse_sku(code) else { return Ok(Row::NoProduct(code.to_ascii_uppercase())) };
    let quantity: i64 = quantity.parse().map_err(|_| wrong(row, "its Quantity is not a whole number"))?;
    let price: f64 = price.parse().map_err(|_| wrong(row, "its UnitPrice is not a number"))?;
    let at = moment(date).ok_or_else(|| {
        wrong(row, "its InvoiceDate is not a time such as 2010-12-01 08:26:00 or 12/1/2010 8:26")
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

/// Parses a product code: five digits and up to two letters. All other codes are postage, fees, samples and vouchers.
fn parse_sku(code: &str) -> Option<Sku> {
    let (digits, letters) = code.split_at_checked(5)?;
    let fits = digits.bytes().all(|byte| byte.is_ascii_digit())
        && letters.len() <= 2
        && letters.bytes().all(|byte| byte.is_ascii_alphabetic());
    code.parse().ok().filter(|_| fits)
}

/// Parses the time of an invoice: in the format of this data or of the original workbook, in the US spreadsheet
/// format with a year of two or four digits, or in ISO 8601. Without an offset, the time is local to the shop.
/// Without a time, it is midnight.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let local = if text.contains('/') { spreadsheet_time(text)? } else { iso_time(text)? };
    Some(local.to_zoned(LONDON.clone()).ok()?.timestamp())
}

fn iso_time(text: &str) -> Option<DateTime> {
    // jiff would read a two-digit year as a year of the first century.
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

/// Returns the start of a file's SHA-256, which identifies the file.
///
/// # Errors
/// If reading fails.
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

/// The totals of all files, which must be known before the first message: the opening stock of each product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    files: BTreeSet<String>,
    products: BTreeMap<Sku, Total>,
    first: Option<Timestamp>,
    /// How many rows there are.
    pub rows: u64,
    /// How many rows are not about a product, by stock code.
    pub skipped: BTreeMap<String, u64>,
}

/// The position of a description: time, file and row.
type Position = (Timestamp, String, u64);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Total {
    out: u64,
    name: Option<(Position, ProductName)>,
}

impl Survey {
    /// Adds a file by its digest. A file that was already added is ignored.
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

    /// Returns the number of products.
    pub fn products(&self) -> usize {
        self.products.len()
    }

    /// Returns the opening message of a product: a count of everything that leaves its stock, one minute before the
    /// first row. Its id depends on the set of files.
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
