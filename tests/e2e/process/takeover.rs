//! Data of the version before, whose engine was another: it is taken over by the first start, and stays as it was.
//!
//! `tests/fixtures/former-engine/holdfast.db.gz` was written by that version, which was killed before its reader had told
//! the statistics of the last creation and the last change.

use std::fs;
use std::io::Read as _;

use serde_json::{Value, json};

use super::binary::Data;
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: the_data_of_the_former_engine_is_taken_over_whole_and_kept,
            what_is_no_data_of_the_former_engine_is_refused_in_words
    ]
}

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/former-engine/holdfast.db.gz");
const TOKEN: &str = "hf_RWT31KYIf6Ubr0LrDt9kxK_E4X91uxsSZSOaMzJY8T8";
const CHANGED: &str = "/api/leads/01a2223a-faba-7d9e-b067-149c2b14ef31";
const ORDER: &str = "/api/orders/01a2223b-1c65-7398-a014-6020e215ec04";
const RAFFLE: &str = "/api/raffles/01a2223a-faf8-767f-8b4c-80c75d1075a6";

async fn the_data_of_the_former_engine_is_taken_over_whole_and_kept(_: TestEnvironment) {
    let data = Data::new();
    let mut former = Vec::new();
    let packed = fs::File::open(FIXTURE).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut former).unwrap();
    data.make();
    let path = data.path().join("holdfast.db");
    fs::write(&path, &former).unwrap();
    // What a start that was cut off has left.
    fs::write(data.path().join("holdfast.part"), "half of it").unwrap();

    let server = data.serve().await;
    server.run.says("took over").await;
    let program = server.program(TOKEN);
    let page: Value = program.get("/api/leads").send().await.expect(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 5);
    let changed: Value = program.get(CHANGED).send().await.expect(200).json();
    assert_eq!((&changed["status"], &changed["version"]), (&json!("QUALIFIED"), &json!(2)));
    let found: Value = program.get("/api/leads?q=hopper").send().await.expect(200).json();
    assert_eq!(
        (&found["items"][0]["name"], &found["items"][0]["version"]),
        (&json!("Grace Hopper"), &json!(2))
    );
    let history: Value = program.get(&format!("{CHANGED}/history")).send().await.expect(200).json();
    assert_eq!(history["items"].as_array().unwrap().len(), 2);
    let order: Value = program.get(ORDER).send().await.expect(200).json();
    assert_eq!((&order["status"], &order["leadCount"]), (&json!("OPEN"), &json!(1)));
    let raffle: Value = program.get(RAFFLE).send().await.expect(200).json();
    assert_eq!((&raffle["sold"], &raffle["remaining"]), (&json!(2), &json!(8)));
    let product: Value = program.get("/api/products/KETTLE").send().await.expect(200).json();
    assert_eq!(product["stock"], 3);

    // What nobody had counted yet is counted now, and nothing twice.
    let counted = wait::within(wait::PATIENCE, async || {
        let statistics: Value = program.get("/api/leads/stats").send().await.expect(200).json();
        let statuses: Vec<_> =
            statistics["byStatus"].as_array().unwrap().iter().map(|one| &one["count"]).collect();
        let right = statistics["total"] == 5 && statuses == [4, 1, 0];
        if right { Ok(()) } else { Err(statistics.to_string()) }
    });
    counted.await.unwrap_or_else(|statistics| panic!("{statistics}"));
    // It goes on from there.
    let edit = json!({ "version": 2, "leadScore": 36 });
    program.patch(CHANGED).json(&edit).send().await.expect(200);
    server.stop().await;
    assert_eq!(fs::read(&path).unwrap(), former, "the former file is as it was");

    let server = data.serve().await;
    let kept: Value = server.program(TOKEN).get(CHANGED).send().await.expect(200).json();
    assert_eq!(kept["version"], 3, "the former file is not taken over again");
    let log = server.stop().await;
    assert!(!log.contains("took over"), "{log}");
    assert!(!data.path().join("holdfast.part").exists());
}

async fn what_is_no_data_of_the_former_engine_is_refused_in_words(_: TestEnvironment) {
    let data = Data::new();
    data.make();
    let path = data.path().join("holdfast.db");
    for bytes in [&b"not a database at all, but long enough to look like one"[..], b""] {
        fs::write(&path, bytes).unwrap();
        let words = data.holdfast(&["--port", "0"]).fails(1).await;
        assert!(words.contains("holdfast.db") && words.contains("cannot be taken over"), "{words}");
        assert_eq!(words.lines().count(), 1, "{words}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}
