//! Raffles from a shell: a draw is checked with nothing but its proof, and tickets are exported.

use std::path::PathBuf;

use holdfast::base::identity::Role;
use serde_json::{Value, json};

use super::binary::{Data, Run};
use crate::raffle_api::{buy, draw, open};
use crate::support::process::target;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: a_draw_is_checked_with_its_proof_and_nothing_else,
            an_invalid_proof_is_refused_with_a_reason,
            tickets_are_exported_with_and_without_a_running_server
    ]
}

/// A temporary file, removed when its case ends.
struct TempFile(PathBuf);

impl TempFile {
    fn new(content: &[u8]) -> Self {
        let random = getrandom::u64().expect("the system gives random numbers");
        let path = target().join("tmp").join(format!("scrap-{random:016x}"));
        std::fs::write(&path, content).expect("the target folder can be written to");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("the path is text")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // The file may be removed already.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs `raffle verify` on a file with this content.
fn verify(data: &Data, content: &[u8]) -> (TempFile, Run) {
    let file = TempFile::new(content);
    let run = data.holdfast(&["raffle", "verify", file.path()]);
    (file, run)
}

/// The proof of a raffle before and after its draw.
async fn proofs(environment: &TestEnvironment) -> (Value, Value) {
    let workspace = Workspace::open(environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let raffle = open(&admin, 50, 50).await;
    buy(&admin, &raffle, 5).await;
    let proof = async || admin.get(&format!("{raffle}/proof")).send().await.expect(200).json();
    let before = proof().await;
    draw(&admin, &raffle).await;
    (before, proof().await)
}

async fn a_draw_is_checked_with_its_proof_and_nothing_else(environment: TestEnvironment) {
    let (before, proof) = proofs(&environment).await;
    let data = Data::new();
    let text = |field: &str| proof[field].as_str().unwrap().to_owned();
    let (_file, run) = verify(&data, proof.to_string().as_bytes());
    let report = run.succeeds().await;
    let lines: Vec<_> = report.lines().collect();
    assert_eq!(lines[0], format!("Raffle: Autumn ({}), method holdfast-raffle-1", text("raffle")));
    assert!(lines[1].starts_with("Commitment: ") && lines[1].ends_with(&text("commitment")), "{report}");
    assert!(lines[2].starts_with("List hash: ") && lines[2].ends_with(&text("listHash")), "{report}");
    assert_eq!(lines[3], "Tickets: 5 sold, each in the list once");
    assert!(lines[4].starts_with(&format!("Winner: the seed and the list give ticket {},", proof["winner"])));
    assert!(lines[5].starts_with("The proof holds."), "{report}");
    let pretty = serde_json::to_string_pretty(&proof).unwrap();
    assert_eq!(data.holdfast_reading(&["raffle", "verify", "-"], &pretty).succeeds().await, report);

    let seed = "00".repeat(32);
    for (field, value, lines, words) in [
        ("seed", json!(seed), 2, "does not hold: the seed does not match the commitment"),
        ("sold", json!([1, 2, 3]), 2, "does not hold: the list of sold tickets doesn't match its hash"),
        ("sold", json!([2, 1]), 2, "does not hold: the sold numbers must ascend, but 1 is out of order"),
        ("sold", json!([]), 2, "does not hold: no ticket is in the list"),
        ("winner", json!(99_999), 4, "does not hold: the seed and the list give ticket"),
        ("sold", json!(null), 2, "cannot be checked: sold is missing"),
        ("method", json!("two\u{1b}[2J"), 2, "cannot be checked: its method is two\u{fffd}[2J"),
    ] {
        let mut changed = proof.clone();
        changed[field] = value;
        let (_file, run) = verify(&data, changed.to_string().as_bytes());
        let output = run.fails(1).await;
        assert!(output.starts_with(&format!("holdfast: this proof {words}")), "{field}: {output}");
        assert_eq!(run.out().lines().count(), lines, "the checks that pass are printed: {}", run.out());
        assert!(!run.out().contains('\u{1b}'), "{}", run.out());
    }
    let (_file, run) = verify(&data, before.to_string().as_bytes());
    let output = run.fails(1).await;
    assert!(output.contains("the raffle isn't drawn yet"), "{output}");
    assert!(run.out().contains(&text("commitment")), "{}", run.out());
    assert!(!data.path().exists(), "no data was created");
}

async fn an_invalid_proof_is_refused_with_a_reason(_: TestEnvironment) {
    let data = Data::new();
    let long = vec![b' '; 5 * 1024 * 1024];
    for (content, words) in [
        (&b""[..], "it ends too early"),
        (b"{", "it ends too early"),
        (b"\xff\xfe\x00", "it goes wrong at line 1, column 1"),
        (b"ticket 7 won", "it goes wrong at line 1, column "),
        (b"[]", "it isn't valid"),
        (b"{}", "method is missing"),
        (b"{\"method\": 7}", "method isn't valid"),
        (b"{\"method\":\"m\",\"raffle\":\"\\u001b[2J\"}", "raffle: "),
        (&long, "it is longer than 4 MB"),
    ] {
        let (_file, run) = verify(&data, content);
        let output = run.fails(1).await;
        let begins = output.starts_with("holdfast: this is not a raffle proof: ");
        let ends = output.trim_end().ends_with("/api/raffles/ID/proof");
        assert!(begins && ends && output.contains(words), "{words}: {output}");
        assert!(!output.contains('\u{1b}'), "{output}");
    }
    let none = data.holdfast(&["raffle", "verify", "nowhere.json"]).fails(1).await;
    assert!(none.starts_with("holdfast: cannot read nowhere.json: "), "{none}");
    data.holdfast(&["raffle", "verify"]).fails(2).await;
    assert!(!data.path().exists(), "no data was created");
}

async fn tickets_are_exported_with_and_without_a_running_server(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let person = server.administrator().await;
    let raffle = open(&person, 20, 20).await;
    buy(&person, &raffle, 7).await;
    let csv = person.get(&format!("{raffle}/tickets/csv")).send().await.expect(200);
    let id = raffle.rsplit('/').next().unwrap();
    let words = ["export", "tickets", id];
    assert_eq!(data.holdfast(&words).succeeds().await, csv.text());
    server.stop().await;
    let file = data.path().join("tickets.csv");
    let to_file = [&words[..], &["--output", file.to_str().unwrap()]].concat();
    data.holdfast(&to_file).succeeds().await;
    assert_eq!(data.read("tickets.csv"), csv.text());
    let again = data.holdfast(&to_file).fails(1).await;
    assert!(again.starts_with("holdfast: cannot write ") && again.contains("tickets.csv"), "{again}");

    let (other, unknown) = (data.path().join("other.csv"), "019f0000-0000-7000-8000-000000000000");
    let none = ["export", "tickets", unknown, "--output", other.to_str().unwrap()];
    let none = data.holdfast(&none).fails(1).await;
    assert_eq!(none, format!("holdfast: there is no raffle {unknown}\n"));
    assert!(!other.exists(), "a failed export leaves no file");
    let wrong = data.holdfast(&["export", "tickets", "autumn"]).fails(2).await;
    assert!(wrong.contains("The ID of a raffle is a UUID"), "{wrong}");
}
