//! Data of an earlier version with another engine: the first start copies it and leaves the old file unchanged.
//!
//! That version wrote `tests/fixtures/former-engine/holdfast.db.gz`. It was killed before its reader had counted
//! the last creation and the last change.

use std::fs;
use std::io::Read as _;

use serde_json::{Value, json};

use super::binary::Data;
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: the_data_of_the_former_engine_is_copied_completely_and_kept,
            invalid_data_of_the_former_engine_is_refused_with_a_reason
    ]
}

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/former-engine/holdfast.db.gz");
const TOKEN: &str = "hf_RWT31KYIf6Ubr0LrDt9kxK_E4X91uxsSZSOaMzJY8T8";
const CHANGED: &str = "/api/leads/01a2223a-faba-7d9e-b067-149c2b14ef31";
const ORDER: &str = "/api/orders/01a2223b-1c65-7398-a014-6020e215ec04";
const RAFFLE: &str = "/api/raffles/01a2223a-faf8-767f-8b4c-80c75d1075a6";

async fn the_data_of_the_former_engine_is_copied_completely_and_kept(_: TestEnvironment) {
    let data = Data::new();
    let mut former = Vec::new();
    let packed = fs::File::open(FIXTURE).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut former).unwrap();
    data.make();
    let path = data.path().join("holdfast.db");
    fs::write(&path, &former).unwrap();
    // The leftover of an interrupted start.
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

    // The uncounted changes are counted now, and nothing is counted twice.
    let counted = wait::within(wait::TIMEOUT, async || {
        let statistics: Value = program.get("/api/leads/stats").send().await.expect(200).json();
        let statuses: Vec<_> =
            statistics["byStatus"].as_array().unwrap().iter().map(|one| &one["count"]).collect();
        let right = statistics["total"] == 5 && statuses == [4, 1, 0];
        if right { Ok(()) } else { Err(statistics.to_string()) }
    });
    counted.await.unwrap_or_else(|statistics| panic!("{statistics}"));
    // The copied data can be changed.
    let edit = json!({ "version": 2, "leadScore": 36 });
    program.patch(CHANGED).json(&edit).send().await.expect(200);
    server.stop().await;
    assert_eq!(fs::read(&path).unwrap(), former, "the old file has not changed");

    let server = data.serve().await;
    let kept: Value = server.program(TOKEN).get(CHANGED).send().await.expect(200).json();
    assert_eq!(kept["version"], 3, "the old file is not copied again");
    let log = server.stop().await;
    assert!(!log.contains("took over"), "{log}");
    assert!(!data.path().join("holdfast.part").exists());
}

async fn invalid_data_of_the_former_engine_is_refused_with_a_reason(_: TestEnvironment) {
    let data = Data::new();
    data.make();
    let path = data.path().join("holdfast.db");
    for bytes in [&b"not a database at all, but long enough to look like one"[..], b""] {
        fs::write(&path, bytes).unwrap();
        let words = data.holdfast(&["--port", "0"]).fails(1).await;
        assert!(words.contains("holdfast.db") && words.contains("cannot be imported"), "{words}");
        assert_eq!(words.lines().count(), 1, "{words}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}
