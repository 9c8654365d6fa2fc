//! Fingerprints of requests and messages.

use sha2::{Digest as _, Sha256};

/// Returns the SHA-256 of all parts and their lengths, in hexadecimal. It identifies a request or a message.
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
