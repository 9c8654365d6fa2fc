//! Stores imports in the table. Each change is one guarded write.
//!
//! Invariants: an import changes together with the part that it counts. The rejected rows of a step are
//! written before the import advances, under keys that the same step would write again.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::Blob;

use super::ImportError;
use super::domain::{Import, ImportId, PART_BYTES, Rejection, Step};
use super::file::{Cursor, MIN_WINDOW_BYTES};
use crate::base::identity::SignedIn;
use crate::imports::Imports;
use crate::store::schema::TTL;
use crate::store::{Condition, Item, Key, Select, StoreError, WriteError, from_item, to_attribute, to_item};

/// The attribute with the bytes of a part.
const BYTES: &str = "bytes";
/// The largest row number that a key can hold. A file of 20 MiB has fewer rows.
const LAST_ROW: u64 = 99_999_999;
/// The number of rejected rows in one transaction, which holds 4 MB.
const REJECTIONS_AT_ONCE: usize = 50;

fn import_key(id: ImportId) -> Key {
    Key::new(format!("IMPORT#{id}"), "IMPORT")
}

fn part_key(id: ImportId, number: u64) -> Key {
    Key::new(import_key(id).pk, format!("PART#{number:05}"))
}

fn rejection_key(id: ImportId, row: u64) -> Key {
    Key::new(import_key(id).pk, format!("REJECT#{:08}", row.min(LAST_ROW)))
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

impl Imports {
    /// Creates an import with its whole file. Stores nothing if the file cannot be imported.
    ///
    /// # Errors
    /// The same as [`Import::begin`] and [`Import::with_part`].
    pub async fn receive(
        &self,
        who: &SignedIn,
        file_name: &str,
        bytes: &[u8],
    ) -> Result<Import, ImportError> {
        let mut import = self.new_import(who, file_name, bytes.len() as u64)?;
        let parts = bytes.chunks(usize::try_from(PART_BYTES).unwrap_or(usize::MAX));
        if let Some(first) = parts.clone().next() {
            import.with_part(0, first)?;
        }
        self.create(&import).await?;
        for (number, part) in (0..).zip(parts) {
            import = self.add_part(&import, number, part).await?;
        }
        Ok(import)
    }

    /// Stores the next part of an import's file. A part that has already arrived is not written again.
    ///
    /// # Errors
    /// The same as [`Import::with_part`].
    pub async fn add_part(&self, import: &Import, number: u32, bytes: &[u8]) -> Result<Import, ImportError> {
        if number < import.parts {
            return Ok(import.clone());
        }
        let after = import.with_part(number, bytes)?;
        let mut part = to_item(&part_key(import.id, number.into()), &serde_json::json!({}))?;
        part.insert(BYTES.to_owned(), AttributeValue::B(Blob::new(bytes)));
        let write = self
            .dynamo
            .guarded_write()
            .put("import", import_item(&after)?, Condition::is_number("version", import.version.get()))
            .put_derived("part", with_expiry(import, part)?);
        match self.dynamo.write(write).await {
            Ok(()) => Ok(after),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(_)) => {
                let fresh = self.read(import.id).await?;
                let is_there = number < fresh.parts;
                if is_there { Ok(fresh) } else { Err(ImportError::PartOutOfOrder { expected: fresh.parts }) }
            }
        }
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
    pub async fn start(&self, import: &Import, slugs: &[String]) -> Result<Import, ImportError> {
        let after = import.started(slugs)?;
        if after == *import { Ok(after) } else { self.replace(import, after).await }
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
            self.dynamo.write(write).await.map_err(|error| match error {
                WriteError::Store(error) => error,
                WriteError::Refused(_) => invariant_violation(import.id),
            })?;
        }
        self.replace(import, import.advanced(step)).await
    }

    /// Replaces `before` with `after`. Returns the stored import if it is no longer `before`.
    async fn replace(&self, before: &Import, after: Import) -> Result<Import, ImportError> {
        let unchanged = Condition::is_number("version", before.version.get());
        let write = self.dynamo.guarded_write().put("import", import_item(&after)?, unchanged);
        match self.dynamo.write(write).await {
            Ok(()) => Ok(after),
            Err(WriteError::Refused(_)) => self.read(before.id).await,
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// Reads bytes of the file from a cursor on, enough for one row. Returns whether they extend to the end
    /// of the file.
    ///
    /// # Errors
    /// [`ImportError::NotFound`] if the file no longer exists.
    pub async fn window(&self, import: &Import, cursor: Cursor) -> Result<(Vec<u8>, bool), ImportError> {
        let first = cursor.offset / PART_BYTES;
        let end = (cursor.offset + MIN_WINDOW_BYTES as u64).min(import.size);
        let parts = first..end.div_ceil(PART_BYTES).max(first + 1).min(import.all_parts().into());
        let keys: Vec<Key> = parts.clone().map(|number| part_key(import.id, number)).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        if items.len() < keys.len() {
            return Err(ImportError::NotFound);
        }
        let mut bytes = Vec::new();
        for item in &items {
            let part = item.get(BYTES).and_then(|value| value.as_b().ok());
            bytes.extend_from_slice(part.ok_or_else(|| invariant_violation(import.id))?.as_ref());
        }
        let skip = usize::try_from(cursor.offset - first * PART_BYTES).unwrap_or(usize::MAX);
        Ok((bytes.split_off(skip.min(bytes.len())), parts.end >= u64::from(import.all_parts())))
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
