//! The commands on raffles, with their options.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum RaffleCommand {
    /// Verify the proof of a draw: that the seed matches the commitment, and that the seed and the sold tickets give
    /// the winner
    Verify(VerifyProof),
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  holdfast raffle verify raffle.json
  curl -s https://holdfast.example/api/raffles/$ID/proof -H \"Authorization: Bearer $TOKEN\" | holdfast raffle verify -

Only the file is read: no table, no data directory, no network. The exit code is 0 if the proof holds, and 1 if it does
not or cannot be checked. Compare the printed commitment with the one that the raffle's page showed before the draw: no
file can prove that.";

#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLES)]
pub struct VerifyProof {
    /// File with the proof, from the raffle's page or GET /api/raffles/ID/proof; - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
