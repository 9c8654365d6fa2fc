//! Replaying files from the shell: messages, and real days of a shop.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast::inventory::domain::Product;
use holdfast::inventory::store::Order;
use holdfast::shared::dead_letters::service::DeadLetters as _;
use holdfast::shared::numbers::grouped;

use crate::process::binary::{Data, Run};
use crate::support::chance::Dice;
use crate::support::process::target;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        dynamodb: real_hours_replayed_again_after_a_kill_match_their_file,
            real_hours_in_another_order_give_the_same_stock,
            all_real_days_match_their_files,
            each_line_of_a_file_of_messages_is_applied_once,
            a_real_day_matches_its_file;
        embedded: an_unusable_replay_file_is_refused_with_a_reason,
            a_dry_run_describes_the_files_and_writes_nothing,
            a_replay_that_applies_nothing_is_a_failure,
            files_in_the_online_retail_ii_format_are_replayed
    ];
    // Without the folder, the case would succeed and show nothing.
    if std::env::var_os(RETAIL_DIR).is_none() {
        cases.retain(|case| case.name != stringify!(all_real_days_match_their_files));
    }
    cases
}

/// The variable that names a folder with more days than the one in this repository.
const RETAIL_DIR: &str = "HOLDFAST_RETAIL_DIR";

/// The limit for many rows on a slow engine.
const LONG: Duration = Duration::from_secs(800);

const DAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/retail/2010-12-01.csv");

/// The final stock of each product according to the files, computed without the application's code.
fn model(files: &[PathBuf]) -> BTreeMap<String, i64> {
    let mut stocks = BTreeMap::new();
    for file in files {
        let mut reader = csv::Reader::from_path(file).unwrap();
        for row in reader.records() {
            let row = row.unwrap();
            let (invoice, code, quantity) = (&row[0], &row[1], row[3].parse::<i64>().unwrap());
            let digits = code.bytes().take_while(u8::is_ascii_digit).count();
            let letters = code.bytes().skip(digits).all(|byte| byte.is_ascii_alphabetic());
            if digits != 5 || !letters || code.len() > 7 {
                continue;
            }
            // A product opens with everything that is sold later, so the final stock is what comes in.
            let found = row[5].parse::<f64>().unwrap() == 0.0 && row[6].is_empty() && quantity > 0;
            let back = if invoice.starts_with('C') || found { quantity.abs() } else { 0 };
            *stocks.entry(code.to_uppercase()).or_insert(0) += back;
        }
    }
    stocks
}

async fn products(workspace: &Workspace) -> Vec<Product> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = workspace.app.inventory().list(Order::BySku, 100, cursor.as_deref()).await.unwrap();
        all.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return all,
        }
    }
}

async fn stocks(workspace: &Workspace) -> BTreeMap<String, i64> {
    let stock = |product: Product| (product.sku.to_string(), product.stock.get().try_into().unwrap());
    products(workspace).await.into_iter().map(stock).collect()
}

/// Replays files in this format with the `holdfast` command.
fn replay(environment: &TestEnvironment, format: &str, files: &[PathBuf]) -> Run {
    let files = files.iter().map(|file| file.to_str().unwrap());
    Run::on_table(environment, ["replay", "--format", format].into_iter().chain(files))
}

/// The number before these words in a report.
fn counted(report: &str, words: &str) -> u64 {
    let counts = report.lines().filter_map(|line| line.trim().split_once(' '));
    let count = counts.into_iter().find(|(_, rest)| rest.starts_with(words));
    count.and_then(|(count, _)| count.parse().ok()).unwrap_or_else(|| panic!("no count of {words}: {report}"))
}

/// The report of a finished replay.
async fn finished(run: Run) -> String {
    assert_eq!(run.ended_within(LONG).await, Some(0), "{} {}", run.out(), run.err());
    run.out()
}

/// The first hours of the real day: the whole day takes long on a slow engine.
fn hours() -> PathBuf {
    let day = fs::read_to_string(DAY).unwrap();
    let lines: Vec<&str> = day.lines().take(301).collect();
    write(&format!("{}\n", lines.join("\n")))
}

/// Checks that the table agrees with the report of a replay and with its files. Returns the number of movements.
async fn assert_replayed(
    environment: &TestEnvironment,
    workspace: &Workspace,
    report: &str,
    rows: u64,
    files: &[PathBuf],
) -> u64 {
    assert!(report.starts_with(&format!("Read {} rows of {} file", grouped(rows), files.len())), "{report}");
    assert_eq!(counted(report, "dead letters"), 0, "{report}");
    let model = model(files);
    let opened = counted(report, "products were opened");
    assert_eq!((stocks(workspace).await, opened), (model.clone(), model.len() as u64));
    let all = rows - counted(report, "skipped") + opened;
    assert_eq!(counted(report, "messages applied") + counted(report, "known from before"), all, "{report}");
    let checked = Run::on_table(environment, ["check"]).succeeds().await;
    let (products, movements) = (grouped(opened), grouped(all));
    assert_eq!(checked, format!("Checked {products} products with {movements} movements.\n"));
    all
}

