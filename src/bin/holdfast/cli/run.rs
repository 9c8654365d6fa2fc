//! Options of `run`.

use clap::Args;

use super::table::TableOptions;

const RUN_EXAMPLES: &str = "\
Examples:
  holdfast run help
  holdfast run 'get_leads status=unassigned state=CA'
  holdfast run < commands.txt
  holdfast run 'get_orders status=open' --table holdfast --region us-east-1

One command per line. All lines are parsed before the first one runs; if any is invalid, none runs. A failed line does
not stop the others, and the exit code is then 1.";

#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunCommands {
    /// Commands, one per line; read from standard input if omitted
    #[arg(value_name = "COMMANDS")]
    pub commands: Option<String>,
    #[command(flatten)]
    pub table: TableOptions,
}
