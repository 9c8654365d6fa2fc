//! The size of the data on the disk.

use serde_json::{Value, json};

use super::binary::Data;
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![embedded: a_lead_uses_at_most_4_kb_and_each_further_change_400_bytes]
}

const LEADS: u64 = 1_000;
const CHANGES: u64 = 600;

/// The bytes of the data file after its log is trimmed.
fn bytes(data: &Data) -> u64 {
    let file = rusqlite::Connection::open(data.path().join("holdfast.store")).unwrap();
    // The newest row always stays.
    file.execute("DELETE FROM log WHERE key < (SELECT max(key) FROM log)", []).unwrap();
    let number = |pragma: &str| file.query_row(pragma, [], |row| row.get::<_, i64>(0)).unwrap();
    let pages = number("PRAGMA page_count") - number("PRAGMA freelist_count");
    u64::try_from(pages * 4096).unwrap()
}

/// A file of fictional people.
fn people() -> String {
    let first = ["Ada", "Bo", "Camille", "Dmitri", "Elena", "Fatima", "Greta", "Hugo", "Imani", "José"];
    let last =
        ["Abara", "Bianchi", "Castillo", "Dubois", "Eriksen", "Fischer", "Haddad", "Ibáñez", "Johnson"];
    let states = ["NY", "CA", "TX", "FL", "IL", "PA", "OH", "GA"];
    let mut file = String::from("Name,Email,State,Lead score\n");
    for number in 0..LEADS as usize {
        let (first, last) = (first[number % first.len()], last[number / 7 % last.len()]);
        let state = states[number % states.len()];
        file.push_str(&format!(
            "{first} {last},{first}.{last}{number}@example.com,{state},{}\n",
            number % 80
        ));
    }
    file
}

async fn a_lead_uses_at_most_4_kb_and_each_further_change_400_bytes(_: TestEnvironment) {
    let data = Data::new();
    let empty = {
        data.serve().await.stop().await;
        bytes(&data)
    };
    let file = data.path().join("people.csv");
    std::fs::write(&file, people()).unwrap();
    data.holdfast(&["import", "leads", file.to_str().unwrap()]).succeeds().await;
    let server = data.serve().await;
    let token = server.token(&server.administrator().await).await;
    wait::until("all leads are counted", async || {
        let answer = server.program(&token).get("/api/leads/stats").send().await.expect(200);
        answer.json::<Value>()["total"] == LEADS
    })
    .await;
    server.stop().await;
    let full = bytes(&data);
    let each = (full - empty) / LEADS;
    assert!(each <= 4_096, "{each} bytes for each lead");

    let server = data.serve().await;
    let program = server.program(&token);
    let page: Value = program.get("/api/leads?limit=100").send().await.expect(200).json();
    let leads = page["items"].as_array().unwrap();
    for change in 0..CHANGES {
        let lead = leads[change as usize % leads.len()]["id"].as_str().unwrap();
        let version = 1 + change / leads.len() as u64;
        let body = json!({ "version": version, "leadScore": 90 + change / 100 });
        program.patch(&format!("/api/leads/{lead}")).json(&body).send().await.expect(200);
    }
    server.stop().await;
    let each = (bytes(&data) - full) / CHANGES;
    assert!(each <= 400, "{each} bytes for each change");
}