async fn real_hours_replayed_again_after_a_kill_match_their_file(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let files = [hours()];
    let interrupted = replay(&environment, "online-retail", &files);
    wait::until("something is replayed", async || !products(&workspace).await.is_empty()).await;
    interrupted.signal("KILL");
    assert_eq!(interrupted.ended().await, None);

    let report = finished(replay(&environment, "online-retail", &files)).await;
    assert!(counted(&report, "known from before") > 0, "{report}");
    let all = assert_replayed(&environment, &workspace, &report, 300, &files).await;
    let again = finished(replay(&environment, "online-retail", &files)).await;
    assert_eq!((counted(&again, "messages applied"), counted(&again, "known from before")), (0, all));
    assert_replayed(&environment, &workspace, &again, 300, &files).await;
}

async fn a_real_day_matches_its_file(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let files = [PathBuf::from(DAY)];
    let report = finished(replay(&environment, "online-retail", &files)).await;
    assert_replayed(&environment, &workspace, &report, 3_108, &files).await;
    assert!(report.contains("skipped, because they are not products: "), "{report}");
    let product = workspace.app.inventory().find(&"85123A".parse().unwrap()).await.unwrap();
    assert_eq!(product.name.as_str(), "WHITE HANGING HEART T-LIGHT HOLDER");
}

/// The same rows in random order.
fn shuffled(file: &Path, seed: u64) -> PathBuf {
    let text = fs::read_to_string(file).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    let mut dice = Dice(seed);
    for last in (1..rows.len()).rev() {
        rows.swap(last, dice.roll(last + 1));
    }
    write(&format!("{header}\n{}\n", rows.join("\n")))
}

/// A file with this content.
fn write(content: &str) -> PathBuf {
    let random = getrandom::u64().unwrap();
    let path = target().join("tmp").join(format!("replay-{random:016x}"));
    fs::write(&path, content).unwrap();
    path
}

async fn real_hours_in_another_order_give_the_same_stock(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let hours = hours();
    let report = finished(replay(&environment, "online-retail", &[shuffled(&hours, 7)])).await;
    assert_replayed(&environment, &workspace, &report, 300, &[hours]).await;
}

/// It is listed only if [`RETAIL_DIR`] is set.
async fn all_real_days_match_their_files(environment: TestEnvironment) {
    let folder = std::env::var_os(RETAIL_DIR).expect("the case is listed only with a folder");
    let workspace = Workspace::open(&environment).await;
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "csv")).collect();
    files.sort();
    assert!(!files.is_empty(), "the folder has files of days");
    let rows = files.iter().map(|file| csv::Reader::from_path(file).unwrap().records().count() as u64).sum();
    let report = finished(replay(&environment, "online-retail", &files)).await;
    let all = assert_replayed(&environment, &workspace, &report, rows, &files).await;
    // The order of the files does not matter.
    files.reverse();
    let again = finished(replay(&environment, "online-retail", &files)).await;
    assert_eq!((counted(&again, "messages applied"), counted(&again, "known from before")), (0, all));
    // The order of the rows does not matter either: these are other messages, and the products open again.
    let others: Vec<_> = files.iter().zip(1..).map(|(file, seed)| shuffled(file, seed)).collect();
    let shuffled = finished(replay(&environment, "online-retail", &others)).await;
    // A slow engine may have applied a batch without answering in time; its messages are then known.
    let taken = counted(&shuffled, "messages applied") + counted(&shuffled, "known from before");
    assert_eq!((taken, counted(&shuffled, "dead letters")), (all, 0));
    assert_eq!(stocks(&workspace).await, model(&files));
}

async fn each_line_of_a_file_of_messages_is_applied_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let line = |id: &str, kind: &str, quantity: u64| {
        format!(
            r#"{{"schema":1,{id}"sku":"A1","kind":"{kind}","quantity":{quantity},"occurredAt":"2026-11-22T00:00:00Z"}}"#
        )
    };
    let named = line(r#""messageId":"m1","#, "RECEIPT", 10);
    // Two equal messages without ids are two messages; empty lines are skipped; the last line has no newline.
    let lines = [
        &named,
        &line("", "SALE", 3),
        "",
        &line("", "SALE", 3),
        &named,
        "{",
        &line("", "SALE", 5),
        &line("", "SALE", 4),
    ];
    let file = [write(&lines.join("\r\n"))];
    let report = finished(replay(&environment, "messages", &file)).await;
    assert!(report.starts_with("Read 7 rows of 1 file.\n"), "{report}");
    let summary = |report: &str| {
        ["messages applied", "known from before", "dead letters"].map(|words| counted(report, words))
    };
    assert_eq!(summary(&report), [4, 1, 2], "{report}");
    assert!(report.contains("2 dead letters: bad-json 1, insufficient-stock 1"), "{report}");
    let again = replay(&environment, "messages", &file).succeeds().await;
    assert_eq!(summary(&again)[0], 0, "{again}");
    assert_eq!(stocks(&workspace).await, BTreeMap::from([("A1".to_owned(), 0)]));
    let open = holdfast::inventory::domain::DeadLetterStatus::Open;
    assert_eq!(
        workspace.app.inventory().list_dead_letters(open, 10, None).await.unwrap().items.len(),
        2,
        "one dead letter for each message"
    );
}

