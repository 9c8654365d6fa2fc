//! Anyone can check the proof of a draw in the browser.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::at_raffle;
use crate::browser::{Office, console_is_quiet};
use crate::raffle_pages::{drawn, open, sold};
use crate::support::browser::{At, Look};
use crate::support::{Case, TestEnvironment, cases, process};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![browser: a_proof_is_checked_in_the_browser, the_proof_of_a_raffle_is_checked_with_one_click]
}

/// Writes a proof to a file for the file chooser.
fn file(name: &str, text: &str) -> PathBuf {
    let folder = process::target().join("proofs");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let file = folder.join(format!("{name}-{:016x}.json", getrandom::u64().expect("random numbers")));
    std::fs::write(&file, text).expect("the proof can be written");
    file
}

async fn a_proof_is_checked_in_the_browser(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let visitor = office.environment.browser(Look::desktop()).await;
    let check = async |name: &str, text: &str| {
        visitor.goto(&office.url("/raffles/verify")).await;
        visitor.upload("#proof-file", &file(name, text)).await;
        visitor.wait_for_text("#verdict", ".").await;
        (visitor.text(At::Css("#verdict")).await, visitor.count(".steps .wrong").await)
    };
    // The test vector of the method.
    let proof = json!({
        "method": "holdfast-raffle-1", "raffle": "019f0000-0000-7000-8000-000000000000", "title": "Vector",
        "status": "CLOSED", "openedAt": "2026-11-21T12:00:00Z", "drawnAt": "2026-11-21T13:00:00Z",
        "commitment": "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd",
        "seed": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "sold": [2, 3, 5, 7, 11],
        "listHash": "563d8e0603dcc07d784135d99fd81ff6bf98495e898ec1f52e2e7605320cf6dc", "winner": 3,
    });
    let (verdict, wrong) = check("right", &proof.to_string()).await;
    assert_eq!((verdict.as_str(), wrong), ("The proof holds: ticket 3 won.", 0));
    assert!(visitor.text(At::Css(".steps")).await.contains("n = 5, k = 3, x = 1 at c = 0: ticket 3."));

    let with = |name: &str, value: Value| {
        let mut changed = proof.clone();
        changed[name] = value;
        changed.to_string()
    };
    for (name, text, wrong, words) in [
        ("seed", with("seed", json!("00".repeat(32))), 1, "The seed matches the commitment: failed"),
        ("short", with("seed", json!("00")), 2, "64 hexadecimal digits"),
        ("list", with("sold", json!([2, 3, 5, 7, 12])), 1, "matches its hash: failed"),
        ("order", with("sold", json!([3, 2, 5, 7, 11])), 3, "but 2 is out of order"),
        ("twice", with("sold", json!([2, 2, 3, 5, 7])), 3, "but 2 is out of order"),
        ("none", with("sold", json!([])), 3, "The list has no tickets."),
        ("winner", with("winner", json!(5)), 1, "but the proof says 5."),
        ("method", with("method", json!("other-2")), 1, "Its method is \"other-2\""),
        ("open", with("status", json!("OPEN")), 1, "isn't drawn yet"),
        ("bare", json!({}).to_string(), 6, "failed"),
    ] {
        let (verdict, failed) = check(name, &text).await;
        let steps = visitor.text(At::Css(".steps")).await;
        assert!(verdict.contains("doesn't hold") && steps.contains(words), "{name}: {verdict} {steps}");
        assert_eq!(failed, wrong, "{name}: {steps}");
    }
    for text in ["not JSON", "[]", "null", ""] {
        assert!(check("no-proof", text).await.0.contains("This isn't a proof"), "{text}");
    }
    // A browser that cannot compute hashes says so and names the command.
    visitor.goto(&office.url("/raffles/verify")).await;
    visitor.run("Object.defineProperty(crypto, 'subtle', { value: undefined })", Vec::new()).await;
    visitor.upload("#proof-file", &file("right", &proof.to_string())).await;
    visitor.wait_for_text("#verdict", "holdfast raffle verify FILE").await;
}

async fn the_proof_of_a_raffle_is_checked_with_one_click(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 300, 50).await;
    for _ in 0..3 {
        sold(&office.workspace, id, "Mia", 43).await;
    }
    let number = drawn(&office.workspace, id).await;
    let pat = at_raffle(&office, id, "Pat", Look::desktop()).await;
    pat.click(At::Named("How the draw is verified")).await;
    pat.click(At::Named("Check in this browser")).await;
    pat.wait_for_text("#verdict", &format!("The proof holds: ticket {number} won.")).await;
    console_is_quiet(&pat).await;
}
