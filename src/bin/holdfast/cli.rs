//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  holdfast                                   Serve on http://127.0.0.1:3000 with data in .holdfast
  holdfast --port 8080 --data-dir ~/desk     Serve elsewhere, with data elsewhere
  holdfast --port 0                          Serve on any free port, and print which

The first lines on standard output are the address and, on a line of its own, a link that signs the first
administrator in, once. Logs go to standard error; RUST_LOG=debug shows more. Ctrl-C stops.";

/// A desk for teams who grab at the same things at the same moment.
///
/// Serves pages and a JSON API on this computer alone, with an embedded database that keeps its data across restarts.
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; serve, unless said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve, where no command is given.
    #[command(flatten)]
    pub serve: ServeOptions,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve pages and the JSON API on this computer (this is also what happens without a command)
    Serve(ServeOptions),
}

/// How to serve.
#[derive(Debug, Args)]
pub struct ServeOptions {
    /// Port of 127.0.0.1 to serve on; 0 takes any that is free
    #[arg(long, env = "HOLDFAST_PORT", default_value_t = 3000)]
    pub port: u16,
    /// Local data
    #[command(flatten)]
    pub data: DataOptions,
}

/// Where local data is.
#[derive(Debug, Clone, Args)]
pub struct DataOptions {
    /// Directory of the local data; made if it is not there
    #[arg(long, env = "HOLDFAST_DATA_DIR", default_value = ".holdfast", value_name = "DIR")]
    pub data_dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves_as_with_serve() {
        for line in [&["holdfast", "--port", "8080"][..], &["holdfast", "serve", "--port", "8080"][..]] {
            let parsed = Cli::try_parse_from(line);
            let port = parsed.map(|cli| match cli.command {
                Some(Command::Serve(options)) => options.port,
                None => cli.serve.port,
            });
            assert_eq!(port.ok(), Some(8080), "{line:?}");
        }
    }

    #[test]
    fn help_names_every_variable_and_has_examples() {
        let help = Cli::command().render_long_help().to_string();
        for part in ["HOLDFAST_PORT", "HOLDFAST_DATA_DIR", "--data-dir", "Examples:"] {
            assert!(help.contains(part), "{part}");
        }
    }
}