async fn an_unusable_replay_file_is_refused_with_a_reason(_: TestEnvironment) {
    let data = Data::new();
    let refused = async |words: &[&str], output: &str| {
        let error = data.holdfast(&[&["replay"], words].concat()).fails(1).await;
        let last = error.lines().last().unwrap_or_default();
        assert!(last.starts_with("holdfast: ") && last.contains(output), "{error}");
    };
    let other = write("name,email\nAnn,ann@example.com\n");
    let other = other.to_str().unwrap();
    refused(&["--format", "online-retail", other], "the header has no column InvoiceNo").await;
    // All files are read before anything is applied.
    let broken = write(&fs::read_to_string(DAY).unwrap().replacen(
        ",6,2010-12-01 08:26:00",
        ",six,2010-12-01 08:26:00",
        1,
    ));
    refused(&["--format", "online-retail", DAY, broken.to_str().unwrap()], "row 2: its Quantity").await;
    refused(&[other], "its first lines are not messages: line 1: It isn't JSON").await;
    refused(&["--dry-run", other], "its first lines are not messages: line 1: It isn't JSON").await;
    assert!(!data.path().exists(), "no data was created");
    let checked = data.holdfast(&["check"]).fails(1).await;
    assert!(checked.starts_with("holdfast: there is no data in "), "{checked}");
    refused(&["no-such-file"], "cannot read no-such-file").await;
    let long = write(&"x".repeat(1024 * 1024 + 1));
    refused(&[long.to_str().unwrap()], "longer than 1 MB").await;
}

async fn a_dry_run_describes_the_files_and_writes_nothing(_: TestEnvironment) {
    let data = Data::new();
    let line = |sku: &str| {
        format!(
            r#"{{"schema":1,"sku":"{sku}","kind":"RECEIPT","quantity":6.0,"occurredAt":"2026-01-01T00:00:00Z"}}"#
        )
    };
    let file = write(&format!("\u{feff}{}\n{}\n{{\n{}\n", line("K1"), line("K2"), line("K1")));
    let file = file.to_str().unwrap();
    let output = data.holdfast(&["replay", "--dry-run", file]).succeeds().await;
    let expected = "Read 4 rows of 1 file, and wrote nothing.\n        3 messages of 2 products\n        1 would become dead letters, because they are not messages: bad-json 1\n";
    assert_eq!(output, expected);
    let output = data.holdfast(&["replay", "--dry-run", "--format", "online-retail", DAY]).succeeds().await;
    assert!(output.starts_with("Read 3,108 rows of 1 file, and wrote nothing.\n"), "{output}");
    assert!(!data.path().exists(), "no data was created");
    let report = data.holdfast(&["replay", file]).succeeds().await;
    assert_eq!((counted(&report, "messages applied"), counted(&report, "dead letters")), (3, 1), "{report}");
}

async fn a_replay_that_applies_nothing_is_a_failure(_: TestEnvironment) {
    let data = Data::new();
    let empty = write("\n\n");
    let output = data.holdfast(&["replay", empty.to_str().unwrap()]).fails(1).await;
    assert_eq!(output, "holdfast: nothing was applied: the files hold no messages\n");
    let sale = r#"{"schema":1,"sku":"K1","kind":"SALE","quantity":6,"occurredAt":"2026-01-01T00:00:00Z","traceId":1}"#;
    let sale = write(sale);
    let run = data.holdfast(&["replay", sale.to_str().unwrap()]);
    let output = run.fails(1).await;
    assert!(
        output.ends_with("holdfast: nothing was applied: all messages became dead letters\n"),
        "{output}"
    );
    assert!(
        run.out().contains("1 dead letters: unknown-sku 1") && run.out().contains("1 fields of other names"),
        "{}",
        run.out()
    );
}

async fn files_in_the_online_retail_ii_format_are_replayed(_: TestEnvironment) {
    let data = Data::new();
    let second = write(
        "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n\
         489001,85048,GLASS BALL,12,2009-12-01 07:45:00,6.95,13085,United Kingdom\n\
         700001,85123A,WHITE LAMP,6,12/1/10 8:26,2.55,17850,United Kingdom\n\
         C700002,85123A,WHITE LAMP,-2,12/13/10 9:10,2.55,17850,United Kingdom\n",
    );
    let words = ["replay", "--format", "online-retail", second.to_str().unwrap()];
    let report = data.holdfast(&words).succeeds().await;
    assert_eq!((counted(&report, "messages applied"), counted(&report, "dead letters")), (5, 0), "{report}");
    let checked = data.holdfast(&["check"]).succeeds().await;
    assert!(checked.ends_with("Checked 2 products with 5 movements.\n"), "{checked}");
}
