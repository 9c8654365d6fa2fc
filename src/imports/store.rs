//! Stores imports in the table. Each change is one guarded write.
//!
//! Invariants: an import changes together with the part that it counts. The rejected rows of a step are
//! written before the import advances, under keys that the same step would write again. The CSV of a workbook is
//! written before the import refers to it, under keys that only the same CSV has.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::Blob;
use serde::{Deserialize, Serialize};

use super::ImportError;
use super::domain::{Import, ImportId, PART_BYTES, Rejection, Start, Step};
use super::file::{Batch, Cursor, Dialect, Head, Limits, Row, WINDOW_BYTES, csv_of, read_rows};
use super::outcome::RowOutcome;
use crate::base::identity::SignedIn;
use crate::imports::Imports;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::shared::numbers::counted;
use crate::store::schema::TTL;
use crate::store::{
    Condition, GuardedWrite, Item, Key, Select, StoreError, WriteError, from_item, to_attribute, to_item,
};

/// The attribute with the bytes of a part.
const BYTES: &str = "bytes";
/// The largest row number that a key can hold. A file of 20 MiB has fewer rows.
const LAST_ROW: u64 = 99_999_999;
/// The number of rejected rows in one transaction, which holds 4 MB.
const REJECTIONS_AT_ONCE: usize = 50;
/// The number of parts in one transaction.
const PARTS_AT_ONCE: usize = 8;

fn import_key(id: ImportId) -> Key {
    Key::new(format!("IMPORT#{id}"), "IMPORT")
}

fn part_key(import: &Import, number: u64) -> Key {
    let sheet = import.sheet.as_ref().map(|sheet| format!("{sheet}#")).unwrap_or_default();
    Key::new(import_key(import.id).pk, format!("PART#{sheet}{number:05}"))
}

fn part_item(import: &Import, number: u64, bytes: &[u8]) -> Result<Item, StoreError> {
    let mut part = to_item(&part_key(import, number), &serde_json::json!({}))?;
    part.insert(BYTES.to_owned(), AttributeValue::B(Blob::new(bytes)));
    with_expiry(import, part)
}

/// Returns the parts of a file.
fn parts_of(bytes: &[u8]) -> std::slice::Chunks<'_, u8> {
    bytes.chunks(usize::try_from(PART_BYTES).unwrap_or(usize::MAX))
}

fn rejection_key(id: ImportId, row: u64) -> Key {
    Key::new(import_key(id).pk, format!("REJECT#{:08}", row.min(LAST_ROW)))
}

/// The key of the outcomes of a step whose first row is this one.
fn outcomes_key(id: ImportId, row: u64) -> Key {
    Key::new(import_key(id).pk, format!("ROWS#{:08}", row.min(LAST_ROW)))
}

/// The outcomes of the rows of a step.
#[derive(Debug, Serialize, Deserialize)]
struct Outcomes {
    rows: Vec<RowOutcome>,
}

fn with_expiry(import: &Import, mut item: Item) -> Result<Item, StoreError> {
    item.insert(TTL.to_owned(), to_attribute(import.expires_at())?);
    Ok(item)
}

fn import_item(import: &Import) -> Result<Item, StoreError> {
    with_expiry(import, to_item(&import_key(import.id), import)?)
}

impl Imports {
    /// Creates an import whose file arrives in parts.
    ///
    /// # Errors
    /// The same as [`Import::begin`].
    pub async fn begin(&self, who: &SignedIn, file_name: &str, size: u64) -> Result<Import, ImportError> {
        let import = self.new_import(who, file_name, size)?;
        self.create(&import).await?;
        Ok(import)
    }

    fn new_import(&self, who: &SignedIn, file_name: &str, size: u64) -> Result<Import, ImportError> {
        let now = self.clock.now();
        Import::begin(ImportId::new(now, &self.rng.bytes()), file_name, size, who.id, now)
    }

    async fn create(&self, import: &Import) -> Result<(), ImportError> {
        let write = self.dynamo.guarded_write().put("import", import_item(import)?, Condition::Absent);
        self.dynamo.write(write).await.map_err(|error| match error {
            WriteError::Store(error) => error.into(),
            WriteError::Refused(_) => invariant_violation(import.id).into(),
        })
    }
}

fn invariant_violation(id: ImportId) -> StoreError {
    StoreError::invariant_violation("TransactWriteItems", &import_key(id))
}

