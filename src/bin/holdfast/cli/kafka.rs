//! Options of the commands that apply messages to stock: from a Kafka topic or from files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use holdfast::hosts::kafka::Setting;

use super::table::TableOptions;

const CONSUME_EXAMPLES: &str = "\
Examples:
  holdfast consume --brokers localhost:9092 --group holdfast
  holdfast consume --brokers b1:9092,b2:9092 --group holdfast --set session.timeout.ms=30000
  holdfast consume --brokers localhost:9092 --group holdfast --table holdfast --region us-east-1

Producers must give all messages of a SKU the same key, because Kafka orders messages only within a partition. Run one
consumer per partition to share the work. Each message counts once, even if it is delivered again. A message that cannot
be applied becomes a dead letter, and the consumer continues. Ctrl-C finishes running work, commits it, and leaves the
group. A second Ctrl-C stops immediately, which is safe. A consumer that runs on a local server's data stops with that
server: start it again after you restart the server.";

#[derive(Debug, Args)]
#[command(after_help = CONSUME_EXAMPLES)]
pub struct Consume {
    /// Initial brokers, separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    pub brokers: String,
    /// Consumer group to join
    #[arg(long)]
    pub group: String,
    /// Topic with the messages
    #[arg(long, default_value = "inventory-events")]
    pub topic: String,
    /// Additional librdkafka setting; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    #[command(flatten)]
    pub table: TableOptions,
}

#[cfg(feature = "kafka")]
impl Consume {
    /// Returns the options of the consumer.
    pub fn kafka(&self) -> holdfast::hosts::kafka::Options {
        holdfast::hosts::kafka::Options {
            brokers: self.brokers.clone(),
            group: self.group.clone(),
            topic: self.topic.clone(),
            settings: self.set.clone(),
        }
    }
}

const REPLAY_EXAMPLES: &str = "\
Examples:
  holdfast replay messages.jsonl
  holdfast replay --dry-run messages.jsonl
  holdfast replay --format online-retail 2010-12-01.csv 2010-12-02.csv
  holdfast replay messages.jsonl --table holdfast --region us-east-1

A message without a messageId is identified by its file's contents and its line. If the first lines of a file are not
messages, the file is refused before anything is written. The exit code is 1 if no row could be applied, now or before.
Online Retail data is the UCI data set of that name, or Online Retail II: each row of a product is a message, and each
product starts with a count of everything that leaves it in all given files. So give all files of one history in one
command: a later command with more files counts again. Ctrl-C is safe: run the same command again to continue.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON message per line
    Messages,
    /// The CSV columns of the UCI data sets Online Retail and Online Retail II
    OnlineRetail,
}

#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub struct Replay {
    /// Files, in order
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Format of the files
    #[arg(long, value_enum, default_value = "messages")]
    pub format: Format,
    /// Read the files and report their contents without writing anything
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub table: TableOptions,
}
