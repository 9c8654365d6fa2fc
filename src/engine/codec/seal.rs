//! Checksums of stored values.

use std::borrow::Cow;

use super::Damaged;
use super::compress::{compress, decompress};

/// Compresses an item and adds its checksum.
pub fn seal_item(key: &[u8], item: &[u8]) -> Vec<u8> {
    seal(key, &compress(item))
}

/// Checks the CRC-32 and returns the item.
pub fn unseal_item<'a>(key: &[u8], sealed: &'a [u8]) -> Result<Cow<'a, [u8]>, Damaged> {
    decompress(unseal(key, sealed)?)
}

/// Puts a CRC-32 of key and value before the value.
pub fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(value.len() + 4);
    sealed.extend_from_slice(&checksum(key, value).to_le_bytes());
    sealed.extend_from_slice(value);
    sealed
}

/// Checks the CRC-32 of key and value and returns the value.
pub fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], Damaged> {
    let (crc, value) = sealed.split_first_chunk::<4>().ok_or(Damaged)?;
    (u32::from_le_bytes(*crc) == checksum(key, value)).then_some(value).ok_or(Damaged)
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}