/// Returns whether a part has arrived. The parts of a workbook are gone once it is converted.
fn has_part(import: &Import, number: u32) -> bool {
    number < import.parts || import.sheet.is_some()
}

impl Imports {
    /// Creates an import with its whole file. Stores nothing if the file cannot be imported.
    ///
    /// # Errors
    /// The same as [`Import::begin`] and [`Import::with_part`], or why a workbook cannot be converted.
    pub async fn receive(
        &self,
        who: &SignedIn,
        file_name: &str,
        bytes: &[u8],
    ) -> Result<Import, ImportError> {
        let csv = csv_of(bytes)?;
        let mut import = self.new_import(who, file_name, csv.len() as u64)?;
        if let Some(first) = parts_of(&csv).next() {
            import.with_part(0, first)?;
        }
        self.create(&import).await?;
        for (number, part) in (0..).zip(parts_of(&csv)) {
            import = self.add_part(&import, number, part).await?;
        }
        Ok(import)
    }

    /// Stores the next part of an import's file. A part that has already arrived is not written again. When the
    /// last part of a workbook arrives, its CSV is stored instead.
    ///
    /// # Errors
    /// The same as [`Import::with_part`], or why a workbook cannot be converted.
    pub async fn add_part(&self, import: &Import, number: u32, bytes: &[u8]) -> Result<Import, ImportError> {
        if has_part(import, number) {
            return Ok(import.clone());
        }
        let mut after = import.with_part(number, bytes)?;
        let mut part = Some(part_item(import, number.into(), bytes)?);
        if after.is_unconverted() {
            after = self.convert(import, &after, bytes).await?;
            part = None;
        }
        let unchanged = Condition::is_number("version", import.version.get());
        let mut write = self.dynamo.guarded_write().put("import", import_item(&after)?, unchanged);
        if let Some(part) = part {
            write = write.put_derived("part", part);
        }
        match self.dynamo.write(write).await {
            Ok(()) => Ok(after),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(_)) => {
                let fresh = self.read(import.id).await?;
                let is_there = has_part(&fresh, number);
                if is_there { Ok(fresh) } else { Err(ImportError::PartOutOfOrder { expected: fresh.parts }) }
            }
        }
    }

    /// Stores the CSV of a workbook, and returns the import with it. `last` is the last part of the workbook.
    async fn convert(&self, import: &Import, complete: &Import, last: &[u8]) -> Result<Import, ImportError> {
        let mut workbook = self.parts(import, 0..import.parts.into()).await?;
        workbook.extend_from_slice(last);
        let csv = csv_of(&workbook)?;
        let converted = complete.converted(&csv)?;
        let parts: Vec<(u64, &[u8])> = (0..).zip(parts_of(&csv)).collect();
        for parts in parts.chunks(PARTS_AT_ONCE) {
            let mut write = self.dynamo.guarded_write();
            for (number, part) in parts {
                write = write.put_derived("part", part_item(&converted, *number, part)?);
            }
            self.dynamo.write(write).await.map_err(|error| match error {
                WriteError::Store(error) => error,
                WriteError::Refused(_) => invariant_violation(import.id),
            })?;
        }
        Ok(converted)
    }

    async fn read(&self, id: ImportId) -> Result<Import, ImportError> {
        let item = self.dynamo.get(&import_key(id)).await?.ok_or(ImportError::NotFound)?;
        Ok(from_item(item)?)
    }

    /// Reads an import, for its owner or an administrator.
    ///
    /// # Errors
    /// [`ImportError::NotFound`] if the import does not exist or another person owns it.
    pub async fn find(&self, id: ImportId, who: &SignedIn) -> Result<Import, ImportError> {
        let import = self.read(id).await?;
        if import.is_open_to(who) { Ok(import) } else { Err(ImportError::NotFound) }
    }

    /// Starts an import with the meaning of each column.
    ///
    /// # Errors
    /// The same as [`Import::started`].
    pub async fn start(
        &self,
        import: &Import,
        start: &Start,
        by: &AuditActor,
    ) -> Result<Import, ImportError> {
        let after = import.started(start)?;
        if after == *import {
            return Ok(after);
        }
        let about = if after.is_estimated() { "about " } else { "" };
        let rows = counted(after.all_rows(), "row", "rows");
        let detail = format!("Import of {about}{rows} started.");
        let entry = self.import_entry(import, AuditKind::Import, by, detail);
        self.replace_audited(import, after, Some(&entry)).await
    }

    /// Returns an audit entry about an import.
    pub(super) fn import_entry(
        &self,
        import: &Import,
        kind: AuditKind,
        by: &AuditActor,
        detail: impl Into<String>,
    ) -> AuditEntry {
        let now = self.clock.now();
        let entry = AuditEntry::new(&self.rng, now, by, kind, import.file_name.as_str(), detail);
        entry.at_path(import.path())
    }

    /// Stores the result of a step. If another process stored the same step first, its result is kept,
    /// because it is the same.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn advance(&self, import: &Import, step: &Step) -> Result<Import, ImportError> {
        for rejections in step.rejections.chunks(REJECTIONS_AT_ONCE) {
            let mut write = self.dynamo.guarded_write();
            for rejection in rejections {
                let item = to_item(&rejection_key(import.id, rejection.row), rejection)?;
                write = write.put_derived("rejection", with_expiry(import, item)?);
            }
            self.write_derived(import.id, write).await?;
        }
        if let Some(first) = step.outcomes.first() {
            let outcomes = Outcomes { rows: step.outcomes.clone() };
            let item = with_expiry(import, to_item(&outcomes_key(import.id, first.row), &outcomes)?)?;
            self.write_derived(import.id, self.dynamo.guarded_write().put_derived("outcomes", item)).await?;
        }
        self.replace(import, import.advanced(step)).await
    }

    async fn write_derived(&self, id: ImportId, write: GuardedWrite) -> Result<(), ImportError> {
        self.dynamo.write(write).await.map_err(|error| match error {
            WriteError::Store(error) => error.into(),
            WriteError::Refused(_) => invariant_violation(id).into(),
        })
    }

    /// Returns the outcomes of the rows of the first step from this row on, or `None` at the end.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn next_outcomes(
        &self,
        id: ImportId,
        first: u64,
    ) -> Result<Option<Vec<RowOutcome>>, ImportError> {
        let last = outcomes_key(id, LAST_ROW);
        let range = Select::partition(last.pk, 1).between(outcomes_key(id, first).sk, last.sk);
        let item = self.dynamo.select(&range).await?.items.into_iter().next();
        Ok(item.map(from_item::<Outcomes>).transpose()?.map(|outcomes| outcomes.rows))
    }

    /// Returns the outcomes of the rows of the last step between these rows, or `None` if there is none.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn last_outcomes(
        &self,
        id: ImportId,
        first: u64,
        last: u64,
    ) -> Result<Option<Vec<RowOutcome>>, ImportError> {
        if last < first {
            return Ok(None);
        }
        let end = outcomes_key(id, last);
        let range = Select::partition(end.pk, 1).between(outcomes_key(id, first).sk, end.sk).backwards();
        let item = self.dynamo.select(&range).await?.items.into_iter().next();
        Ok(item.map(from_item::<Outcomes>).transpose()?.map(|outcomes| outcomes.rows))
    }

    /// Returns the outcomes of the rows from the first to the last one.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn outcomes(
        &self,
        id: ImportId,
        first: u64,
        last: u64,
    ) -> Result<Vec<RowOutcome>, ImportError> {
        let mut found: Vec<RowOutcome> = Vec::new();
        let mut first = first;
        while first <= last
            && let Some(rows) = self.next_outcomes(id, first).await?
        {
            let Some(end) = rows.last() else { break };
            first = end.row + 1;
            found.extend(rows.into_iter().filter(|outcome| outcome.row <= last));
        }
        Ok(found)
    }

    /// Replaces `before` with `after`. Returns the stored import if it is no longer `before`.
    pub(super) async fn replace(&self, before: &Import, after: Import) -> Result<Import, ImportError> {
        self.replace_audited(before, after, None).await
    }

    /// Replaces `before` with `after` like [`replace`](Self::replace), together with an audit entry.
    pub(super) async fn replace_audited(
        &self,
        before: &Import,
        after: Import,
        entry: Option<&AuditEntry>,
    ) -> Result<Import, ImportError> {
        let unchanged = Condition::is_number("version", before.version.get());
        let mut write = self.dynamo.guarded_write().put("import", import_item(&after)?, unchanged);
        if let Some(entry) = entry {
            write = write.audit(entry)?;
        }
        match self.dynamo.write(write).await {
            Ok(()) => Ok(after),
            Err(WriteError::Refused(_)) => self.read(before.id).await,
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// Reads rows of the file from a cursor on: as many as are in the first window, or in the shortest one that
    /// holds a whole row.
    ///
    /// # Errors
    /// [`ImportError::NotFound`] if the file no longer exists.
    pub async fn read_batch(
        &self,
        import: &Import,
        dialect: &Dialect,
        cursor: Cursor,
        limits: Limits,
    ) -> Result<Batch, ImportError> {
        let mut wanted = WINDOW_BYTES;
        loop {
            let (window, at_end) = self.window(import, cursor, wanted).await?;
            let batch = read_rows(dialect, cursor, &window, at_end, limits);
            if !batch.stalled {
                return Ok(batch);
            }
            if at_end {
                return Err(invariant_violation(import.id).into());
            }
            wanted = 2 * window.len().max(wanted);
        }
    }

    /// Reads the first rows of the file, at most as many as are in its first windows.
    ///
    /// # Errors
    /// [`ImportError::NotFound`] if the file no longer exists.
    pub async fn read_rows(
        &self,
        import: &Import,
        head: &Head,
        limits: Limits,
    ) -> Result<Vec<Row>, ImportError> {
        const MOST_BATCHES: usize = 4;
        let (mut rows, mut cursor) = (Vec::new(), head.data);
        for _ in 0..MOST_BATCHES {
            let left = Limits { rows: limits.rows - rows.len(), ..limits };
            let batch = self.read_batch(import, &head.dialect, cursor, left).await?;
            cursor = batch.next;
            rows.extend(batch.rows);
            if batch.finished || rows.len() >= limits.rows {
                break;
            }
        }
        Ok(rows)
    }

    /// Reads bytes of the file from a cursor on, at least as many as are wanted unless the file ends before.
    /// Returns whether they extend to the end of the file.
    ///
    /// # Errors
    /// [`ImportError::NotFound`] if the file no longer exists.
    pub async fn window(
        &self,
        import: &Import,
        cursor: Cursor,
        wanted: usize,
    ) -> Result<(Vec<u8>, bool), ImportError> {
        let first = cursor.offset / PART_BYTES;
        let end = cursor.offset.saturating_add(wanted as u64).min(import.size);
        let all: u64 = import.all_parts().into();
        let parts = first..end.div_ceil(PART_BYTES).max(first + 1).min(all);
        let is_end = parts.end >= all;
        let mut bytes = self.parts(import, parts).await?;
        let skip = usize::try_from(cursor.offset - first * PART_BYTES).unwrap_or(usize::MAX);
        Ok((bytes.split_off(skip.min(bytes.len())), is_end))
    }

    /// Reads parts of the file.
    async fn parts(&self, import: &Import, numbers: std::ops::Range<u64>) -> Result<Vec<u8>, ImportError> {
        let keys: Vec<Key> = numbers.map(|number| part_key(import, number)).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        if items.len() < keys.len() {
            return Err(ImportError::NotFound);
        }
        let mut bytes = Vec::new();
        for item in &items {
            let part = item.get(BYTES).and_then(|value| value.as_b().ok());
            bytes.extend_from_slice(part.ok_or_else(|| invariant_violation(import.id))?.as_ref());
        }
        Ok(bytes)
    }

    /// Returns at most `most` rejected rows with numbers from `first` to `last`.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn rejections(
        &self,
        id: ImportId,
        first: u64,
        last: u64,
        most: u16,
    ) -> Result<Vec<Rejection>, ImportError> {
        let (pk, most) = (import_key(id).pk, usize::from(most));
        let mut found = Vec::new();
        let mut first = first;
        while found.len() < most {
            let limit = i32::try_from(most - found.len()).unwrap_or(i32::MAX);
            let range = Select::partition(&*pk, limit)
                .between(rejection_key(id, first).sk, rejection_key(id, last).sk);
            let page = self.dynamo.select(&range).await?;
            for item in page.items {
                let rejection: Rejection = from_item(item)?;
                first = rejection.row + 1;
                found.push(rejection);
            }
            // DynamoDB ends a page after one megabyte, so the rest needs another page.
            if !page.more || first > last {
                break;
            }
        }
        Ok(found)
    }
}
