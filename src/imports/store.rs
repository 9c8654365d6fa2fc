//! Stores imports in the table. Each change is one guarded write.
//!
//! Invariants: an import changes together with the part that it counts. The rejected rows of a step are
//! written before the import advances, under keys that the same step would write again. The CSV of a workbook is
//! written before the import refers to it, under keys that only the same CSV has.

mod file;
mod rows;

use super::ImportError;
use super::domain::{Import, ImportId, Start};
use crate::base::identity::SignedIn;
use crate::imports::Imports;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::shared::numbers::counted;
use crate::store::schema::TTL;
use crate::store::{
    Condition, GuardedWrite, Item, Key, StoreError, WriteError, from_item, to_attribute, to_item,
};

fn import_key(id: ImportId) -> Key {
    Key::new(format!("IMPORT#{id}"), "IMPORT")
}

fn with_expiry(import: &Import, mut item: Item) -> Result<Item, StoreError> {
    item.insert(TTL.to_owned(), to_attribute(import.expires_at())?);
    Ok(item)
}

fn import_item(import: &Import) -> Result<Item, StoreError> {
    with_expiry(import, to_item(&import_key(import.id), import)?)
}

fn invariant_violation(id: ImportId) -> StoreError {
    StoreError::invariant_violation("TransactWriteItems", &import_key(id))
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
        self.write_unopposed(import.id, write).await
    }

    /// Makes a write that nothing can refuse, because its key is new or every process writes the same.
    async fn write_unopposed(&self, id: ImportId, write: GuardedWrite) -> Result<(), ImportError> {
        self.dynamo.write(write).await.map_err(|error| match error {
            WriteError::Store(error) => error.into(),
            WriteError::Refused(_) => invariant_violation(id).into(),
        })
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
}
