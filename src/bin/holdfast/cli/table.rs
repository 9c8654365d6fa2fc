//! Options that name the data that a command works on.

use std::path::PathBuf;

use clap::Args;

/// The table that a command works on: the local one unless a table on AWS is named.
#[derive(Debug, Args)]
pub struct TableOptions {
    #[command(flatten)]
    pub data: DataOptions,
    /// Table on AWS to use instead of the local data; credentials come from the environment, an AWS profile with keys
    /// or a role, or the machine's role
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Region of the table on AWS; from the environment or the AWS profile if omitted
    #[arg(long, requires = "table")]
    pub region: Option<String>,
}

/// The location of local data.
#[derive(Debug, Clone, Args)]
pub struct DataOptions {
    /// Directory of the local data; created when a command writes to it
    #[arg(long, env = "HOLDFAST_DATA_DIR", default_value = ".holdfast", value_name = "DIR")]
    pub data_dir: PathBuf,
}
