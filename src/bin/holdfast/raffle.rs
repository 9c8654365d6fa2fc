//! `holdfast raffle`: checks a draw with nothing but its proof.

use std::io::{self, Read};
use std::path::Path;

use holdfast::base::fields::{not_json, wrong_structure};
use holdfast::raffles::domain::{Proof, ProofError};

use crate::cli::VerifyProof;
use crate::console::Console;
use crate::failure::{Failure, on_one_line};

/// More than the proof of the largest raffle, even with each number on its own line.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Checks a proof, and prints each check that holds.
pub fn verify(options: &VerifyProof, console: &dyn Console) -> Result<(), Failure> {
    let proof = read(&options.file, console)?;
    console.print(&format!(
        "Raffle: {} ({}), method {}",
        proof.title,
        proof.raffle,
        on_one_line(&proof.method)
    ));
    let verdict = proof.verify();
    // The checks run in this order, and the first failure ends them.
    let (seed, list) = match &verdict {
        Ok(_) | Err(ProofError::OtherWinner(_)) => (true, true),
        Err(ProofError::OtherList(_) | ProofError::Order(_) | ProofError::NothingSold) => (true, false),
        Err(_) => (false, false),
    };
    let holds = if seed { "the seed is the one committed to; its SHA-256 is" } else { "published as" };
    console.print(&format!("Commitment: {holds} {}", proof.commitment));
    if let (true, Some(sold), Some(hash)) = (list, &proof.sold, proof.list_hash) {
        console.print(&format!("List hash: the SHA-256 of the list of sold tickets is {hash}"));
        console.print(&format!("Tickets: {} sold, each in the list once", sold.len()));
    }
    match verdict {
        Ok(verdict) => {
            console.print(&format!(
                "Winner: the seed and the list give ticket {}, as published",
                verdict.winner
            ));
            console.print(
                "The proof holds. Compare the commitment with the one that was shown before the draw.",
            );
            Ok(())
        }
        Err(error @ (ProofError::Method(_) | ProofError::NotDrawn | ProofError::Missing(_))) => {
            Err(Failure::Unchecked(error))
        }
        Err(error) => Err(Failure::Untrue(error)),
    }
}

fn read(file: &Path, console: &dyn Console) -> Result<Proof, Failure> {
    let bytes = if file == Path::new("-") {
        bytes_of(console.input()).map_err(Failure::Input)?
    } else {
        let bytes = console.open(file).and_then(bytes_of);
        bytes.map_err(Failure::file("read", file))?
    };
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(Failure::NoProof("it is longer than 4 MB".to_owned()));
    }
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    let proof = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        Failure::NoProof(on_one_line(&wrong_structure(&path, &error.into_inner())))
    })?;
    reader.end().map_err(|error| Failure::NoProof(on_one_line(&not_json(&error))))?;
    Ok(proof)
}

/// Reads everything, up to one byte more than the limit, so that the caller can refuse what is too long.
fn bytes_of(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
