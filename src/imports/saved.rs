//! Mappings that people save, which are offered for files with the same headers.

use serde::{Deserialize, Serialize};

use super::ImportError;
use super::mapping::Mapping;
use crate::base::identity::Actor;
use crate::base::values::fingerprint;
use crate::imports::Imports;
use crate::store::{Key, StoreError, WriteError, from_item, to_item};

/// A saved mapping, which the whole team uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedMapping {
    /// The meaning of each column and of some values.
    pub mapping: Mapping,
    /// Who saved it last.
    pub saved_by: Actor,
}

/// Returns the key of the mapping for these headers.
fn key(headers: &[String]) -> Key {
    let parts: Vec<&[u8]> = headers.iter().map(String::as_bytes).collect();
    Key::new(format!("MAPPING#{}", fingerprint(&parts)), "MAPPING")
}

impl Imports {
    /// Saves a mapping for files with these headers. The last one that is saved stays.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn save_mapping(
        &self,
        headers: &[String],
        mapping: &Mapping,
        by: &Actor,
    ) -> Result<(), ImportError> {
        let key = key(headers);
        let saved = SavedMapping { mapping: mapping.clone(), saved_by: by.clone() };
        let write = self.dynamo.guarded_write().put_derived("mapping", to_item(&key, &saved)?);
        self.dynamo.write(write).await.map_err(|error| match error {
            WriteError::Store(error) => error.into(),
            WriteError::Refused(_) => StoreError::invariant_violation("TransactWriteItems", &key).into(),
        })
    }

    /// Returns the saved mapping for files with these headers, if there is one.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn saved_mapping(&self, headers: &[String]) -> Result<Option<SavedMapping>, ImportError> {
        let item = self.dynamo.get(&key(headers)).await?;
        let saved = item.map(from_item::<SavedMapping>).transpose()?;
        Ok(saved.filter(|saved| saved.mapping.fits(headers)))
    }
}
