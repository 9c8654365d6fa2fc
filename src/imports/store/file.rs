//! The file of an import, stored in parts.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::Blob;

use super::{import_item, import_key, invariant_violation, with_expiry};
use crate::base::identity::SignedIn;
use crate::imports::domain::{Import, PART_BYTES};
use crate::imports::file::{Batch, Cursor, Dialect, Head, Limits, Row, WINDOW_BYTES, csv_of, read_rows};
use crate::imports::{ImportError, Imports};
use crate::store::{Condition, Item, Key, StoreError, WriteError, to_item};

/// The attribute with the bytes of a part.
const BYTES: &str = "bytes";
/// The number of parts in one transaction.
const PARTS_AT_ONCE: usize = 8;

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
            self.write_unopposed(import.id, write).await?;
        }
        Ok(converted)
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
}
